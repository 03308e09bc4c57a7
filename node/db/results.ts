import type { Fingerprint, Probe } from '../core/media.ts';
import type { Reason } from '../core/reasons.ts';
import type { Verdict } from '../core/verdict.ts';
import { addActivity, type NewActivity } from './activity.ts';
import { atomically } from './atomically.ts';
import type { Run } from './claims.ts';
import type { Queryable } from './connect.ts';
import { forgetFound } from './found-originals.ts';
import { probeColumns } from './media-files.ts';
import { addOriginal } from './originals.ts';
import { renameItems } from './source-items.ts';
import { addMessages, type NewSourceMessage } from './source-messages.ts';
import { addDay, takeBackDay } from './stats.ts';
import { json, tail, text } from './values.ts';

/**
 * How jobs end well: each end is one transaction over job, attempt, file, original, day and activity, and doing it twice
 * does nothing the second time. Reports are repeated until acknowledged, so the second time is normal.
 */
/** More files of the same folder may follow within so long: a source is told of a folder once. */
const TELL_SECONDS = 10;

export interface Replaced {
  /** the new file, below the root; differs from before only when the extension changed */
  path: string;
  fingerprint: Fingerprint;
  /** of the new file; null: the one that verification saw */
  probe: Probe | null;
  /** both paths below the root */
  original: { path: string; trashPath: string; fingerprint: Fingerprint };
  retentionSeconds: number;
  reason: Reason;
  activity: NewActivity;
  /** who is told of it */
  tell?: NewSourceMessage[];
}

interface EndedJob {
  fileId: number;
  libraryId: number;
  inputBytes: number;
  nodeId: string;
  busyMs: number;
  outputProbe: Probe | null;
  durationMs: number | null;
  title: string;
  rootId: string;
}

/**
 * The original was replaced. False when this attempt is not the one that is replacing: nothing changed. An attempt that the books
 * had given up (held for a person, or cancelled) is taken all the same when its copy had been accepted and no other run followed:
 * what stands on the disk is the truth, and an original in the trash must be known to be put back.
 */
export function completeReplaced(q: Queryable, run: Run, done: Replaced): Promise<boolean> {
  return atomically(q, async (t) => {
    const job = await endJob(t, run, {
      outcome: 'replaced',
      from: ['replacing'],
      to: 'succeeded',
      outputBytes: done.fingerprint.sizeBytes,
      reason: done.reason,
    });
    if (!job) return false;
    await forgetNewcomer(t, job.libraryId, done.path, job.fileId);
    await keepOriginalProbe(t, run, job.fileId);
    await writeFile(t, job.fileId, {
      path: done.path,
      fingerprint: done.fingerprint,
      probe: done.probe ?? job.outputProbe,
      status: 'done',
      reason: done.reason,
      originalBytes: done.original.fingerprint.sizeBytes,
      madeHash: done.fingerprint.hash,
    });
    await forgetFound(t, job.rootId, done.original.trashPath);
    await addOriginal(t, {
      ...run,
      fileId: job.fileId,
      title: job.title,
      rootId: job.rootId,
      path: done.original.path,
      trashPath: done.original.trashPath,
      fingerprint: done.original.fingerprint,
      retentionSeconds: done.retentionSeconds,
    });
    await addDay(t, job.nodeId, {
      replaced: 1,
      bytesIn: done.original.fingerprint.sizeBytes,
      bytesOut: done.fingerprint.sizeBytes,
      mediaMs: job.durationMs ?? 0,
      busyMs: job.busyMs,
    });
    await addActivity(t, {
      ...done.activity,
      jobId: run.jobId,
      fileId: job.fileId,
      libraryId: job.libraryId,
      nodeId: done.activity.nodeId ?? job.nodeId,
    });
    if (done.path !== done.original.path) await renameItems(t, job.rootId, done.original.path, done.path);
    await addMessages(t, done.tell ?? [], TELL_SECONDS);
    return true;
  });
}

export interface Kept {
  reason: Reason;
  verdict: Verdict | null;
  activity: NewActivity;
  /** what the worker told of an encode that it stopped itself */
  by?: { encoder: string | null; command: string[] | null; stderrTail: string };
}

