import { limit } from './values.ts';

/** Where a list goes on. A cursor is opaque, belongs to one list and order, and is safe to take from a URL. */
export interface PageWish {
  after?: string | null;
  before?: string | null;
  /** rows per page, at most 200; 50 unless said */
  size?: number;
}

export interface Page<T> {
  rows: T[];
  /** the cursor of the page before this one, null on the first page */
  before: string | null;
  /** the cursor of the next page, null on the last page */
  after: string | null;
}

/** One column of a list's order. The last one must be unique. */
export interface Order {
  sql: string;
  cast: 'bigint' | 'timestamptz' | 'text';
  descending: boolean;
}

/** The pieces of a keyset query: condition, order and limit, with its parameters numbered from `first`. */
export interface Keyset {
  where: string;
  orderBy: string;
  limit: number;
  params: unknown[];
  size: number;
  backwards: boolean;
  key: string;
}

/**
 * Turns a wish into SQL pieces. Every column of one order must point the same way, so that one row comparison
 * `(a, b) > ($1, $2)` walks the index; a mixed order would need the OR form, which PostgreSQL cannot start inside an index.
 */
export function keyset(order: Order[], wish: PageWish, first: number): Keyset {
  const size = limit(wish.size ?? 50, 200);
  const backwards = !wish.after && Boolean(wish.before);
  const cursor = decode(wish.after ?? wish.before ?? null, order);
  const descending = order[0]!.descending !== backwards;
  const columns = order.map((o) => o.sql).join(', ');
  const values = order.map((o, i) => `$${first + i}::${o.cast}`).join(', ');
  return {
    where: cursor ? `(${columns}) ${descending ? '<' : '>'} (${values})` : 'true',
    orderBy: order.map((o) => `${o.sql} ${descending ? 'desc' : 'asc'}`).join(', '),
    limit: size + 1,
    params: cursor ?? [],
    size,
    backwards: backwards && cursor !== null,
    // text of the order's values, so that a timestamp keeps its microseconds, which a Date would cut off
    key: `array[${order.map((o) => `(${o.sql})::text`).join(', ')}]`,
  };
}

/** Cuts the extra row off, turns a backwards page round and makes the cursors. Rows must carry `key` from `Keyset.key`. */
export function cutPage<T extends { key: string[] }>(found: T[], set: Keyset): Page<Omit<T, 'key'>> {
  const more = found.length > set.size;
  const rows = found.slice(0, set.size);
  if (set.backwards) rows.reverse();
  const started = set.params.length > 0;
  const hasBefore = set.backwards ? more : started;
  const hasAfter = set.backwards ? true : more;
  const edge = (row: T | undefined): string | null => (row ? encode(row.key) : null);
  return {
    before: hasBefore ? edge(rows[0]) : null,
    after: hasAfter ? edge(rows.at(-1)) : null,
    rows: rows.map(({ key: _key, ...row }) => row),
  };
}

function encode(key: string[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** A cursor that does not fit is treated as none: somebody edited a URL, and the first page is a good answer. */
function decode(cursor: string | null, order: Order[]): string[] | null {
  if (!cursor || cursor.length > 20_000) return null;
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (!Array.isArray(key) || key.length !== order.length) return null;
    return key.every((part, i) => typeof part === 'string' && fits(part, order[i]!)) ? (key as string[]) : null;
  } catch {
    return null;
  }
}

/** Whether it could be a cursor at all, of this list or another one. */
export function isCursor(text: string): boolean {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(key) && key.length > 0 && key.every((part) => typeof part === 'string');
  } catch {
    return false;
  }
}

function fits(part: string, order: Order): boolean {
  if (order.cast === 'bigint') return /^-?\d{1,18}$/.test(part);
  if (order.cast === 'timestamptz') return /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d)?$/.test(part);
  return !part.includes('\0') && part.isWellFormed();
}
