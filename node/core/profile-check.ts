import type { Profile } from './profile.ts';

type Rule = (value: unknown) => string | null;

const whole =
  (min: number, max: number): Rule =>
  (v) =>
    Number.isInteger(v) && (v as number) >= min && (v as number) <= max ? null : `must be a whole number from ${min} to ${max}`;
const between =
  (min: number, max: number): Rule =>
  (v) =>
    typeof v === 'number' && v >= min && v <= max ? null : `must be a number from ${min} to ${max}`;
const oneOf =
  (...values: string[]): Rule =>
  (v) =>
    values.includes(v as string) ? null : `must be one of ${values.join(', ')}`;
const onOff: Rule = (v) => (typeof v === 'boolean' ? null : 'must be true or false');
const listOf =
  (rule: Rule, most: number): Rule =>
  (v) =>
    !Array.isArray(v)
      ? 'must be a list'
      : v.length > most
        ? `may have at most ${most} entries`
        : (v.map(rule).find((p) => p !== null) ?? null);
const pattern: Rule = (v) => (typeof v === 'string' && v.length > 0 && v.length <= 500 ? null : 'must be texts of 1 to 500 characters');

const rules: Record<keyof Profile, Rule> = {
  quality: whole(14, 34),
  speed: oneOf('fast', 'medium', 'slow'),
  tenBit: onOff,
  encoder: oneOf('auto', 'hardware', 'software'),
  minSavingPercent: between(0, 90),
  minBitsPerPixel: between(0, 1),
  minSizeMb: between(0, 1_000_000),
  minDurationSeconds: between(0, 86_400),
  interlaced: oneOf('skip', 'deinterlace'),
  hdr: oneOf('keep', 'skip'),
  hardLinked: oneOf('skip', 'replace'),
  alsoEfficient: listOf(oneOf('av1', 'vp9', 'vvc'), 3),
  remux: onOff,
  exclude: listOf(pattern, 100),
};

/** What is wrong with a change of a profile, one sentence each; empty when it may be saved. Unknown keys are wrong. */
export function profileProblems(change: object): { key: string; problem: string }[] {
  return Object.entries(change).flatMap(([key, value]) => {
    if (!Object.hasOwn(rules, key)) return [{ key, problem: 'is not part of a profile' }];
    const problem = rules[key as keyof Profile](value);
    return problem ? [{ key, problem }] : [];
  });
}
