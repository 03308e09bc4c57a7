'use strict';
// Asks the program in this container whether it answers: exit code 0 when it does. Used by the Dockerfile's HEALTHCHECK.
const listening = process.env.CODECSHIFT_HOST || '127.0.0.1';
const host = ['0.0.0.0', '::', '[::]'].includes(listening) ? '127.0.0.1' : listening.includes(':') ? `[${listening}]` : listening;
const port = process.env.CODECSHIFT_PORT || '8265';

fetch(`http://${host}:${port}/healthz`, { signal: AbortSignal.timeout(4000) }).then(
  (answer) => process.exit(answer.ok ? 0 : 1),
  () => process.exit(1),
);
