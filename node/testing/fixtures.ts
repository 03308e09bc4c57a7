import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';

/** What scripts/capture-probes.ts captured: real probes, and real pairs of an original and its conversion. */
const folder = join(import.meta.dirname, '../core/fixtures');

export interface Pair {
  name: string;
  plan: WorkPlan;
  original: Probe;
  output: Probe;
  originalBytes: number;
  outputBytes: number;
  /** decoded frames of original and output */
  frames: [number, number];
}

/** A fresh copy, so that a test may change it. */
export function capturedProbe(name: string): Probe {
  return read('probes', name) as Probe;
}

export function capturedPair(name: string): Pair {
  return { name, ...(read('pairs', name) as Omit<Pair, 'name'>) };
}

export const probeNames = names('probes');
export const pairNames = names('pairs');

function names(kind: string): string[] {
  return readdirSync(join(folder, kind))
    .map((file) => file.replace(/\.json$/, ''))
    .toSorted();
}

function read(kind: string, name: string): unknown {
  return JSON.parse(readFileSync(join(folder, kind, `${name}.json`), 'utf8'));
}
