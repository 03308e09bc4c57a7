import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Books } from '../../node/testing/books.ts';
import type { Film } from './library.ts';
import type { Became } from './oracle-films.ts';
import type { Finding, Judged } from './findings.ts';

/** The books agree with themselves, with the disk, and with the order of the terms. */
export async function checkBooks(
  books: Books,
  share: string,
  films: readonly Film[],
  became: readonly Became[],
  findings: Finding[],
  figures: Judged['figures'],
): Promise<void> {
  const note = (says: string): void => void findings.push({ about: 'books', says });
  for (const says of await brokenLaws(books)) note(says);
  await compareWithDisk(books, share, films, became, note);
  for (const [name, sql] of Object.entries(counts))
    for (const row of await books.query<{ what: string; n: number }>(sql)) figures[`${name} ${row.what}`] = Number(row.n);
}

/** What the books say that cannot be, in words. */
export async function brokenLaws(books: Books): Promise<string[]> {
  const broken: string[] = [];
  for (const [sentence, sql] of Object.entries(laws)) {
    const rows = await books.query<Record<string, unknown>>(sql);
    const shown = rows.slice(0, 3).map((row) => JSON.stringify(row));
    if (rows.length > 0) broken.push(`${sentence}: ${shown.join(' ')}${rows.length > 3 ? ` and ${rows.length - 3} more` : ''}`);
  }
  return broken;
}

/** Each names what must not be there. */
const laws: Record<string, string> = {
  'a job is still open': `select id, state, reason from jobs where state not in ('completed', 'failed', 'cancelled')`,
  'a job failed and its file has no later one that completed': `
    select j.id, j.state, j.failures, j.reason, f.path from jobs j join media_files f on f.id = j.file_id
     where j.state <> 'completed' and not exists (select 1 from jobs k where k.file_id = j.file_id and k.id > j.id and k.state = 'completed')`,
  'an attempt is still open': `select id, job_id, state from attempts where ended_at is null`,
  'a replaced job has not exactly one attempt that succeeded': `
    select j.id, array_agg(a.state order by a.id) from jobs j left join attempts a on a.job_id = j.id where j.outcome = 'replaced'
     group by j.id having count(*) filter (where a.state = 'succeeded') <> 1`,
  'an attempt succeeded for a job that was not replaced': `
    select a.id, j.id as job, j.state, j.outcome from attempts a join jobs j on j.id = a.job_id
     where a.state = 'succeeded' and (j.outcome is distinct from 'replaced' or j.attempt_id <> a.id)`,
  'a file was replaced twice': `select file_id, count(*) from jobs where outcome = 'replaced' group by 1 having count(*) > 1`,
  'a file has more than one row': `select library_id, path, count(*) from media_files group by 1, 2 having count(*) > 1`,
  'a replaced job has not exactly one original in the trash': `
    select j.id, count(o.id) from jobs j left join originals o on o.job_id = j.id and o.state = 'kept' where j.outcome = 'replaced' group by 1 having count(o.id) <> 1`,
  'an attempt of an older term was written after one of a newer': `
    select * from (select id, term, max(term) over (order by id rows between unbounded preceding and 1 preceding) as before from attempts) a where term < before`,
  'activity of an older term was written after that of a newer': `
    select * from (select id, term, kind, max(term) over (order by id rows between unbounded preceding and 1 preceding) as before from activity) a where term < before`,
  'a row carries a term that never was': `
    select max(term) as highest from (select term from attempts union all select term from activity) t having max(term) > (select term from coordinator)`,
  'the days do not add up': `
    select d.*, j.* from
      (select coalesce(sum(replaced), 0)::int replaced, coalesce(sum(kept), 0)::int kept, coalesce(sum(failed), 0)::int failed,
              coalesce(sum(bytes_in), 0)::bigint bytes_in, coalesce(sum(bytes_out), 0)::bigint bytes_out from stats_daily) d,
      (select count(*) filter (where outcome = 'replaced')::int as j_replaced, count(*) filter (where outcome = 'kept')::int as j_kept,
              count(*) filter (where state = 'failed')::int as j_failed from jobs) j,
      (select coalesce(sum(size_bytes), 0)::bigint as o_in from originals where state = 'kept') o,
      (select coalesce(sum(size_bytes), 0)::bigint as f_out from media_files where status = 'done') f
     where (d.replaced, d.kept, d.failed, d.bytes_in, d.bytes_out) is distinct from (j.j_replaced, j.j_kept, j.j_failed, o.o_in, f.f_out)`,
  'the counters of jobs are wrong': `
    select * from (select state, sum(n)::bigint as counted from (select state, n from job_counts union all select state, n from job_deltas) c group by 1) c
      full join (select state, count(*) as real from jobs group by 1) j using (state) where coalesce(counted, 0) <> coalesce(real, 0)`,
  'the counters of files are wrong': `
    select * from (select status, sum(n)::bigint as counted from (select status, n from file_counts union all select status, n from file_deltas) c group by 1) c
      full join (select status, count(*) as real from media_files group by 1) j using (status) where coalesce(counted, 0) <> coalesce(real, 0)`,
  'a replacement was not told exactly once': `
    select j.id, count(a.id) from jobs j left join activity a on a.job_id = j.id and a.kind = 'replaced' where j.outcome = 'replaced' group by 1 having count(a.id) <> 1`,
};

