import { metrics, targets, type Metric, type Target } from './quality.ts';
import { isReasonCode, type Reason } from './reasons.ts';

/** What became of the search for one film, as its node reports it and the page shows it. */
export interface QualityFound {
  target: Target;
  /** the setting that was used, on the profile's scale */
  quality: number;
  /** where it comes from: measured on this film, remembered from others of its kind, or the profile's own number */
  from: 'samples' | 'finding' | 'profile';
  /** the score of the samples at that setting; null where nothing was scored */
  measured: { metric: Metric; score: number; worst: number; met: boolean } | null;
  tries: number;
  /** milliseconds of film that were encoded as samples, in all tries together */
  sampledMs: number;
  /** time the search took, without pauses */
  costMs: number;
  /** why nothing was measured; null when something was */
  why: Reason | null;
}

/** Reads it from the statistics of an attempt. They come from another machine: whatever does not fit is no finding. */
export function qualityFound(stats: Record<string, unknown>): QualityFound | null {
  const raw = stats['quality'];
  if (!isRecord(raw)) return null;
  const { target, quality, from, tries, sampledMs, costMs } = raw;
  const numbers = [quality, tries, sampledMs, costMs].every((n) => typeof n === 'number' && Number.isFinite(n) && n >= 0);
  if (!numbers || !oneOf(targets, target) || !oneOf(['samples', 'finding', 'profile'] as const, from)) return null;
  const measured = measuredOf(raw['measured']);
  if (measured === undefined || (quality as number) > 63) return null;
  return {
    ...(raw as Pick<QualityFound, 'quality' | 'tries' | 'sampledMs' | 'costMs'>),
    target,
    from,
    measured,
    why: reasonOf(raw['why']),
  };
}

function measuredOf(raw: unknown): QualityFound['measured'] | undefined {
  if (raw === null || raw === undefined) return null;
  if (!isRecord(raw) || !oneOf(metrics, raw['metric'])) return undefined;
  const { metric, score, worst, met } = raw;
  const fine = [score, worst].every((n) => typeof n === 'number' && n >= 0 && n <= 100);
  return fine ? { metric, score: score as number, worst: worst as number, met: met === true } : undefined;
}

function reasonOf(raw: unknown): Reason | null {
  if (!isRecord(raw) || !isReasonCode(raw['code'])) return null;
  const params = isRecord(raw['params']) ? Object.entries(raw['params']) : [];
  const plain = params.filter((p): p is [string, string | number] => typeof p[1] === 'string' || typeof p[1] === 'number');
  return { code: raw['code'], params: Object.fromEntries(plain.map(([k, v]) => [k, typeof v === 'string' ? v.slice(0, 500) : v])) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function oneOf<T extends string>(list: readonly T[], value: unknown): value is T {
  return (list as readonly unknown[]).includes(value);
}

const names: Record<Target, string> = {
  'visually-lossless': 'Not to be told from the original',
  'very-good': 'Very good',
  good: 'Good',
};

/** "Very good: VMAF 95.1 at 23 after 3 tries, 40 s" */
export function foundWords(found: QualityFound): string {
  const at = rounded(found.quality, 1);
  if (!found.measured) {
    const how = found.from === 'finding' ? `${at}, which similar films needed here` : `${at}, the number of its rules`;
    return `${names[found.target]}: ${how}`;
  }
  const tries = `${found.tries} ${found.tries === 1 ? 'try' : 'tries'}`;
  const words = `${scoreWords(found.measured.metric, found.measured.score)} at ${at} after ${tries}, ${tookWords(found.costMs)}`;
  return found.measured.met
    ? `${names[found.target]}: ${words}`
    : `As near to “${names[found.target].toLowerCase()}” as was found: ${words}`;
}

/** "VMAF 95.1", "SSIM 0.9852" */
export function scoreWords(metric: Metric, score: number): string {
  return metric === 'vmaf' ? `VMAF ${score.toFixed(1)}` : `SSIM ${score.toFixed(4)}`;
}

function tookWords(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function rounded(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
