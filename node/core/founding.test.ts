import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decideFounding, dissolves, founding, listenMsOf } from './founding.ts';
import type { Around, FoundingFacts } from './founding.ts';

const facts = (some: Partial<FoundingFacts> = {}): FoundingFacts => ({
  self: 'm',
  mode: 'auto',
  token: null,
  wanted: null,
  own: false,
  lookedMs: 5000,
  silentPeers: 0,
  unanswered: 0,
  around: [],
  asked: null,
  claiming: false,
  ...some,
});
const lobby = (node: string, some: Partial<Around> = {}): Around => ({
  node,
  named: false,
  cluster: null,
  silentMs: 100,
  claimingMs: null,
  told: true,
  ...some,
});
const cluster = (id: string, nodes = 1, established = true): Partial<Around> => ({ cluster: { id, established, nodes } });
const decide = (some: Partial<FoundingFacts>): string => {
  const { do: what, ...rest } = decideFounding(facts(some)) as { do: string; why?: string; cluster?: string; others?: number };
  return [what, rest.cluster, rest.why].filter(Boolean).join(' ');
};

suite('a machine without a cluster', () => {
  test('founds at once when a person wants a new one, or one of its own', () => {
    assert.equal(decide({ mode: 'new', lookedMs: 0, around: [lobby('a', cluster('x'))] }), 'found new');
    assert.equal(decide({ own: true, token: 'x', mode: 'join', lookedMs: 0 }), 'found own');
  });

  test('asks only the cluster of its token, or the one that a person chose, for as long as it takes', () => {
    for (const around of [[], [lobby('a', cluster('x', 9))]]) {
      assert.equal(decide({ token: 't', around, lookedMs: 1e9, mode: 'new' }), 'ask t token');
      assert.equal(decide({ wanted: 'w', around, lookedMs: 1e9 }), 'ask w wanted');
    }
  });

  test('listens first, and longer when machines were named that do not answer yet', () => {
    assert.equal(decide({ lookedMs: 2999 }), 'wait listening');
    assert.equal(decide({ lookedMs: 29_999, silentPeers: 1 }), 'wait peers');
    assert.equal(decide({ lookedMs: 30_001, silentPeers: 1 }), 'claim');
    assert.equal(decide({ lookedMs: 9000, unanswered: 1 }), 'wait listening');
    assert.equal(decide({ lookedMs: 10_001, unanswered: 1 }), 'claim');
    assert.ok(listenMsOf('a') >= 3000 && listenMsOf('12D3KooW') < 4000);
  });

  test('never founds when it shall only join', () => {
    assert.equal(decide({ mode: 'join', lookedMs: 1e9 }), 'wait join');
    assert.equal(decide({ mode: 'join', lookedMs: 1e9, around: [lobby('a')] }), 'wait join');
    assert.equal(decide({ mode: 'join', around: [lobby('a', cluster('x'))] }), 'ask x only');
  });

  test('asks a cluster that is here instead of founding, and goes on when its lobby vanishes', () => {
    assert.equal(decide({ around: [lobby('a', cluster('x'))] }), 'ask x only');
    assert.equal(decide({ around: [lobby('a', cluster('x', 1, false))] }), 'ask x only');
    const asked = { cluster: 'x', established: true, goneMs: 1e9 };
    assert.equal(decide({ asked }), 'ask x asked');
    assert.equal(decide({ asked: { ...asked, goneMs: 1000 }, around: [lobby('b', cluster('y'))] }), 'ask x asked');
    assert.equal(decide({ asked, around: [lobby('b', cluster('y'))] }), 'ask x asked');
    const empty = { ...asked, established: false };
    assert.equal(decide({ asked: empty, around: [lobby('b', cluster('y'))] }), 'ask y only');
    assert.equal(decide({ asked: empty }), 'claim');
    assert.equal(decide({ asked: empty, mode: 'join' }), 'ask x asked');
    assert.equal(decide({ asked: { ...asked, established: false, goneMs: 1000 } }), 'ask x asked');
  });

  test('among several takes the named one, then one with a history, then the largest, then the smaller id, and counts the others', () => {
    const two = [lobby('a', cluster('x', 2)), lobby('b', cluster('y', 5)), lobby('c', cluster('y', 4))];
    assert.equal(decide({ around: two }), 'ask y largest');
    assert.equal(decide({ around: [...two, lobby('d', { ...cluster('x', 2), named: true })] }), 'ask x named');
    assert.equal(decide({ around: [lobby('a', cluster('x', 9, false)), lobby('b', cluster('y', 1))] }), 'ask y established');
    assert.equal(decide({ around: [lobby('a', cluster('y', 3)), lobby('b', cluster('x', 3))] }), 'ask x smaller-id');
    assert.deepEqual(decideFounding(facts({ around: two })), { do: 'ask', cluster: 'y', why: 'largest', others: 1 });
  });

  test('collects clusters for a moment, and waits for a named machine before it asks another cluster', () => {
    const around = [lobby('a', cluster('x'))];
    assert.equal(decide({ around, lookedMs: 1000 }), 'wait listening');
    assert.equal(decide({ around, silentPeers: 1 }), 'wait peers');
    assert.equal(decide({ around: [lobby('a', { ...cluster('x'), named: true })], silentPeers: 1, lookedMs: 10 }), 'ask x only');
  });

  test('claims before it founds, and founds when everybody near knows and nobody else claims', () => {
    assert.equal(decide({}), 'claim');
    assert.equal(decide({ claiming: true }), 'found alone');
    assert.equal(decide({ claiming: true, around: [lobby('a', { told: false })] }), 'claim');
    assert.equal(decide({ claiming: true, around: [lobby('a'), lobby('z')] }), 'found alone');
  });

  test('lets another one found, for a while', () => {
    const claims = (node: string, some: Partial<Around> = {}): Around[] => [lobby(node, { claimingMs: 10, ...some })];
    assert.equal(decide({ around: claims('z') }), 'wait another');
    assert.equal(decide({ around: claims('a'), claiming: true }), 'wait another');
    assert.equal(decide({ around: claims('z'), claiming: true }), 'claim');
    assert.equal(decide({ around: claims('a', { silentMs: founding.claimSilentMs }), claiming: true }), 'found alone');
    assert.equal(decide({ around: claims('a', { claimingMs: founding.patienceMs }), claiming: true }), 'found alone');
  });
});

test('of two clusters that meet, at most one dissolves, and never one with a history', () => {
  const sides = [
    { id: 'a', established: false },
    { id: 'b', established: false },
    { id: 'a', established: true },
    { id: 'b', established: true },
  ];
  for (const mine of sides) {
    for (const other of sides) {
      const [one, two] = [dissolves({ mine, other }), dissolves({ mine: other, other: mine })];
      assert.ok(!(one && two));
      if (mine.established) assert.equal(one, false);
      if (mine.id !== other.id && !(mine.established && other.established)) assert.ok(one || two);
    }
  }
  assert.equal(dissolves({ mine: { id: 'b', established: false }, other: { id: 'a', established: false } }), true);
});