/** The output may not replace the original, which stays. False when this attempt is not the current one: nothing changed. */
export function completeKept(q: Queryable, run: Run, kept: Kept): Promise<boolean> {
  return atomically(q, async (t) => {
    const job = await endJob(t, run, {
      outcome: 'kept',
      from: ['running', 'delivering', 'verifying'],
      to: 'rejected',
      outputBytes: null,
      reason: kept.reason,
      verdict: kept.verdict,
    });
    if (!job) return false;
    if (kept.by)
      await t.query(
        `update attempts set encoder = coalesce($2, encoder), command = coalesce($3::jsonb, command), stderr_tail = $4 where id = $1`,
        [run.attemptId, kept.by.encoder, json(kept.by.command), tail(kept.by.stderrTail, 32_768)],
      );
    await t.query(`update media_files set status = 'kept', reason = $2, updated_at = now() where id = $1 and status <> 'missing'`, [
      job.fileId,
      json(kept.reason),
    ]);
    await addDay(t, job.nodeId, { kept: 1, busyMs: job.busyMs });
    await addActivity(t, {
      ...kept.activity,
      jobId: run.jobId,
      fileId: job.fileId,
      libraryId: job.libraryId,
      nodeId: kept.activity.nodeId ?? job.nodeId,
    });
    return true;
  });
}

export interface Restored {
  /** the restored original, below the root */
  path: string;
  fingerprint: Fingerprint;
  probe: Probe | null;
  reason: Reason;
  by: string;
  activity: NewActivity;
  /** who is told of it */
  tell?: NewSourceMessage[];
}

/**
 * The original is back under its name. The file is kept as it is (a scan must not queue it again by itself), the job says
 * so. False when the original was not in the trash any more: nothing changed.
 */
export function completeRestored(q: Queryable, originalId: number, back: Restored): Promise<boolean> {
  return atomically(q, async (t) => {
    const [original] = await t.query<{
      fileId: number | null;
      jobId: number;
      attemptId: number;
      libraryId: number | null;
      rootId: string;
      from: string | null;
      probe: Probe | null;
      found: boolean;
    }>(
      `update originals o set state = 'restored', ended_at = now() where o.id = $1 and o.state in ('kept', 'gone')
       returning o.file_id as "fileId", o.job_id as "jobId", o.attempt_id as "attemptId", (select f.library_id from media_files f where f.id = o.file_id) as "libraryId",
         o.root_id as "rootId", (select f.path from media_files f where f.id = o.file_id) as "from",
         (select a.stats -> 'originalProbe' from attempts a where a.id = o.attempt_id) as probe, o.found is not null as found`,
      [originalId],
    );
    if (!original) return false;
    await t.query(`update jobs set outcome = 'restored', reason = $2 where id = $1 and state = 'completed'`, [
      original.jobId,
      json(back.reason),
    ]);
    await takeBackDay(t, original.jobId, original.attemptId);
    if (original.fileId !== null && original.libraryId !== null) {
      await forgetNewcomer(t, original.libraryId, back.path, original.fileId);
      await writeFile(t, original.fileId, {
        path: back.path,
        fingerprint: back.fingerprint,
        // it is the file that was probed before its encode, and that probe was kept with the attempt
        probe: back.probe ?? original.probe,
        status: 'kept',
        reason: back.reason,
        originalBytes: null,
        madeHash: null,
      });
    }
    if (original.from !== null && original.from !== back.path) await renameItems(t, original.rootId, original.from, back.path);
    await addMessages(t, back.tell ?? [], TELL_SECONDS);
    // no job is known of what was only found
    const jobId = original.found ? null : original.jobId;
    await addActivity(t, { ...back.activity, by: back.by, jobId, fileId: original.fileId, libraryId: original.libraryId });
    return true;
  });
}

interface Ending {
  outcome: 'replaced' | 'kept';
  from: string[];
  to: 'succeeded' | 'rejected';
  outputBytes: number | null;
  reason: Reason;
  verdict?: Verdict | null;
}

