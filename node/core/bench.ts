import { chooseEncoder, type EncoderReport } from './encoder-choice.ts';
import { needsOf } from './job.ts';
import type { ReasonCode } from './reasons.ts';

/**
 * When is an encoder of a machine not to be trusted? A combination is an encoder, on one device of one machine, as made by
 * one build (ffmpeg and driver). Two bad copies of two different films among its last ten outputs bench it: one film may be
 * odd, and is tried twice; two by chance within ten are rare enough to be looked at by a person. A film that came out bad
 * from another combination as well is the film's own fault and counts for neither side.
 *
 *   used ──2 bad films of its last 10──▶ benched ──'Try again' (a person), or another build──▶ used, counted from anew
 */
export interface Combination {
  encoder: string;
  /** '' where there is nothing to choose */
  device: string;
}

/** One output that was judged. */
export interface Outcome {
  fileId: number;
  /** why it was refused; null: it was good */
  code: string | null;
  /** another combination made a bad copy of the same film */
  badElsewhere: boolean;
}

export const LAST_OUTPUTS = 10;
const BAD_FILMS = 2;

/** Whether these outputs of one combination, the newest first, bench it. */
export function shallBench(outcomes: readonly Outcome[]): { bad: number; outputs: number; cause: string } | null {
  const last = outcomes.slice(0, LAST_OUTPUTS);
  const bad = last.filter((outcome) => outcome.code !== null && isEncodersFault(outcome.code) && !outcome.badElsewhere);
  const films = new Set(bad.map((outcome) => outcome.fileId));
  if (films.size < BAD_FILMS) return null;
  return { bad: bad.length, outputs: last.length, cause: bad[0]!.code! };
}

/** What only an encoder does to a film. Streams, tags and sizes are the muxer's or the plan's doing, damage is the original's. */
export function isEncodersFault(code: string): boolean {
  return encoders.has(code);
}

const encoders: ReadonlySet<string> = new Set<ReasonCode>([
  'decode-errors',
  'frames-differ',
  'duration-differs',
  'pictures-differ',
  'video-differs',
  'colour-differs',
  'hdr-differs',
  'geometry-differs',
]);

/** The encoders of a machine without those that are benched there. */
export function unbenched<R extends Pick<EncoderReport, 'name' | 'device'>>(reports: readonly R[], benched: readonly Combination[]): R[] {
  return reports.filter((report) => !benched.some((b) => b.encoder === report.name && b.device === (report.device ?? '')));
}

/** The classes of jobs for which an encoder is left. */
export function classesLeft(classes: readonly number[], reports: EncoderReport[], benched: readonly Combination[]): number[] {
  if (benched.length === 0) return [...classes];
  const left = unbenched(reports, benched);
  return classes.filter((one) => {
    const needs = needsOf(one);
    if (!needs) return true;
    const { codec, bitDepth, hdr10 } = needs;
    return chooseEncoder(left, { encoder: 'auto', codec }, bitDepth, { hdr10 }).choice !== null;
  });
}

/** Another ffmpeg or driver made it than makes films now, so that what was bad then says little. What is not told is no other. */
export function isOtherBuild(report: Pick<EncoderReport, 'build'> | undefined, build: string): boolean {
  return Boolean(report?.build) && build !== '' && report?.build !== build;
}
