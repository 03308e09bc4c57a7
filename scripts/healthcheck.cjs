'use strict';
// Asks the program in this container whether it answers: exit code 0 when it does. Used by the Dockerfile's HEALTHCHECK.
// Whether it is ready as well (a member, with a coordinator and its database) is said in words, which `docker inspect` shows;
// a machine that waits for somebody's approval is well, and starting it again would not help. With --ready that counts too.
const http = require('node:http');
const https = require('node:https');

const listening = process.env.CODECSHIFT_HOST || '127.0.0.1';
const host = ['0.0.0.0', '::', '[::]'].includes(listening) ? '127.0.0.1' : listening;
const port = process.env.CODECSHIFT_PORT || '8265';
const secure = process.env.CODECSHIFT_TLS === 'own' || Boolean(process.env.CODECSHIFT_TLS_CERT);

ask('/healthz', (health) => {
  if (health.status !== 200) return end(1, health.text || 'It does not answer.');
  ask('/readyz', (ready) => end(ready.status === 200 || !process.argv.includes('--ready') ? 0 : 1, ready.text));
});

function ask(path, then) {
  // to this very machine: whose certificate it is needs no proof
  const options = { host, port, path, timeout: 2000, rejectUnauthorized: false, headers: { host: `localhost:${port}` } };
  const request = (secure ? https : http).get(options, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk) => (text = (text + chunk).slice(0, 300)));
    answer.on('end', () => then({ status: answer.statusCode, text }));
    answer.on('error', () => then({ status: 0, text: '' }));
  });
  request.on('timeout', () => request.destroy());
  request.on('error', () => then({ status: 0, text: '' }));
}

function end(code, words) {
  process.stdout.write(`${words}\n`);
  process.exit(code);
}
