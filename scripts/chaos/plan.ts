import type { Random } from './random.ts';

/**
 * What shall go wrong, decided before anything runs: from one seed comes one list, whatever the machines do meanwhile. A
 * target 'coordinator' is whoever coordinates at that moment.
 */
export interface Fault {
  number: number;
  /** after the fault before it began */
  gapMs: number;
  kind: FaultKind;
  target: string;
  /** how long it stays */
  lastsMs: number;
  /** what a kind needs besides: how bad a line is, how far a clock is off, who is on the other side */
  amount: number;
  others: string[];
}

export type FaultKind = keyof typeof kinds;

interface Kind {
  weight: number;
  /** seconds that it stays, at least and at most */
  lasts: [number, number];
  /** only for machines with the database */
  candidates?: boolean;
  about: string;
}

export const kinds = {
  kill: { weight: 14, lasts: [0, 4], about: 'SIGKILL to the program; what it started lives on; started again' },
  power: { weight: 8, lasts: [1, 6], about: 'everything on the machine is gone at once; started again' },
  stop: { weight: 4, lasts: [0, 2], about: 'SIGTERM; started again' },
  freeze: { weight: 14, lasts: [1, 14], about: 'SIGSTOP to the program and all it started, then SIGCONT' },
  partition: { weight: 8, lasts: [2, 14], about: 'the mesh in two halves, the database reachable' },
  'cut-mesh': { weight: 8, lasts: [1, 14], about: 'one machine without the mesh, with the database' },
  'cut-database': { weight: 9, lasts: [1, 14], candidates: true, about: 'one machine without the database, with the mesh' },
  'cut-all': { weight: 5, lasts: [1, 14], about: 'one machine without any network' },
  'bad-line': { weight: 6, lasts: [3, 15], about: 'packets late and lost on the way of one machine' },
  'database-fast': { weight: 4, lasts: [0, 1], about: 'PostgreSQL stopped in order and started' },
  'database-crash': { weight: 4, lasts: [0, 1], about: 'PostgreSQL stopped at once (immediate) and recovered' },
  'database-outage': { weight: 3, lasts: [3, 12], about: 'the machine of PostgreSQL loses power for a while' },
  'database-freeze': { weight: 3, lasts: [1, 9], about: 'SIGSTOP to all of PostgreSQL' },
  'full-workspace': { weight: 6, lasts: [2, 10], about: 'no byte free where unfinished encodes are kept' },
  'full-library': { weight: 5, lasts: [2, 8], about: 'no byte free on the disk of the films' },
  clock: { weight: 6, lasts: [4, 20], about: 'the clock of one machine wrong by up to two days, either way' },
} as const satisfies Record<string, Kind>;

export interface Cast {
  machines: readonly string[];
  candidates: readonly string[];
  withWorkspace: readonly string[];
}

/** @param paceMs the mean time between two faults */
export function planFaults(random: Random, count: number, paceMs: number, cast: Cast): Fault[] {
  return Array.from({ length: count }, (_, index) => planOne(random, index + 1, paceMs, cast));
}

function planOne(random: Random, number: number, paceMs: number, cast: Cast): Fault {
  const names = (Object.keys(kinds) as FaultKind[]).filter((kind) => cast.machines.length > 1 || kind !== 'partition');
  const kind = weighted(random, names);
  const { lasts } = kinds[kind];
  const lastsMs = Math.round((lasts[0] + random.next() ** 2 * (lasts[1] - lasts[0])) * 1000);
  // every draw is made for every kind, so that a change of one kind does not shift the whole run
  const [gap, coordinator, amount] = [random.next(), random.chance(0.4), random.next()];
  const some = 'candidates' in kinds[kind] ? cast.candidates : kind === 'full-workspace' ? cast.withWorkspace : cast.machines;
  const target = random.pick(some);
  const others = random.shuffled(cast.machines).slice(0, Math.max(1, Math.floor(cast.machines.length / 2)));
  return {
    number,
    gapMs: Math.round(gap * 2 * paceMs),
    kind,
    target: coordinator && kind !== 'full-workspace' && kind !== 'bad-line' ? 'coordinator' : target,
    lastsMs,
    amount,
    others,
  };
}

function weighted(random: Random, names: readonly FaultKind[]): FaultKind {
  let left = random.next() * names.reduce((sum, name) => sum + kinds[name].weight, 0);
  for (const name of names) if ((left -= kinds[name].weight) < 0) return name;
  return names.at(-1)!;
}
