import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlainError } from '../errors.ts';
import { clusterProof, joinProof, newToken, parseToken, sameProof, secretHashOf } from './join-token.ts';
import { makeClusterKey } from './signing.ts';

const key = makeClusterKey();

test('a token carries its cluster and where it is found, with and without addresses', () => {
  for (const addresses of [[], ['10.0.0.5:8266', '[fe80::1]:8266', '/dns4/nas/tcp/8266']]) {
    const made = newToken(key.cluster, addresses);
    const read = parseToken(` ${made.token}\n`);
    assert.deepEqual([read.id, read.cluster, read.addresses], [made.id, key.cluster, addresses]);
    assert.equal(secretHashOf(read.secret), made.secretHash);
    assert.ok(!made.token.includes(made.secretHash));
  }
});

test('a damaged token is refused with a sentence that does not repeat the secret', () => {
  const { token } = newToken(key.cluster, ['10.0.0.5:8266']);
  const parts = token.split('.');
  const without = (n: number): string => parts.toSpliced(n, 1).join('.');
  const damaged = [
    '',
    'csj2.x',
    parts[2]!,
    parts.slice(0, 3).join('.'),
    ...[1, 2, 3].map(without),
    `${token}.more`,
    token.replace(parts[2]!, parts[2]!.slice(1)),
    [...parts.slice(0, 4), Buffer.from('{"not":"a list"}').toString('base64url')].join('.'),
    [...parts.slice(0, 4), Buffer.from('["cut o').toString('base64url')].join('.'),
    [...parts.slice(0, 4), Buffer.from(JSON.stringify(['x'.repeat(301)])).toString('base64url')].join('.'),
  ];
  for (const text of damaged) {
    assert.throws(
      () => parseToken(text),
      (error) => error instanceof PlainError && !error.message.includes(parts[2]!.slice(2, 40)),
      text,
    );
  }
});

test('both proofs are made from what is stored, and each fits one side, one cluster, one node and one token', () => {
  const token = newToken(key.cluster, []);
  const held = secretHashOf(parseToken(token.token).secret);
  const good = joinProof(held, key.publicKey, 'node');
  assert.ok(sameProof(good, joinProof(token.secretHash, key.publicKey, 'node')));
  for (const other of [
    clusterProof(held, key.publicKey, 'node'),
    joinProof(held, key.publicKey, 'node2'),
    joinProof(held, makeClusterKey().publicKey, 'node'),
    joinProof(newToken(key.cluster, []).secretHash, key.publicKey, 'node'),
    '',
    good.slice(1),
  ])
    assert.ok(!sameProof(good, other));
  assert.match(good, /^[0-9a-f]{64}$/);
});
