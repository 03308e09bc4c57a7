import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aJob, aNode } from '../../testing/schedule-samples.ts';
import { whereView } from './job-where.ts';

const node = aNode({ name: 'atlas', classes: [1, 2], encoders: [], freeBytes: null, local: ['root'], keeps: ['root'] });
const job = aJob({ id: 7, rank: 0, root: 'root', pixels: null });

test('each member says yes or why not, those that can come first, strangers are no answer', () => {
  const nodes = [
    { ...node, id: 'b', name: 'nuc', paused: true },
    { ...node, id: 'c', name: 'tower', busy: 1 },
    { ...node, id: 'd', name: 'mac', local: [], keeps: [] },
    { ...node, id: 'e', name: 'basement', standing: 'pending' as const },
    node,
  ];
  assert.deepEqual(
    whereView({ nodes, job }).where.map((line) => [line.name, line.can, line.text]),
    [
      ['mac', true, 'Yes, the film comes over the network.'],
      ['atlas', true, 'Yes, the film is on its own disk.'],
      ['nuc', false, 'nuc is paused.'],
      ['tower', false, 'tower is busy: all of its slots (1) are taken.'],
    ],
  );
  assert.deepEqual(whereView(null), { where: [] });
});
