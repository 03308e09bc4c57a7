import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeLeftover, type KnownAttempt, type LeftoverFacts } from './leftover.ts';

const members = new Set(['node-a']);
const over: KnownAttempt = { alive: false, nodes: ['node-a'] };
const ours: LeftoverFacts = { evidence: 'output', attempt: 5, node: 'node-a', busy: false };
const standing = (change: Partial<LeftoverFacts>, known: KnownAttempt = over): string =>
  judgeLeftover({ ...ours, ...change }, known, members).standing;

test('only what is provably ours and over by the books may be deleted without a question', () => {
  assert.equal(standing({}), 'dead');
  assert.equal(standing({ evidence: 'lock' }), 'dead');
  assert.equal(standing({}, { alive: true, nodes: ['node-a'] }), 'live');
  assert.equal(standing({ busy: true }), 'live');
  assert.equal(standing({ evidence: 'swap' }), 'live');
});

test('an attempt that the books do not know, or of a machine that is not of this cluster, is a person’s decision', () => {
  assert.equal(standing({}, null), 'ask');
  assert.equal(standing({ node: 'of-another-cluster' }), 'ask');
  assert.equal(standing({ node: 'removed-since' }, { alive: false, nodes: ['removed-since'] }), 'dead');
  assert.equal(standing({ evidence: 'strange-tmp', attempt: null, node: null }, null), 'ask');
  assert.equal(standing({ evidence: 'strange-lock', attempt: null, node: null }, null), 'ask');
});

test('no evidence of the keeper can make a living attempt’s file anything else than untouchable', () => {
  for (const evidence of ['output', 'lock', 'swap'] as const)
    for (const node of ['node-a', 'x', null])
      assert.equal(judgeLeftover({ evidence, attempt: 5, node, busy: false }, { alive: true, nodes: [] }, members).standing, 'live');
});

test('every judgement comes with a sentence', () => {
  for (const evidence of ['swap', 'output', 'lock', 'strange-lock', 'strange-tmp'] as const)
    for (const known of [null, over]) assert.match(judgeLeftover({ ...ours, evidence }, known, members).why, /^[A-Z].*\.$/);
});
