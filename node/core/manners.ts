import { describeWindows, isOpen, opensAt } from './hours.ts';
import type { Manners } from './manner-wishes.ts';
import type { Window } from './node-wishes.ts';
import type { Reason } from './reasons.ts';

/**
 * What a considerate machine does now: run, begin nothing new, or stand still, and why in words. Facts come from the
 * node's senses every few seconds and are noisy, so each condition is a latch that turns only after it was felt for a
 * while without a break, and lets go only well on the other side of its limit. What is not known never pauses anything.
 *
 *             felt for `on` ms                     pause    battery · heat · use (pause) · hours over (pause)
 *   latch off ───────────────▶ on                  begin nothing new    hours over (finish)
 *             ◀───────────────                     run, one at once     use (fewer)
 *          not felt for `off` ms                   run
 */
export interface Senses {
  onBattery: boolean | null;
  /** 0 … 100 */
  batteryPercent: number | null;
  /** of the hottest processor or graphics chip */
  celsius: number | null;
  /** degrees that are left to the nearest critical point of such a chip */
  marginCelsius: number | null;
  /** the system itself says that it is too hot, where it tells no degrees */
  heatWarning: boolean | null;
  /** milliseconds since a person last touched it */
  idleMs: number | null;
}

export const nothingFelt: Senses = {
  onBattery: null,
  batteryPercent: null,
  celsius: null,
  marginCelsius: null,
  heatWarning: null,
  idleMs: null,
};

export interface Conduct {
  does: 'run' | 'begin-nothing' | 'pause';
  /** encodes at once, where that is fewer than a person allows otherwise */
  atOnce: 1 | null;
  /** null only while it runs without any restraint */
  reason: Reason | null;
}

export const unrestrained: Conduct = { does: 'run', atOnce: null, reason: null };

/** What was felt before, to be handed in again. Plain data; `freshMind` at the start and when the wishes changed. */
export interface Mind {
  battery: Latch | null;
  heat: Latch | null;
  use: Latch | null;
}

interface Latch {
  on: boolean;
  /** since when the opposite is felt without a break */
  turning: number | null;
}

export const freshMind: Mind = { battery: null, heat: null, use: null };

export interface Moment {
  senses: Senses;
  /** monotonic milliseconds */
  at: number;
  schedule: readonly Window[];
  /** by the node's own clock, from `minuteOfWeek` of core/hours.ts */
  minuteOfWeek: number;
  /** why no film may be opened here at all; left out: they may */
  refused?: Reason | null;
}

/** How long a condition must be felt, and how long it must be gone, in milliseconds. */
const patience = {
  // a plug that is pulled and put back at once is no reason
  battery: { on: 10_000, off: 20_000 },
  // boosts reach the limit for seconds and are meant to; cooling down takes minutes
  heat: { on: 25_000, off: 90_000 },
  // a person who sits down must not wait
  use: { on: 0, off: 25_000 },
};
/** Charge has to be so much above the limit before it lets go, in percent. */
const CHARGE_SLACK = 3;
/** So near to its critical point a machine is too hot; so far away it has cooled down. */
const MARGIN = { hot: 3, cool: 12 };
/** Below a limit in degrees that a person set, before it lets go. */
const COOLER_BY = 8;

/** The next state of mind, and what to do. */
export function behave(mind: Mind, moment: Moment, wishes: Manners): { mind: Mind; conduct: Conduct } {
  const { senses, at } = moment;
  const next: Mind = {
    battery: turn(mind.battery, lowOnBattery(senses, wishes, mind.battery?.on ?? false), at, patience.battery),
    heat: turn(mind.heat, tooHot(senses, wishes, mind.heat?.on ?? false), at, patience.heat),
    use: turn(mind.use, inUse(senses, wishes), at, patience.use),
  };
  return { mind: next, conduct: decide(next, moment, wishes) };
}

