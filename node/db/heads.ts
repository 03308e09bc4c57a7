import type { SchedulingJob } from '../core/refusals.ts';
import type { Queryable } from './connect.ts';
import { limit } from './values.ts';

/** A waiting job as scheduling sees it, without who keeps its root. */
export type Head = Omit<SchedulingJob, 'keeper'> & { fileId: number; libraryId: number };

export interface HeadsWish {
  /** what the asking node can run, from `ableTo` of core/refusals.ts */
  able: { class: number; encoder: string }[];
  /** nodes present now; only jobs whose root one of them keeps */
  keepers: string[];
  limit: number;
  /** roots whose jobs are left out */
  notUnder?: string[];
  /** only inputs up to this size; looks further down the queue for them */
  maxBytes?: number | null;
}

/** How far a search for small inputs goes down each (class, library): the queue begins with the largest savings. */
const DEEP = 5000;

/** The first waiting jobs of the whole queue that a node could run, in the order of the queue, without a lock. */
export function readHeads(q: Queryable, wish: HeadsWish): Promise<Head[]> {
  return q.query<Head>(headsSql(wish.limit, wish.maxBytes != null), headsParams(wish));
}

export function headsParams(wish: HeadsWish): unknown[] {
  const params = [wish.able.map((a) => a.class), wish.able.map((a) => a.encoder), wish.keepers, wish.notUnder ?? []];
  return wish.maxBytes == null ? params : [...params, wish.maxBytes];
}

/**
 * The first few of each (class, library) come from the claim index; what the asking node has no encoder for is left out by
 * library, so that a long queue of it does not hide the rest. Each row is looked up by a lateral query with a limit of its
 * own, because as a join a server without fresh statistics (just after a first scan) reads all waiting jobs: 0.6 s at a million.
 */
export function headsSql(wanted: number, small = false): string {
  const rows = limit(wanted, 100);
  const queue = `select id, priority, rank, input_bytes from jobs
       where state = 'available' and retry_at is null and class = c.class and library_id = l.id
       order by priority, rank, id limit ${small ? DEEP : rows}`;
  return `
with keepable as materialized (
  select l.id, l.root_id, coalesce(l.profile ->> 'encoder', 'auto') as encoder
    from libraries l
   where l.enabled and l.root_id <> all($4::uuid[])
     and exists (select 1 from node_roots r where r.root_id = l.root_id and r.writable and r.problem is null and r.proved_at is not null
                    and r.node_id = any($3::text[]))
), heads as materialized (
  select h.id, h.priority, h.rank, l.root_id
    from keepable l
    cross join unnest($1::smallint[], $2::text[]) as c(class, encoder)
    cross join lateral (${small ? `select * from (${queue}) j where j.input_bytes <= $5 order by priority, rank, id limit ${rows}` : queue}) h
   where c.encoder = l.encoder
   order by h.priority, h.rank, h.id limit ${rows}
)
select ${headColumns}, h.root_id as root
  from heads h
  cross join lateral (select * from jobs where id = h.id limit 1) j
  cross join lateral (select * from media_files where id = j.file_id limit 1) f
 order by h.priority, h.rank, h.id`;
}

/** One job, whether it waits or not; null when it does not exist. */
export async function readHead(q: Queryable, jobId: number): Promise<Head | null> {
  const rows = await q.query<Head>(
    `select ${headColumns}, l.root_id as root
       from jobs j join media_files f on f.id = j.file_id join libraries l on l.id = j.library_id where j.id = $1`,
    [jobId],
  );
  return rows[0] ?? null;
}

/** The first of everything that waits and may begin, whoever is here to do it: why nothing can be given is asked of these. */
export function readWaiting(q: Queryable, wanted: number): Promise<Head[]> {
  return q.query<Head>(
    `with heads as materialized (
       select h.id, h.priority, h.rank, l.root_id
         from libraries l
         cross join lateral (select id, priority, rank from jobs where state = 'available' and library_id = l.id
                              order by priority, rank, id limit ${limit(wanted, 100) * 4}) h
        where l.enabled
     )
     select ${headColumns}, h.root_id as root
       from heads h
       cross join lateral (select * from jobs where id = h.id and retry_at is null limit 1) j
       cross join lateral (select * from media_files where id = j.file_id limit 1) f
      order by h.priority, h.rank, h.id limit ${limit(wanted, 100)}`,
  );
}

/** Of these classes, those of which something waits: one look into the index each. */
export async function waitingClasses(q: Queryable, classes: number[]): Promise<number[]> {
  const rows = await q.query<{ class: number }>(
    `select c.class from unnest($1::smallint[]) as c(class)
      where exists (select 1 from jobs where class = c.class and state = 'available' and retry_at is null)`,
    [classes],
  );
  return rows.map((row) => row.class);
}

/** Frames are what the film's rate and length give; a file without a rate is taken as one of 25 pictures a second. */
export const pixelsSql = `(f.width::float8 * f.height * f.duration_ms / 1000 * coalesce((
         select coalesce((s ->> 'averageFrameRate')::float8, (s ->> 'frameRate')::float8)
           from jsonb_array_elements(f.probe -> 'streams') s where s ->> 'kind' = 'video' limit 1), 25))`;

const headColumns = `j.id, j.file_id as "fileId", j.library_id as "libraryId", j.class, j.priority, j.rank, j.input_bytes as "inputBytes",
       ${pixelsSql} as pixels, coalesce(j.profile ->> 'encoder', 'auto') as encoder, coalesce(j.profile ->> 'verification' = 'second-look', false) as "secondLook"`;
