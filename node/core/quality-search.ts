import type { Goal, Metric } from './quality.ts';

/** One setting and what came of it. */
export interface Try {
  quality: number;
  mean: number;
  worst: number;
}

export interface Search {
  metric: Metric;
  goal: Goal;
  /** where to begin */
  start: number;
  least: number;
  most: number;
  /** the encoder's own fineness on the profile's scale */
  step: number;
  tries: number;
}

export type Next = { quality: number } | { found: Try; met: boolean };

/** How much a score falls for one step of quality near the goals (measured, see quality.ts), and what counts as met. */
const sense: Record<Metric, { fall: number; under: number; over: number }> = {
  vmaf: { fall: 0.8, under: 0.3, over: 0.8 },
  ssim: { fall: 0.0012, under: 0.0005, over: 0.0012 },
};
const FARTHEST = 8;

/**
 * The next setting to try, or what was found. A higher setting gives a smaller file and a lower score, so the highest one
 * that meets the goal is wanted. Pure; the same tries give the same answer, and no setting is tried twice.
 *
 *   nothing tried ─▶ start            near the goal, no room between, or no tries left ─▶ found
 *   all too good ──▶ higher           all too poor ─▶ lower           both ─▶ on the line between the nearest two
 */
export function nextTry(search: Search, tries: readonly Try[]): Next {
  if (tries.length === 0) return { quality: onGrid(search, search.start) };
  const { under, over } = sense[search.metric];
  const near = tries.find((t) => marginOf(search, t) >= -under && marginOf(search, t) <= over);
  if (near) return { found: near, met: true };
  if (tries.length >= search.tries) return settle(search, tries);
  const [good, poor] = around(search, tries);
  const wish = good && poor ? between(search, good, poor) : beyond(search, tries, (good ?? poor)!, good ? 1 : -1);
  const next = onGrid(search, wish);
  return tries.some((t) => t.quality === next) ? settle(search, tries) : { quality: next };
}

/** By how much a try is better than asked; below 0 it misses the goal. */
export function marginOf({ goal }: Pick<Search, 'goal'>, tried: Pick<Try, 'mean' | 'worst'>): number {
  return Math.min(tried.mean - goal.mean, tried.worst - goal.worst);
}

/** The best that is known: the smallest file that meets the goal, else the best picture. */
function settle(search: Search, tries: readonly Try[]): Next {
  const [good] = around(search, tries);
  if (good) return { found: good, met: true };
  const best = tries.reduce((a, b) => (b.quality < a.quality ? b : a));
  return { found: best, met: marginOf(search, best) >= -sense[search.metric].under };
}

/** The highest setting that is good below the lowest that is poor, and that lowest; a judge's noise may cross them. */
function around(search: Search, tries: readonly Try[]): [good: Try | null, poor: Try | null] {
  const isGood = (t: Try): boolean => marginOf(search, t) >= -sense[search.metric].under;
  const sorted = tries.toSorted((a, b) => a.quality - b.quality);
  const poor = sorted.find((t) => !isGood(t)) ?? null;
  return [sorted.findLast((t) => isGood(t) && (!poor || t.quality < poor.quality)) ?? null, poor];
}

function between(search: Search, good: Try, poor: Try): number {
  const { under, over } = sense[search.metric];
  const aim = (over - under) / 2;
  const [high, low] = [marginOf(search, good), marginOf(search, poor)];
  const share = high - low > 0 ? (high - aim) / (high - low) : 0.5;
  // never so near to one end that the next step learns nothing
  const wish = good.quality + (poor.quality - good.quality) * Math.min(0.9, Math.max(0.1, share));
  return Math.min(poor.quality - search.step, Math.max(good.quality + search.step, wish));
}

/** Along the line through the two nearest, or as steep as usual, and not too far at once. */
function beyond(search: Search, tries: readonly Try[], from: Try, direction: 1 | -1): number {
  const usual = sense[search.metric].fall;
  const other = tries
    .filter((t) => t !== from)
    .toSorted((a, b) => Math.abs(a.quality - from.quality) - Math.abs(b.quality - from.quality))[0];
  const seen = other ? (marginOf(search, other) - marginOf(search, from)) / (from.quality - other.quality) : usual;
  const fall = Math.min(usual * 4, Math.max(usual / 4, Number.isFinite(seen) ? seen : usual));
  const far = Math.min(FARTHEST, Math.max(search.step, Math.abs(marginOf(search, from)) / fall));
  return from.quality + direction * far;
}

function onGrid({ least, most, step }: Search, wish: number): number {
  return Math.min(most, Math.max(least, Math.round(wish / step) * step));
}
