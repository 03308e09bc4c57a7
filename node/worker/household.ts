import { minuteOfWeek } from '../core/hours.ts';
import { defaultManners, type Manners } from '../core/manner-wishes.ts';
import { behave, freshMind, nothingFelt, unrestrained, type Conduct, type Mind } from '../core/manners.ts';
import type { Window } from '../core/node-wishes.ts';
import type { Reason } from '../core/reasons.ts';
import type { ConductReport } from '../mesh/messages.ts';
import type { Awake } from './awake.ts';
import type { Felt, Feeler } from './senses.ts';

/**
 * The node as a guest in its house: looks every few seconds how the machine is, keeps in mind what was felt before, and
 * tells whoever listens when that changes what may be done. Decides nothing itself: core/manners.ts does.
 *
 *   look ─▶ senses ─┐
 *   wishes, hours ──┴▶ behave ─▶ conduct changed? ─▶ the worker pauses, goes on; the mesh is told
 *
 * While nothing is to do it looks rarely: what a person sees of a resting machine may be a minute old.
 */
export interface Household {
  /** resolves after the first look, which is bounded in time */
  start(): Promise<void>;
  stop(): void;
  wish(manners: Manners, schedule: readonly Window[]): void;
  manners(): Manners;
  conduct(): Conduct;
  /** for the mesh: what is done, what is felt, what cannot be felt */
  report(): ConductReport;
  onChange(listener: (conduct: Conduct) => void): void;
  /** encodes run now, or none does */
  encoding(yes: boolean): void;
}

export interface HouseholdParts {
  feeler: Feeler;
  awake: Awake;
  /** why no film may be opened on this machine: its ffmpeg has a known hole */
  refused?: () => Reason | null;
  everyMs?: number;
  /** whether a running encode can be stopped in place; left out: as the platform can */
  standsStill?: boolean;
  /** for tests: milliseconds since 1970, and monotonic ones */
  clock?: { wall: () => number; monotonic: () => number };
}

const EVERY_MS = 15_000;
/** While nothing runs, only every so many turns. */
const RARELY = 4;

export function createHousehold(parts: HouseholdParts): Household {
  const clock = parts.clock ?? { wall: Date.now, monotonic: () => performance.now() };
  const standsStill = parts.standsStill ?? process.platform !== 'win32';
  const listeners: ((conduct: Conduct) => void)[] = [];
  let wishes: Manners = defaultManners;
  let schedule: readonly Window[] = [];
  let mind: Mind = freshMind;
  let conduct: Conduct = unrestrained;
  let felt: Felt = { senses: nothingFelt, lacks: [] };
  let busy = false;
  let looking: Promise<void> | null = null;
  let turns = 0;
  let timer: NodeJS.Timeout | undefined;

  return {
    start() {
      timer = setInterval(turn, parts.everyMs ?? EVERY_MS);
      timer.unref();
      return look();
    },
    stop() {
      clearInterval(timer);
      parts.awake.stop();
    },
    wish(manners, hours) {
      const changed = JSON.stringify([manners, hours]) !== JSON.stringify([wishes, schedule]);
      const lookAnew = manners.whenUsed !== 'run' && wishes.whenUsed === 'run';
      [wishes, schedule] = [manners, hours];
      if (!changed) return;
      // who changed a wish wants to see it obeyed now
      mind = freshMind;
      keepAwake();
      decide();
      if (lookAnew) void look();
    },
    manners: () => wishes,
    conduct: () => conduct,
    report: () => ({
      ...conduct,
      onBattery: felt.senses.onBattery,
      batteryPercent: felt.senses.batteryPercent,
      celsius: felt.senses.celsius === null ? null : Math.round(felt.senses.celsius),
      lacks: lacks(),
    }),
    onChange: (listener) => void listeners.push(listener),
    encoding(yes) {
      const begins = yes && !busy;
      busy = yes;
      keepAwake();
      if (begins) void look();
    },
  };

  function turn(): void {
    turns++;
    if (busy || conduct.does !== 'run' || conduct.atOnce !== null || turns % RARELY === 0) void look();
    // hours begin and end by the clock alone
    else decide();
  }

  function look(): Promise<void> {
    looking ??= parts.feeler.feel({ use: wishes.whenUsed !== 'run' }).then((now) => {
      looking = null;
      felt = now;
      decide();
    });
    return looking;
  }

  function decide(): void {
    const now = clock.wall();
    const at = clock.monotonic();
    const minute = minuteOfWeek(now, -new Date(now).getTimezoneOffset());
    const next = behave(mind, { senses: felt.senses, at, schedule, minuteOfWeek: minute, refused: parts.refused?.() ?? null }, wishes);
    mind = next.mind;
    const before = conduct;
    conduct = !standsStill && next.conduct.does === 'pause' ? { ...next.conduct, does: 'begin-nothing' } : next.conduct;
    if (JSON.stringify(before) === JSON.stringify(conduct)) return;
    for (const listener of listeners) listener(conduct);
  }

  function keepAwake(): void {
    if (busy && wishes.keepAwake) parts.awake.hold();
    else parts.awake.release();
  }

  function lacks(): string[] {
    const problem = wishes.keepAwake ? parts.awake.problem() : null;
    const still = standsStill ? [] : ['A running encode cannot stand still on this system: it is finished, and nothing new begins.'];
    return [...still, ...felt.lacks, ...(problem ? [problem] : [])].map((lack) => lack.slice(0, 300)).slice(0, 8);
  }
}
