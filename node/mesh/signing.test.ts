import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Certificate, Members } from '../core/cluster.ts';
import { clusterId, makeClusterKey, openCertificate, openMembers, openTicket, sign } from './signing.ts';

const key = makeClusterKey();
const members: Members = { kind: 'members', cluster: key.cluster, version: 3, nodes: [{ id: '12D3KooWa', name: 'attic' }] };
const certificate: Certificate = { kind: 'certificate', cluster: key.cluster, incarnation: 1, term: 7, node: '12D3KooWa' };

test('what the cluster signed is read by whoever has its public key', () => {
  assert.deepEqual(openMembers(key.publicKey, sign(key, members)), members);
  assert.deepEqual(openCertificate(key.publicKey, sign(key, certificate)), certificate);
  assert.match(key.cluster, /^[a-z2-7]{26}$/);
  assert.equal(clusterId(key.publicKey), key.cluster);
});

test('a changed letter, another key, another cluster and another kind are all refused', () => {
  const signed = sign(key, members);
  assert.equal(openMembers(key.publicKey, { ...signed, payload: signed.payload.replace('"version":3', '"version":4') }), null);
  assert.equal(openMembers(makeClusterKey().publicKey, signed), null);
  assert.equal(openMembers(key.publicKey, sign(key, { ...members, cluster: makeClusterKey().cluster })), null);
  assert.equal(openCertificate(key.publicKey, signed), null);
  assert.equal(openTicket(key.publicKey, signed), null);
});

test('nonsense is refused without throwing', () => {
  for (const signed of [
    { payload: '', signature: '' },
    { payload: '{', signature: sign(key, members).signature },
    { payload: '{}', signature: '!!' },
  ])
    assert.equal(openMembers(key.publicKey, signed), null);
  assert.equal(openMembers('not a key', sign(key, members)), null);
});
