import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JoinAnswer } from './messages.ts';
import { commitOf } from './pairing-code.ts';
import { createPairing } from './pairing.ts';
import type { Pairing } from './pairing.ts';
import { makeClusterKey } from './signing.ts';

const key = makeClusterKey();
const cluster = { id: key.cluster, name: 'Home', publicKey: key.publicKey };
const self = { id: 'joiner', name: 'joiner', version: '1', platform: 'linux', hardware: {} };
const pending = (nonce: string, publicKey = key.publicKey): JoinAnswer => ({
  state: 'pending',
  cluster: key.cluster,
  name: 'Home',
  publicKey,
  nonce,
});

test('the reveal is said only after the cluster gave its nonce, and the code is shown only after that', () => {
  const pairing = start();
  const first = pairing.request();
  assert.equal(first.reveal, null);
  assert.equal(pairing.take(pending('n'), 'a', ['a']).next, 'reveal');
  assert.equal(pairing.code(), null);
  const second = pairing.request();
  assert.deepEqual([second.commit, commitOf(second.reveal!)], [first.commit, first.commit]);
  assert.equal(pairing.take(pending('n'), 'a', ['a']).next, 'wait');
  assert.match(pairing.code()!, /^.{6}$/);
});

test('a cluster that gives another nonce after the reveal gets a new commit, and both begin anew', () => {
  const pairing = shown();
  const [code, commit] = [pairing.code(), pairing.request().commit];
  assert.equal(pairing.take(pending('other'), 'a', ['a', 'b']).next, 'reveal');
  const anew = pairing.request();
  assert.deepEqual([anew.reveal, anew.commit === commit, pairing.code()], [null, false, null]);
  pairing.take(pending('other'), 'a', ['a', 'b']);
  pairing.take(pending('other'), 'a', ['a', 'b']);
  assert.notEqual(pairing.code(), code);
});

test('one lobby that answers differently from the others cannot change the code, unless the first one is gone', () => {
  const pairing = shown();
  const code = pairing.code();
  assert.equal(pairing.take(pending('other'), 'b', ['a', 'b']).next, 'distrust');
  assert.equal(pairing.code(), code);
  assert.equal(pairing.take(pending('other'), 'b', ['b']).next, 'reveal');
});

test('another key, another cluster, and a machine too big to describe', () => {
  const pairing = start({ cpu: 'x'.repeat(9000) });
  assert.deepEqual(pairing.request().hardware, {});
  assert.equal(pairing.take(pending('n', makeClusterKey().publicKey), 'a', ['a']).next, 'distrust');
  assert.equal(pairing.take({ state: 'refused', cluster: makeClusterKey().cluster, name: 'x', why: 'no' }, 'a', ['a']).next, 'distrust');
});

function start(hardware: Record<string, unknown> = {}): Pairing {
  return createPairing({ cluster, self: { ...self, hardware }, token: null });
}

function shown(): Pairing {
  const pairing = start();
  pairing.take(pending('n'), 'a', ['a', 'b']);
  pairing.take(pending('n'), 'b', ['a', 'b']);
  assert.ok(pairing.code());
  return pairing;
}
