import type { Standing, Surroundings } from '../core/standing.ts';
import { running } from './running.ts';

/** What a running program says of itself, also while nobody coordinates. */
export interface Here {
  node: { id: string; name: string; version: string };
  standing: Standing;
  surroundings: Surroundings;
  /** the coordinator's dashboard is at hand */
  reached: boolean;
}

export type Program = { state: 'here'; here: Here } | { state: 'off' } | { state: 'silent' };

const PATIENCE_MS = 10_000;

/** The program of this data directory. 'silent': it is there, but answers neither at once nor soon. */
export async function findProgram(dataDir: string): Promise<Program> {
  try {
    const { api } = await running({ 'data-dir': dataDir }, PATIENCE_MS);
    return { state: 'here', here: await api<Here>('GET', '/node') };
  } catch (error) {
    // what it left behind when it was killed leads nowhere, which is told at once
    const silent = error instanceof Error && (error.cause as Error | undefined)?.name === 'TimeoutError';
    return { state: silent ? 'silent' : 'off' };
  }
}
