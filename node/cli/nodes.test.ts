import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlainError } from '../errors.ts';
import { findNode, nodeLines, type NodeAnswer } from './nodes.ts';

const node: NodeAnswer = {
  id: 'node-a',
  name: 'atlas',
  standing: 'approved',
  version: '0.1.0',
  platform: 'Linux x64',
  code: null,
  address: '192.168.1.10',
  coordinator: true,
  away: false,
  paused: false,
  draining: false,
  slots: 2,
  running: [7],
  tempBytes: 412e9,
  encoders: [
    { name: 'libx265', works: true },
    { name: 'hevc_qsv', works: false },
  ],
};

test('a machine is named by its name in any case, or by its id when two have one name', () => {
  const twins = [
    node,
    { ...node, id: 'node-b', name: 'Twin' },
    { ...node, id: 'node-c', name: 'twin' },
    { ...node, id: 'node-d', name: 'old', standing: 'revoked' },
    { ...node, id: 'node-e', name: 'atlas', standing: 'revoked' },
  ];
  assert.equal(findNode(twins, 'ATLAS').id, 'node-a');
  assert.equal(findNode(twins, 'node-c').id, 'node-c');
  assert.throws(
    () => findNode(twins, 'twin'),
    (e) => e instanceof PlainError && /node-b, node-c/.test(e.message),
  );
  assert.equal(findNode(twins, 'old').id, 'node-d', 'a removed machine can be approved again by its name');
  assert.throws(() => findNode(twins, 'older'), /There is no machine called older/);
});

test('the list shows first who asks, with the code to compare', () => {
  const lines = nodeLines([
    node,
    { ...node, id: 'x', name: 'basement', standing: 'pending', code: '4F29KQ', coordinator: false },
    { ...node, id: 'y', name: 'attic', standing: 'rejected' },
    { ...node, id: 'w', name: 'shed', standing: 'revoked' },
    { ...node, id: 'z', name: 'mac', coordinator: false, away: true, running: [], encoders: [], tempBytes: null },
  ]).split('\n');
  assert.deepEqual(lines, [
    '? basement wants to join from 192.168.1.10; code 4F29KQ. codecshift nodes approve basement',
    '* atlas (coordinator): working, 1 of 2 busy, libx265, 412 GB free, 0.1.0',
    '- mac: away, 0 of 2 busy, no encoder works, 0.1.0',
    'Rejected: attic',
    'Removed: shed',
  ]);
});

test('a machine that stands still says why; one that is away says nothing', () => {
  const conduct = { does: 'pause', reason: { sentence: 'Paused: on battery (64 %). Goes on when plugged in.' } };
  const lines = nodeLines([
    { ...node, conduct },
    { ...node, id: 'z', name: 'mac', away: true, conduct },
  ]).split('\n');
  assert.deepEqual(lines, [
    '* atlas (coordinator): paused, 1 of 2 busy, libx265, 412 GB free, 0.1.0',
    '    Paused: on battery (64 %). Goes on when plugged in.',
    '- mac (coordinator): away, 1 of 2 busy, libx265, 412 GB free, 0.1.0',
  ]);
});
