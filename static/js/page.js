// Everything small: toasts, questions before dangerous buttons, keys, menus. Nothing here is needed to use the site.
(() => {
  const $ = (id) => document.getElementById(id);

  // Toasts: notes go after six seconds, errors stay until they are closed.
  const arm = (toast) => toast.dataset.tone === 'note' && setTimeout(() => toast.remove(), 6000);
  const toasts = $('toasts');
  toasts.querySelectorAll('.toast').forEach(arm);
  new MutationObserver((list) => list.forEach((m) => m.addedNodes.forEach((n) => n.dataset && arm(n)))).observe(toasts, { childList: true });
  const shout = (text) => {
    const toast = $('toast-template').content.firstElementChild.cloneNode(true);
    toast.querySelector('span').textContent = text;
    toasts.append(toast);
  };
  document.addEventListener('htmx:response:error', (e) => {
    const { response, sourceElement } = e.detail.ctx;
    const says = response.headers.get('X-Says');
    if (response.status >= 500 && sourceElement.id !== 'live') shout(says ? decodeURIComponent(says) : 'Something broke here and nothing was changed. Number ' + (response.headers.get('X-Request-Id') || 'unknown') + '.');
  });
  document.addEventListener('htmx:error', (e) => {
    if (e.detail.ctx && e.detail.ctx.sourceElement.id !== 'live' && !e.detail.ctx.response) shout('CodecShift does not answer. Nothing was changed.');
  });

  // A link with the set-up token: behind the # it never reaches a server or a log, and here it leaves the address at once.
  const door = document.querySelector('[data-token-form]');
  const given = /^#token=([\w-]{10,200})$/.exec(location.hash);
  if (given) history.replaceState(null, '', location.pathname + location.search);
  if (door && given && !document.getElementById('problem')) {
    door.elements.token.value = given[1];
    door.requestSubmit();
  }

  // A form or button with data-confirm asks first. Without JavaScript it acts at once, and every action can be undone or repeated.
  const ask = $('confirm');
  document.addEventListener('submit', (e) => {
    const text = e.submitter?.dataset.confirm ?? e.target.dataset.confirm;
    if (!text || e.target.dataset.sure) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    $('confirm-text').textContent = text;
    $('confirm-yes').textContent = e.submitter?.dataset.yes ?? (e.submitter?.textContent.trim() || 'Yes');
    ask.onclose = () => {
      if (ask.returnValue !== 'yes') return;
      e.target.dataset.sure = '1';
      e.target.requestSubmit(e.submitter);
      delete e.target.dataset.sure;
    };
    ask.returnValue = '';
    ask.showModal();
  }, true);

  // A dialog that came by htmx opens itself; Esc and focus are the browser's.
  document.addEventListener('htmx:after:swap', () => document.querySelectorAll('dialog[data-open]:not([open])').forEach((d) => d.showModal()));

  document.addEventListener('click', (e) => {
    const closer = e.target.closest('[data-close]');
    if (closer) closer.closest('dialog, .toast')?.[closer.closest('dialog') ? 'close' : 'remove']();
    const copy = e.target.closest('[data-copy]');
    if (copy) navigator.clipboard?.writeText($(copy.dataset.copy).textContent).then(() => (copy.lastChild.textContent = 'Copied'));
    document.querySelectorAll('details.menu[open], .tabs details[open]').forEach((d) => d.contains(e.target) || (d.open = false));
  });

  // Keys; off inside fields and when the browser's own modifier is held.
  const places = { o: '/', q: '/queue', l: '/library', n: '/nodes', h: '/history', s: '/settings' };
  let g = 0;
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') document.querySelectorAll('details.menu[open]').forEach((d) => ((d.open = false), d.firstElementChild.focus()));
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, textarea, select, [contenteditable]') || document.querySelector('dialog[open]')) return;
    if (e.key === '/') (e.preventDefault(), $('search').focus());
    else if (e.key === '?') $('keys').showModal();
    else if (e.key === 'g') g = Date.now();
    else if (Date.now() - g < 1500 && places[e.key]) location.href = places[e.key];
  });

  // The theme is a form with a cookie; here it changes without loading the page.
  document.addEventListener('submit', (e) => {
    if (!e.target.matches('.theme')) return;
    e.preventDefault();
    const theme = e.submitter.value;
    document.documentElement.dataset.theme = theme;
    document.querySelectorAll('.theme button').forEach((b) => b.setAttribute('aria-pressed', String(b.value === theme)));
    fetch(e.target.action, { method: 'POST', body: new URLSearchParams({ theme, csrf: e.target.elements.csrf.value }), redirect: 'manual' });
  });

  // Two pictures over each other: a range sets one CSS variable. A picture that does not come shows the words for it.
  document.addEventListener('input', (e) => e.target.matches('[data-compare]') && e.target.closest('.compare')?.style.setProperty('--x', e.target.value + '%'));
  const gone = (img) => img.closest('.compare').toggleAttribute('data-gone', true);
  document.addEventListener('error', (e) => e.target.matches?.('.compare img') && gone(e.target), true);
  // it may have been refused before this script was here
  document.querySelectorAll('.compare img').forEach((img) => img.complete && !img.naturalWidth && gone(img));
  document.addEventListener('change', (e) => {
    const sight = e.target.matches('.zoom input') && e.target.closest('.compare').querySelector('.sight');
    if (sight) sight.scrollTo((sight.scrollWidth - sight.clientWidth) / 2, (sight.scrollHeight - sight.clientHeight) / 2);
  });
  document.addEventListener('dblclick', (e) => e.target.closest('.screen') && e.target.closest('.compare').querySelector('.zoom input').click());
})();
