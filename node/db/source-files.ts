import type { Reason } from '../core/reasons.ts';
import type { Queryable } from './connect.ts';
import { text } from './values.ts';

/**
 * Files of a watched library get the names by which its server knows them; of a double episode the first one's. An item
 * with several versions says so, because its files would look alike in every list. Returns how many changed.
 */
export async function nameFiles(q: Queryable, libraryId: number): Promise<number> {
  const rows = await q.query(
    `update media_files f set title = n.title, detail = n.detail, updated_at = f.updated_at
       from (select distinct on (f.id) f.id, i.title,
                    left(concat_ws(' · ', nullif(i.detail, ''), case when i.versions > 1 then 'one of ' || i.versions || ' versions' end), 200) as detail
               from libraries l join media_files f on f.library_id = l.id join source_items i on ${itemOfFile}
              where l.id = $1 order by f.id, i.detail, i.ref) n
      where f.id = n.id and (f.title, f.detail) is distinct from (n.title, n.detail) and ${notRunning}
      returning 1`,
    [libraryId],
  );
  return rows.length;
}

/**
 * What the server does not know, and films in several parts, are left alone before a disk is touched for them; a waiting job
 * of such a film goes. What it knows by now, or what is one part again, is new. Returns how many files changed.
 */
export async function settleByItems(q: Queryable, libraryId: number, source: string): Promise<number> {
  const rows = await q.query(
    `with known as materialized (
       select f.id, f.status, f.reason ->> 'code' as code, max(i.parts) as parts
         from libraries l join media_files f on f.library_id = l.id left join source_items i on ${itemOfFile}
        where l.id = $1 and f.excluded_by is null
          and (f.status in ('new', 'queued') or (f.status = 'skipped' and f.reason ->> 'code' in ('not-in-source', 'multi-part')))
        group by f.id
     ), decided as (
       select id, case when parts is null and status <> 'queued' then jsonb_build_object('code', 'not-in-source', 'params', jsonb_build_object('source', $2::text))
                       when parts > 1 then jsonb_build_object('code', 'multi-part', 'params', jsonb_build_object('parts', parts)) end as reason,
              status, code from known
     ), written as (
       update media_files f set status = case when d.reason is null then 'new' else 'skipped' end, reason = d.reason, updated_at = now()
         from decided d
        where f.id = d.id and ${notRunning} and case d.status when 'skipped' then d.reason ->> 'code' is distinct from d.code else d.reason is not null end
       returning f.id, f.reason
     ), stale as (
       update jobs j set state = 'cancelled', retry_at = null, finished_at = now(), reason = w.reason
         from written w where j.file_id = w.id and j.state in ('available', 'held')
     )
     select 1 from written`,
    [libraryId, text(source)],
  );
  return rows.length;
}

/** Why a file of a watched library is left alone, as far as its server is concerned; null: it is not. */
export async function itemRefusal(q: Queryable, fileId: number): Promise<Reason | null> {
  const [row] = await q.query<{ source: string; parts: number | null }>(
    `select o.name as source, max(i.parts) as parts
       from media_files f join libraries l on l.id = f.library_id join source_libraries s on s.id = l.source_library_id
       join sources o on o.id = s.source_id left join source_items i on ${itemOfFile}
      where f.id = $1 group by o.name`,
    [fileId],
  );
  if (!row) return null;
  if (row.parts === null) return { code: 'not-in-source', params: { source: row.source } };
  return row.parts > 1 ? { code: 'multi-part', params: { parts: row.parts } } : null;
}

const notRunning = `not exists (select 1 from jobs r where r.file_id = f.id and r.state = 'running')`;
const itemOfFile = `i.source_library_id = l.source_library_id and i.root_id = l.root_id and i.file_path = f.path`;
