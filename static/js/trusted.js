// The only policy that may turn text into HTML, for htmx; scripts inside it are emptied. The CSP names it.
if (window.trustedTypes) htmx.registerExtension('tt', { init: (api) => api.initSecurity(trustedTypes.createPolicy('htmx', { createHTML: (s) => s, createScript: () => '' })) });
else htmx.registerExtension('tt', { init() {} });
