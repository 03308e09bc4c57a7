import type { WorkPlan } from '../core/plan.ts';
import type { Queryable } from './connect.ts';
import { fileColumns, type MediaFile } from './media-files.ts';
import { limit } from './values.ts';

/** A file whose decision may change with its library's profile, with what waits for it. */
export interface FileToPlan extends MediaFile {
  jobId: number | null;
  jobPlan: WorkPlan | null;
}

/** Files of a library that were inspected and are not running, done or kept, by id; what a person took off the queue stays off. */
export function filesToPlan(q: Queryable, libraryId: number, afterId: number, size = 200): Promise<FileToPlan[]> {
  return q.query<FileToPlan>(
    `select ${fileColumns}, f.probe, j.id as "jobId", j.plan as "jobPlan"
       from media_files f left join jobs j on j.file_id = f.id and j.state = 'available'
      where f.library_id = $1 and f.id > $2 and f.probe is not null and f.hash is not null and f.status in ('queued', 'skipped')
        and coalesce(f.reason ->> 'code', '') not in ('cleared', 'cancelled-by-person')
        and not exists (select 1 from jobs r where r.file_id = f.id and r.state in ('running', 'held'))
      order by f.id limit ${limit(size, 1000)}`,
    [libraryId, afterId],
  );
}

/** Pins lie beyond this: see `pinRank` of core/job.ts. */
const PINNED = 2 ** 49;

/** Puts all waiting jobs that nobody moved by hand into another order, 10,000 per statement. */
export async function rerank(q: Queryable, order: 'saving' | 'oldest' | 'smallest'): Promise<number> {
  const rank = { saving: '-greatest(0, input_bytes - expected_bytes)', oldest: 'file_id', smallest: 'input_bytes' }[order];
  let changed = 0;
  for (let after = 0; ;) {
    const [row] = await q.query<{ n: number; last: number | null }>(
      `with part as materialized (select id from jobs where state = 'available' and id > $1 order by id limit 10000),
            moved as (update jobs j set rank = ${rank} from part p where j.id = p.id and abs(j.rank) < ${PINNED} and j.rank <> ${rank} returning 1)
       select (select count(*) from moved) as n, (select max(id) from part) as last`,
      [after],
    );
    if (!row || row.last === null) return changed;
    changed += row.n;
    after = row.last;
  }
}
