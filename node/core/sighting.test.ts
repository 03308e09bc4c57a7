import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeTrouble } from './sighting.ts';

test('a machine that is spoken to needs no sentence', () => {
  assert.equal(describeTrouble('nas', { state: 'connected' }), '');
  assert.equal(describeTrouble('nas', { state: 'connecting' }), '');
});

test('a machine that cannot be reached is told with the addresses that were tried and what helps', () => {
  const tried = ['a', 'b', 'c', 'd'].map((address) => ({ address: `${address}:1`, why: 'no answer' }));
  const says = describeTrouble('nas', { state: 'unreachable', tried });
  assert.match(says, /^nas cannot be reached at a:1 \(no answer\), b:1 \(no answer\), c:1 \(no answer\) and 1 more\. .*firewall/);
  assert.match(describeTrouble('nas', { state: 'unreachable', tried: [] }), /--peer/);
});

test('a clock that is wrong is told in units a person thinks in, with its direction', () => {
  assert.match(describeTrouble('nas', { state: 'clock', clockMs: -180_000 }), /3 minutes behind/);
  assert.match(describeTrouble('nas', { state: 'clock', clockMs: 7_200_000 }), /2 hours ahead of/);
  assert.match(describeTrouble('nas', { state: 'clock', clockMs: 8_640_000_00 }), /10 days ahead of/);
});