function decide(mind: Mind, { senses, schedule, minuteOfWeek, refused }: Moment, wishes: Manners): Conduct {
  if (refused) return pause(refused);
  if (mind.battery?.on) return pause({ code: 'on-battery', params: known({ percent: senses.batteryPercent }) });
  if (mind.heat?.on) return pause({ code: 'too-hot', params: known({ celsius: senses.celsius && Math.round(senses.celsius) }) });
  const used = mind.use?.on === true;
  const minutes = wishes.idleMinutes;
  if (used && wishes.whenUsed === 'pause') return pause({ code: 'machine-in-use', params: { minutes } });
  const atOnce = used && wishes.whenUsed === 'fewer' ? 1 : null;
  if (!isOpen(schedule, minuteOfWeek)) {
    const params = known({ hours: describeWindows(schedule), opens: opensAt(schedule, minuteOfWeek) });
    if (wishes.afterHours === 'pause') return pause({ code: 'after-hours', params });
    return { does: 'begin-nothing', atOnce, reason: { code: 'finishing-hours', params } };
  }
  return atOnce === null ? unrestrained : { does: 'run', atOnce, reason: { code: 'machine-shared', params: { minutes } } };
}

/** Why a node begins nothing, out of what it told of itself, which may be anything; null: it does. */
export function restingOf(told: unknown): Reason | null {
  const { does, reason } = conductOf(told);
  return does === 'run' ? null : reason;
}

/** What a node told of its conduct. Whatever is not understood is no restraint. */
export function conductOf(told: unknown): Conduct {
  const { does, atOnce, reason } = (typeof told === 'object' && told !== null ? told : {}) as Record<string, unknown>;
  const code = (typeof reason === 'object' && reason !== null ? reason : {}) as { code?: unknown };
  if (typeof code.code !== 'string') return unrestrained;
  const known = does === 'pause' || does === 'begin-nothing' ? does : 'run';
  return { does: known, atOnce: atOnce === 1 ? 1 : null, reason: reason as Reason };
}

/** Whether what only waits for a slot had better be done by another machine: this may take hours. */
export function isLong({ does, reason }: Conduct): boolean {
  return does === 'begin-nothing' || (does === 'pause' && ['on-battery', 'after-hours', 'ffmpeg-refused'].includes(reason?.code ?? ''));
}

function lowOnBattery({ onBattery, batteryPercent }: Senses, wishes: Manners, was: boolean): boolean {
  if (wishes.onBattery === 'run' || onBattery !== true) return false;
  if (wishes.batteryBelow >= 100) return true;
  return batteryPercent !== null && batteryPercent < wishes.batteryBelow + (was ? CHARGE_SLACK : 0);
}

function tooHot({ celsius, marginCelsius, heatWarning }: Senses, wishes: Manners, was: boolean): boolean {
  if (wishes.whenHot === 'run') return false;
  if (heatWarning === true) return true;
  if (wishes.hotAbove !== null) return celsius !== null && celsius >= wishes.hotAbove - (was ? COOLER_BY : 0);
  return marginCelsius !== null && marginCelsius <= (was ? MARGIN.cool : MARGIN.hot);
}

function inUse({ idleMs }: Senses, wishes: Manners): boolean {
  return wishes.whenUsed !== 'run' && idleMs !== null && idleMs < wishes.idleMinutes * 60_000;
}

/** The first look is believed at once: there is nothing yet that could flap. */
function turn(latch: Latch | null, felt: boolean, at: number, { on, off }: { on: number; off: number }): Latch {
  if (!latch) return { on: felt, turning: null };
  if (felt === latch.on) return { on: felt, turning: null };
  const since = latch.turning ?? at;
  return at - since >= (felt ? on : off) ? { on: felt, turning: null } : { on: latch.on, turning: since };
}

function pause(reason: Reason): Conduct {
  return { does: 'pause', atOnce: null, reason };
}

function known(params: Record<string, string | number | null>): Record<string, string | number> {
  return Object.fromEntries(Object.entries(params).filter((pair): pair is [string, string | number] => pair[1] !== null));
}
