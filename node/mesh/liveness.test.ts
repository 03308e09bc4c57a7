import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quiet } from '../testing/mesh-nodes.ts';
import type { Link } from './links.ts';
import { createMender } from './liveness.ts';

test('a connection on which gossip has died in one direction is ended after one round of grace, a sound one never', () => {
  const ended: string[] = [];
  const stream = (direction: string, status = 'open') => ({ protocol: '/meshsub/1.2.0', direction, status });
  const link = (node: string, streams: object[]): Link =>
    ({ node, connection: { streams, abort: () => ended.push(node) } }) as unknown as Link;
  const links = [
    link('sound', [stream('inbound'), stream('outbound')]),
    link('deaf', [stream('inbound', 'closed'), stream('outbound')]),
    link('mute', [stream('inbound'), { protocol: '/codecshift/claim/1', direction: 'outbound', status: 'open' }]),
  ];
  const mender = createMender({ links: { all: () => links }, log: quiet });
  mender.look();
  assert.deepEqual(ended, []);
  mender.look();
  assert.deepEqual(ended, ['deaf', 'mute']);
});
