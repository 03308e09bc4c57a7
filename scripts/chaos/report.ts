import type { Happened } from './faults.ts';
import type { SelfEnd } from './keep-going.ts';
import type { Judged } from './findings.ts';
import type { Fault } from './plan.ts';
import type { Wish } from './run.ts';
import type { Reign } from './watch.ts';

export interface Outcome {
  wish: Wish;
  seconds: number;
  films: number;
  happened: Happened[];
  passedOver: Fault[];
  reigns: Reign[];
  firstGrants: { term: number; at: number }[];
  ends: SelfEnd[];
  byHand: number;
  judged: Judged;
  /** why the run did not come to its end */
  problem: string | null;
  /** where every word of the run and its machines is kept */
  logs: string;
}

/** Nothing is wrong. */
export function isGood(outcome: Outcome): boolean {
  return outcome.problem === null && outcome.judged.findings.length === 0 && outcome.ends.every(({ crash }) => !crash);
}

/** The report of a run, for a terminal. */
export function report(outcome: Outcome): string {
  const { happened, judged, wish } = outcome;
  const kinds = Map.groupBy(happened, ({ kind }) => kind);
  const lines = [
    '',
    `Seed ${wish.seed}: ${happened.length} faults on ${wish.nodes} machines (${wish.candidates} with the database), ${outcome.films} films, ${Math.round(outcome.seconds)} s`,
    `  faults      ${[...kinds]
      .toSorted((a, b) => b[1].length - a[1].length)
      .map(([kind, list]) => `${kind} ${list.length}`)
      .join(', ')}${outcome.passedOver.length ? `; ${outcome.passedOver.length} passed over` : ''}`,
    `  terms       ${outcome.reigns.length} (last ${outcome.reigns.at(-1)?.term ?? 'none'})`,
    ...failovers(outcome).map((line) => `  ${line}`),
    ...grouped(judged.figures).map((line) => `  ${line}`),
    `  by hand     ${outcome.byHand} times "try again"`,
    `  own ends    ${outcome.ends.length === 0 ? 'none' : outcome.ends.map(({ machine, crash }) => `${machine}${crash ? ' (crash)' : ''}`).join(', ')}`,
  ];
  if (isGood(outcome)) return [...lines, 'Every film is unharmed, every job ended once, books and disk agree.', ''].join('\n');
  const wrong = [
    ...(outcome.problem ? [outcome.problem] : []),
    ...judged.findings.map(({ about, says }) => `${about}: ${says}`),
    ...outcome.ends.filter(({ crash }) => crash).map(({ machine, said }) => `${machine} crashed: ${said}`),
  ];
  return [
    ...lines,
    `WRONG (${wrong.length}):`,
    ...wrong.map((line) => `  - ${line}`),
    `Everything that was said is in ${outcome.logs}`,
    `Again: node scripts/node.cjs scripts/chaos.ts --nodes ${wish.nodes} --candidates ${wish.candidates} --faults ${wish.faults} --seed ${wish.seed} --pace ${wish.paceMs}`,
    '',
  ].join('\n');
}

/** From a fault that struck the coordinator (or its database) to the next term, and to that term's first job. */
export function failoverTimes(
  outcome: Pick<Outcome, 'happened' | 'reigns' | 'firstGrants'>,
): Map<string, { electedMs: number[]; grantMs: number[] }> {
  const times = new Map<string, { electedMs: number[]; grantMs: number[] }>();
  for (const fault of outcome.happened) {
    if (fault.term === null || !/^(kill|power|stop|freeze|cut-database|cut-all|database-.*)$/.test(fault.kind)) continue;
    const next = outcome.reigns.find(({ term, at }) => term > fault.term! && at >= fault.at);
    // a later fault of the same term is the one that ended it
    const later = outcome.happened.some((other) => other.term === fault.term && other.at > fault.at && (!next || other.at < next.at));
    if (!next || later) continue;
    const grant = outcome.firstGrants.find(({ term }) => term >= next.term);
    const kind = times.get(fault.kind) ?? { electedMs: [], grantMs: [] };
    kind.electedMs.push(next.at - fault.at);
    if (grant) kind.grantMs.push(grant.at - fault.at);
    times.set(fault.kind, kind);
  }
  return times;
}

function failovers(outcome: Outcome): string[] {
  return [...failoverTimes(outcome)].map(
    ([kind, { electedMs, grantMs }]) => `after ${kind.padEnd(16)} next term ${spread(electedMs)}, its first job ${spread(grantMs)}`,
  );
}

function spread(list: number[]): string {
  if (list.length === 0) return 'none';
  const sorted = list.toSorted((a, b) => a - b).map((ms) => (ms / 1000).toFixed(1));
  return sorted.length < 3
    ? `${sorted.join(', ')} s`
    : `${sorted[0]} / ${sorted[sorted.length >> 1]} / ${sorted.at(-1)} s (${sorted.length})`;
}

/** "jobs replaced: 40" and its kin in one line each. */
function grouped(figures: Judged['figures']): string[] {
  const groups = Map.groupBy(Object.entries(figures), ([key]) => key.slice(0, key.lastIndexOf(' ')));
  return [...groups].map(
    ([group, list]) => `${group.padEnd(11)} ${list.map(([key, n]) => `${key.slice(group.length + 1)} ${n}`).join(', ')}`,
  );
}
