import type { SchedulingJob, SchedulingNode } from '../core/refusals.ts';

/** What the scheduler knows of a machine and of a job, for tests that change one thing of it. */

export const libx265 = { name: 'libx265', device: null, works: true, tenBit: true, hardware: false, reason: null, testedAt: '' };
export const nvenc = { ...libx265, name: 'hevc_nvenc', device: '0', hardware: true };

/** An idle machine that sees the films and may do everything. */
export function aNode(change: Partial<SchedulingNode> = {}): SchedulingNode {
  const id = change.id ?? 'a';
  return {
    id,
    name: id.toUpperCase(),
    standing: 'approved',
    present: true,
    paused: false,
    draining: false,
    schedule: [],
    minuteOfWeek: 0,
    slots: 1,
    busy: 0,
    asks: true,
    classes: [0, 1, 2],
    encoders: [libx265],
    freeBytes: 1e12,
    local: ['films'],
    keeps: ['films'],
    speeds: {},
    mbps: null,
    ...change,
  };
}

export function aJob(change: Partial<SchedulingJob> = {}): SchedulingJob {
  return {
    id: 1,
    class: 1,
    priority: 1,
    rank: -1,
    root: 'films',
    keeper: 'here',
    inputBytes: 1e9,
    pixels: 1000,
    encoder: 'auto',
    ...change,
  };
}
