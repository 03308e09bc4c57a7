import { priorities } from '../../core/job.ts';
import { codecName } from '../../core/names.ts';
import { plannedCodec } from '../../core/plan.ts';
import { foundWords, qualityFound } from '../../core/quality-found.ts';
import { sentence } from '../../core/reasons.ts';
import type { Attempt } from '../../db/attempts.ts';
import type { JobDetail } from '../../db/job-lists.ts';
import type { Original } from '../../db/originals.ts';
import { clock, day, duration, encoder, saving, savingPercent, size } from '../format.ts';
import { insteadOf } from './job-attempts.ts';
import { formatWords, sourceCodec } from './queue.ts';

/** One line of a list of facts: what it is, and how it is. */
export interface Fact {
  label: string;
  value: string;
  strong?: boolean;
}

/** What is known of a job and its newest try; what nothing is known of has no line. */
export function factsOfJob(
  job: JobDetail,
  last: Attempt | null,
  original: Original | null,
  names: ReadonlyMap<string, string>,
  now: Date,
): Fact[] {
  const out = job.outputBytes ?? last?.outputBytes ?? null;
  const list: (Fact | null)[] = [
    { label: 'Original', value: size(job.inputBytes) },
    out === null ? { label: 'Expected', value: `about ${size(job.expectedBytes)}` } : { label: 'New file', value: size(out) },
    out === null
      ? null
      : { label: 'Saved', value: `${saving(job.inputBytes, out)} (${savingPercent(job.inputBytes, out)})`, strong: out < job.inputBytes },
    { label: 'Format', value: formatWords({ ...job, codec: sourceCodec(job) }) },
    job.durationMs === null ? null : { label: 'Length', value: clock(job.durationMs) },
    { label: 'Work', value: job.action === 'remux' ? 'Re-wrap, pictures untouched' : `Encode to ${codecName(plannedCodec(job.plan))}` },
    job.state === 'available'
      ? { label: 'Priority', value: { high: 'High', normal: 'Normal', low: 'Low' }[priorities[job.priority] ?? 'normal'] }
      : null,
    last ? { label: 'Node', value: names.get(last.nodeId) ?? last.nodeId } : null,
    last?.encoder ? { label: 'Encoder', value: [encoder(last.encoder), insteadOf(last, job.attempts)].filter(Boolean).join('. ') } : null,
    last ? qualityFact(last) : null,
    last ? { label: 'Try', value: `${last.number} of ${Math.max(job.maxFailures, last.number)}` } : null,
    job.finishedAt && job.startedAt ? { label: 'Took', value: duration(job.finishedAt.getTime() - job.startedAt.getTime()) } : null,
    original?.state === 'kept' && original.expiresAt > now
      ? { label: 'Original in the trash until', value: day(original.expiresAt) }
      : null,
    { label: 'Path', value: job.path },
  ];
  return list.filter((fact) => fact !== null);
}

/** What the search for the setting found, where the library asks for a goal instead of a number. */
function qualityFact(last: Attempt): Fact | null {
  const found = qualityFound(last.stats);
  return found && { label: 'Quality', value: [foundWords(found), found.why ? sentence(found.why) : ''].filter(Boolean).join('. ') };
}
