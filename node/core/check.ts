import type { Reason, ReasonCode } from './reasons.ts';
import { reason } from './reasons.ts';

/** One line of the table on the job page: what was compared, the two values in words, and whether it held. */
export interface Check {
  name:
    | 'container'
    | 'video'
    | 'audio'
    | 'subtitles'
    | 'attachments'
    | 'chapters'
    | 'tags'
    | 'duration'
    | 'frames'
    | 'decode'
    | 'pictures'
    | 'second-look'
    | 'size'
    | 'colour'
    | 'start'
    | 'geometry';
  original: string;
  output: string;
  passed: boolean;
}

/** A check with the reason that it gives if it failed. */
export interface CheckResult {
  check: Check;
  reason: Reason;
}

/** `params` of the reason are the two values where nothing else is said. */
export function result(
  name: Check['name'],
  original: string,
  output: string,
  passed: boolean,
  code: ReasonCode,
  params?: Record<string, string | number>,
): CheckResult {
  return { check: { name, original, output, passed }, reason: reason(code, params ?? { original, output }) };
}