const counts = {
  jobs: `select coalesce(outcome, state) as what, count(*) as n from jobs group by 1 order by 1`,
  attempts: `select state as what, count(*) as n from attempts group by 1 order by 1`,
  'attempts ended by': `select reason->>'code' as what, count(*) as n from attempts where state not in ('succeeded') group by 1 order by 2 desc`,
  'replaced by': `select coalesce(n.name, a.node_id) as what, count(*) as n from attempts a left join nodes n on n.id = a.node_id where a.state = 'succeeded' group by 1 order by 1`,
  terms: `select 'last' as what, term as n from coordinator`,
};

async function compareWithDisk(
  books: Books,
  share: string,
  films: readonly Film[],
  became: readonly Became[],
  note: (says: string) => void,
): Promise<void> {
  const rows = new Map((await books.files()).map((row) => [row.path, row]));
  const kept = await books.query<{ trash_path: string; size_bytes: number }>(
    `select trash_path, size_bytes from originals where state = 'kept'`,
  );
  for (const { film, name, sizeBytes, how, trash } of became) {
    const row = rows.get(name);
    rows.delete(name);
    if (!row) note(`the books do not know ${name}`);
    else {
      if (row.size_bytes !== sizeBytes) note(`the books say ${row.size_bytes} bytes of ${name}, the disk ${sizeBytes}`);
      if ((row.status === 'done') !== (how === 'converted')) note(`the books call ${name} ${row.status}, the disk says ${how}`);
      if (how === 'converted' && row.codec !== 'hevc') note(`the books say ${row.codec} of ${name}, which is HEVC`);
      if (how === 'converted' && row.original_bytes !== film.sizeBytes)
        note(`the books say ${name} had ${row.original_bytes} bytes, it had ${film.sizeBytes}`);
      if (film.fate === 'converted' && how === 'original' && row.status !== 'kept')
        note(`${name} was not converted: ${row.status}, ${JSON.stringify(row.reason)}`);
    }
    if (trash !== null && !kept.some(({ trash_path }) => trash_path === trash))
      note(`the books do not know the original of ${name} in ${trash}`);
  }
  for (const row of rows.values()) note(`the books know ${row.path} (${row.status}), which is not there`);
  for (const { trash_path, size_bytes } of kept)
    if (statSync(join(share, trash_path), { throwIfNoEntry: false })?.size !== size_bytes)
      note(`the original in ${trash_path} is not there or not whole`);
  if (films.length !== became.length) note(`${films.length} films were put there, ${became.length} found`);
}
