import type { FileStatus } from '../core/job.ts';
import type { Queryable } from './connect.ts';
import { fileColumns, type MediaFileRow } from './media-files.ts';
import { cutPage, keyset, type Order, type Page, type PageWish } from './page.ts';
import { text } from './values.ts';

export interface FileFilter {
  libraryId?: number | null;
  status?: FileStatus | FileStatus[] | null;
  codec?: string | null;
  search?: string | null;
  /** a reason's code */
  reason?: string | null;
  /** 'saving' lists only files that have an expected size */
  sort?: 'recent' | 'title' | 'saving';
}

const orders: Record<NonNullable<FileFilter['sort']>, Order[]> = {
  recent: [{ sql: 'f.id', cast: 'bigint', descending: true }],
  title: [
    { sql: 'lower(f.title)', cast: 'text', descending: false },
    { sql: 'f.id', cast: 'bigint', descending: false },
  ],
  saving: [
    { sql: '(f.size_bytes - f.expected_bytes)', cast: 'bigint', descending: true },
    { sql: 'f.id', cast: 'bigint', descending: true },
  ],
};

/** One page of files: 50 rows unless said, forwards and backwards by cursor, never by offset. */
export async function listFiles(q: Queryable, filter: FileFilter, wish: PageWish = {}): Promise<Page<MediaFileRow>> {
  const sort = filter.sort ?? 'recent';
  const statuses = filter.status ? [filter.status].flat() : null;
  const params: unknown[] = [filter.libraryId ?? null, statuses, filter.codec ?? null, likePattern(filter.search), filter.reason ?? null];
  const set = keyset(orders[sort], wish, params.length + 1);
  const rows = await q.query<MediaFileRow & { key: string[] }>(
    `select ${fileColumns}, ${set.key} as key from media_files f
      where ($1::int is null or f.library_id = $1) and ($2::text[] is null or f.status = any($2)) and ($3::text is null or f.codec = $3)
        and ${searchSql('$4')} and ($5::text is null or f.reason ->> 'code' = $5) ${sort === 'saving' ? 'and f.expected_bytes is not null' : ''} and ${set.where}
      order by ${set.orderBy} limit ${set.limit}`,
    [...params, ...set.params],
  );
  return cutPage(rows, set);
}

/** The condition of a search over title, detail and path; `param` holds a pattern made by `likePattern`. */
export function searchSql(param: string): string {
  return `(${param}::text is null or (f.title || ' ' || f.detail || ' ' || (f.path collate "default")) ilike ${param})`;
}

/** What a person typed, as a pattern: every character stands for itself, words in their order. Null when nothing was typed. */
export function likePattern(search: string | null | undefined): string | null {
  const words = text((search ?? '').slice(0, 200)).trim();
  if (!words) return null;
  return `%${words.replace(/[\\%_]/g, (c) => `\\${c}`).replace(/\s+/g, '%')}%`;
}
