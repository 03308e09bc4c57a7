import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askCoordinator } from './ask.ts';

const visitor = { asks: 'page', address: '', peer: '', tunnelled: false, secure: false, forwardedFor: null, forwardedProto: null } as const;

test('an application that does not answer counts as none, also in this very process', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const frozen = askCoordinator({ kind: 'local', app: () => new Promise(() => {}) }, '/auth/check', {}, visitor);
  t.mock.timers.tick(5000);
  assert.equal(await frozen, null);
  const well = askCoordinator({ kind: 'local', app: () => new Response('ok') }, '/readyz', {}, visitor);
  assert.deepEqual(await well, { status: 200, text: 'ok' });
  assert.equal(await askCoordinator({ kind: 'nowhere' }, '/readyz', {}, visitor), null);
});
