import type { Fingerprint, Probe } from '../core/media.ts';
import type { JobState } from '../core/job.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Queryable } from './connect.ts';

/** What a keeper must be told about the file of an attempt, and what the coordinator decides its end by. */
export interface RunContext {
  jobId: number;
  fileId: number;
  libraryId: number;
  jobState: JobState;
  failures: number;
  maxFailures: number;
  title: string;
  rootId: string;
  /** below the root */
  path: string;
  fingerprint: Fingerprint;
  probe: Probe;
  plan: WorkPlan;
  profile: Profile;
}

export async function runContext(q: Queryable, attemptId: number): Promise<RunContext | null> {
  const rows = await q.query<RunContext>(
    `select j.id as "jobId", j.file_id as "fileId", j.library_id as "libraryId", j.state as "jobState", j.failures, j.max_failures as "maxFailures",
            f.title, l.root_id as "rootId", f.path, f.probe, j.plan, j.profile,
            json_build_object('sizeBytes', f.size_bytes, 'mtimeMs', f.mtime_ms, 'inode', f.inode, 'links', f.links, 'hash', f.hash) as fingerprint
       from attempts a join jobs j on j.id = a.job_id join media_files f on f.id = j.file_id join libraries l on l.id = j.library_id
      where a.id = $1`,
    [attemptId],
  );
  return rows[0] ?? null;
}
