import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { commitOf, pairingCode } from './pairing-code.ts';

const parts = { publicKey: 'key of the cluster', node: '12D3KooWa', reveal: 'reveal', nonce: 'nonce' };

test('both sides make the same six characters, none of which looks like another', () => {
  assert.equal(pairingCode(parts), pairingCode({ ...parts }));
  for (let i = 0; i < 500; i++) assert.match(pairingCode({ ...parts, nonce: String(i) }), /^[2-9A-HJ-NP-Z]{6}$/);
});

test('the code is what other versions of the program make of the same parts', () => {
  assert.equal(pairingCode(parts), 'RSPYDR');
});

test('every part counts, and no part can pass for a piece of its neighbour', () => {
  const codes = [
    parts,
    { ...parts, publicKey: 'another key' },
    { ...parts, node: '12D3KooWb' },
    { ...parts, reveal: 'reveal2' },
    { ...parts, nonce: 'nonce2' },
    { ...parts, reveal: 'reveal5:nonce', nonce: '' },
    { ...parts, reveal: 'revealn', nonce: 'once' },
  ].map(pairingCode);
  assert.equal(new Set(codes).size, codes.length);
});

test('all 32 letters come up about equally often', () => {
  const seen = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    for (const letter of pairingCode({ ...parts, nonce: String(i) })) seen.set(letter, (seen.get(letter) ?? 0) + 1);
  }
  assert.equal(seen.size, 32);
  for (const times of seen.values()) assert.ok(times > 600 && times < 900, String(times));
});

test('a man in the middle who swaps the keys makes the two sides show different codes', () => {
  // he speaks as a joiner to the cluster and as a cluster to the joiner, and may choose what is his own: two keys, a
  // reveal, a nonce. The order of the messages fixes each before it sees what it would have to fit.
  const joiner = { node: 'joiner', reveal: 'secret of the joiner' };
  const cluster = { publicKey: 'true key', nonce: 'nonce of the cluster' };
  const his = { node: 'middle', reveal: 'his reveal', publicKey: 'his key', nonce: 'his nonce' };
  const onTheConsole = pairingCode({ publicKey: his.publicKey, nonce: his.nonce, ...joiner });
  const onThePage = pairingCode({ ...cluster, node: his.node, reveal: his.reveal });
  assert.notEqual(onTheConsole, onThePage);
});

test('a commit is the SHA-256 of what is revealed later', () => {
  assert.equal(commitOf('reveal'), createHash('sha256').update('reveal').digest('hex'));
});