/** Job and attempt end in one statement; the fence is here, and all that follows in the transaction relies on it. */
async function endJob(q: Queryable, run: Run, end: Ending): Promise<EndedJob | null> {
  const rows = await q.query<EndedJob>(
    `with ended as (
       update jobs j set state = 'completed', outcome = $3, finished_at = now(), output_bytes = coalesce($4, b.output_bytes), reason = $5,
              node_id = null, lease_until = null, retry_at = null, cancel_requested = false, paused = false
         from attempts b where j.id = $1 and j.attempt_id = $2 and b.id = $2
          and (j.state = 'running' and b.state = any($6::text[])
               or $7 = 'succeeded' and j.state in ('available', 'held', 'failed', 'cancelled') and b.state in ('failed', 'cancelled')
                  and b.verdict @> '{"accepted": true}'
                  and not exists (select 1 from jobs n where n.file_id = j.file_id and n.id <> j.id and n.state in ('available', 'running', 'held')))
       returning j.file_id, j.library_id, j.input_bytes, j.attempt_id
     ), closed as (
       update attempts a set state = $7, ended_at = now(), reason = $5, verdict = coalesce($8::jsonb, a.verdict)
         from ended e where a.id = e.attempt_id
       returning a.node_id, a.started_at, a.output_probe
     )
     select e.file_id as "fileId", e.library_id as "libraryId", e.input_bytes as "inputBytes", c.node_id as "nodeId",
            (extract(epoch from now() - c.started_at) * 1000)::bigint as "busyMs", c.output_probe as "outputProbe",
            f.duration_ms as "durationMs", f.title, l.root_id as "rootId"
       from ended e cross join closed c join media_files f on f.id = e.file_id join libraries l on l.id = e.library_id`,
    [run.jobId, run.attemptId, end.outcome, end.outputBytes, json(end.reason), end.from, end.to, json(end.verdict ?? null)],
  );
  return rows[0] ?? null;
}

/**
 * A scan may have seen the new name before the report came, and made a row of its own for it. That row goes, with what
 * waits for it; it was only ever a shadow of this file.
 */
async function forgetNewcomer(q: Queryable, libraryId: number, path: string, fileId: number): Promise<void> {
  await q.query(`delete from media_files where library_id = $1 and path = $2 and id <> $3`, [libraryId, text(path), fileId]);
}

interface FileEnd {
  path: string;
  fingerprint: Fingerprint;
  probe: Probe | null;
  status: 'done' | 'kept';
  reason: Reason;
  originalBytes: number | null;
  madeHash: string | null;
}

async function writeFile(q: Queryable, id: number, end: FileEnd): Promise<void> {
  const print = end.fingerprint;
  await q.query(
    `update media_files f set path = $2, size_bytes = $3, mtime_ms = $4, inode = $5, links = $6, hash = $7, status = $8, reason = $9,
            original_bytes = $10, made_hash = $11, expected_bytes = null, updated_at = now() where id = $1`,
    [
      id,
      text(end.path),
      print.sizeBytes,
      Math.round(print.mtimeMs),
      print.inode,
      print.links,
      print.hash,
      end.status,
      json(end.reason),
      end.originalBytes,
      end.madeHash,
    ],
  );
  if (!end.probe) return;
  await q.query(
    `update media_files f set container = s.container, codec = s.codec, width = s.width, height = s.height, duration_ms = s.duration_ms,
            bitrate = s.bitrate, bit_depth = s.bit_depth, hdr = s.hdr, probe = s.probe
       from jsonb_to_record($2::jsonb) as s(container text, codec text, width int, height int, duration_ms bigint, bitrate bigint,
            bit_depth smallint, hdr text, probe jsonb) where f.id = $1`,
    [id, json(probeColumns(end.probe))],
  );
}

/** The file's row is about to describe the new file; what the original was like stays with the attempt, for the job's page. */
async function keepOriginalProbe(q: Queryable, run: Run, fileId: number): Promise<void> {
  await q.query(
    `update attempts a set stats = a.stats || jsonb_build_object('originalProbe', f.probe) from media_files f
      where a.id = $1 and f.id = $2 and f.probe is not null`,
    [run.attemptId, fileId],
  );
}
