import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOfTheNetwork } from './last-resort.ts';

const stack = (...frames: string[]): Error =>
  Object.assign(new Error('x'), {
    stack: ['StreamStateError: Cannot write to a stream that is closed', ...frames.map((f) => `    at ${f}`)].join('\n'),
  });
const muxer = 'YamuxMuxer.abort (file:///home/a/codecshift/node_modules/@libp2p/yamux/dist/src/muxer.js:211:18)';
const event = '[nodejs.internal.kHybridDispatch] (node:internal/event_target:872:20)';

test('only what lies wholly inside the libraries of the network is survived', () => {
  assert.equal(isOfTheNetwork(stack(muxer, event)), true);
  assert.equal(isOfTheNetwork(stack(muxer, 'take (file:///home/a/codecshift/node/mesh/encounter.ts:88:5)', event)), false);
  assert.equal(isOfTheNetwork(stack('Pool.end (file:///home/a/codecshift/node_modules/pg/lib/index.js:1:1)')), false);
  assert.equal(isOfTheNetwork(stack(event)), false);
  for (const odd of [null, undefined, 'text', {}, { stack: 7 }]) assert.equal(isOfTheNetwork(odd), false);
});
