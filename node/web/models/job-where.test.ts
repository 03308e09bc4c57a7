import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SchedulingJob, SchedulingNode } from '../../core/refusals.ts';
import { whereView } from './job-where.ts';

const node: SchedulingNode = {
  id: 'a',
  name: 'atlas',
  standing: 'approved',
  present: true,
  paused: false,
  draining: false,
  schedule: [],
  minuteOfWeek: 0,
  slots: 1,
  busy: 0,
  asks: true,
  classes: [1, 2],
  encoders: [],
  freeBytes: null,
  local: ['root'],
  keeps: ['root'],
  speeds: {},
  mbps: null,
};
const job: SchedulingJob = {
  id: 7,
  class: 1,
  priority: 1,
  rank: 0,
  root: 'root',
  keeper: 'here',
  inputBytes: 1e9,
  pixels: null,
  encoder: 'auto',
};

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
