import { seeded } from '../chaos/random.ts';
import { kinds } from './kinds.ts';
import { mayMount, openPlace, removeDeadPlaces, type Place, type PlaceName } from './places.ts';

/** What a run found: how often each fault struck on each kind of disk, how the films ended, and everything that was wrong. */
export interface Tally {
  faults: number;
  /** by kind and place, then by ending */
  cells: Record<string, Record<string, number>>;
  /** by kind, the points or calls that were struck */
  points: Record<string, string[]>;
  failures: { kind: string; place: string; seed: number; message: string }[];
}

export interface RunOptions {
  faults: number;
  seed: number;
  /** of the kinds; all that this machine can do when left out */
  only?: string[];
  say?: (soFar: Tally) => void;
}

/** Strikes until so many faults have struck. Each round has a seed of its own, so that one failure can be repeated alone. */
export async function runFaults(options: RunOptions): Promise<Tally> {
  const tally: Tally = { faults: 0, cells: {}, points: {}, failures: [] };
  const places = new Map<PlaceName, Place>();
  removeDeadPlaces();
  const wheel = possible(options.only);
  if (wheel.length === 0) throw new Error('none of these faults can be made here');
  try {
    for (let round = 0; tally.faults < options.faults; round++) {
      const seed = options.seed * 1_000_003 + round;
      const random = seeded(seed);
      const { kind, place } = random.pick(wheel);
      await strike(tally, places, kind, place, seed);
      options.say?.(tally);
      if (tally.failures.length > 20) break;
    }
  } finally {
    for (const place of places.values()) place.close();
  }
  return tally;
}

async function strike(tally: Tally, places: Map<PlaceName, Place>, kind: string, name: PlaceName, seed: number): Promise<void> {
  const random = seeded(seed ^ 0x5bd1e995);
  try {
    const place = places.get(name) ?? (await openPlace(name));
    places.set(name, place);
    for (const { point, ending } of await kinds[kind]!.strike(place, random)) {
      tally.faults++;
      const cell = (tally.cells[`${kind} | ${name}`] ??= {});
      cell[ending] = (cell[ending] ?? 0) + 1;
      const points = (tally.points[kind] ??= []);
      if (!points.includes(point)) points.push(point);
    }
  } catch (error) {
    tally.failures.push({ kind, place: name, seed, message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    // what lies there now says nothing about the next
    places.get(name)?.close();
    places.delete(name);
  }
}

/** Each pair of kind and place as often as its weight says. */
function possible(only?: string[]): { kind: string; place: PlaceName }[] {
  return Object.entries(kinds)
    .filter(([kind]) => !only || only.includes(kind))
    .flatMap(([kind, { places, weight }]) => {
      const here = places.filter((place) => place === 'disk' || mayMount);
      // one strike of a batch is many faults
      const rounds = Math.max(1, Math.round((weight * 12) / ((batches[kind] ?? 1) * here.length)));
      return here.flatMap((place) => Array.from({ length: rounds }, () => ({ kind, place })));
    });
}

const batches: Record<string, number> = { killed: 16, 'killed anywhere': 8, 'killed twice': 4 };

export function merged(all: Tally[]): Tally {
  const sum: Tally = { faults: 0, cells: {}, points: {}, failures: [] };
  for (const one of all) {
    sum.faults += one.faults;
    sum.failures.push(...one.failures);
    for (const [kind, points] of Object.entries(one.points)) sum.points[kind] = [...new Set([...(sum.points[kind] ?? []), ...points])];
    for (const [name, cell] of Object.entries(one.cells)) {
      const into = (sum.cells[name] ??= {});
      for (const [ending, n] of Object.entries(cell)) into[ending] = (into[ending] ?? 0) + n;
    }
  }
  return sum;
}

export function table({ cells, points, faults, failures }: Tally): string {
  const lines = Object.entries(cells)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, cell]) => {
      const all = Object.values(cell).reduce((sum, n) => sum + n, 0);
      return `| ${name} | ${all} | ${cell['done'] ?? 0} | ${cell['changed'] ?? 0} |`;
    });
  const kindsStruck = Object.entries(points).map(([kind, list]) => `${kind}: ${list.length} different points`);
  return [
    '| fault | on | faults | done in the end | left alone, changed by a stranger |',
    '|---|---|---|---|---|',
    ...lines,
    '',
    kindsStruck.join('; '),
    `${faults} faults, ${failures.length} failures`,
    '',
  ].join('\n');
}
