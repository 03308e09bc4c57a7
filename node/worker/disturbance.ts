import type { Report } from '../mesh/outbox.ts';

/**
 * An encode that stood still, or whose machine slept, may find afterwards that its hardware session, or the disk it reads
 * from, is gone. That is not the film's doing: the job is given back and no failure is counted. Only what fails before
 * it got anywhere after the pause is excused, and the coordinator excuses a job only a few times (finisher.ts).
 */
export interface Disturbance {
  /** progress when it went on, in percent */
  percent: number;
  /** the whole machine slept, not only this encode */
  slept: boolean;
}

/** So little progress after a pause counts as none, in percent. */
const GOT_NOWHERE = 0.5;
const excusable = new Set(['encoder-failed', 'ffmpeg-failed', 'stalled', 'input-output-error']);

export function excuse(report: Report, after: { disturbed: Disturbance | null; percent: number; hardware: boolean }): Report {
  const { disturbed } = after;
  if (report.event !== 'failed' || !disturbed || !excusable.has(report.reason.code)) return report;
  // an encoder in software does not notice that it stood still
  if (!disturbed.slept && !after.hardware) return report;
  if (after.percent - disturbed.percent > GOT_NOWHERE) return report;
  const { job, attempt } = report;
  const said = report.reason.params?.['message'];
  const params = { ...(report.encoder ? { encoder: report.encoder } : {}), ...(said === undefined ? {} : { message: said }) };
  return { event: 'released', job, attempt, reason: disturbed.slept ? { code: 'machine-slept' } : { code: 'session-lost', params } };
}
