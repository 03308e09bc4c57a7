import type { Queryable } from './connect.ts';
import { presentTables, primaryKey, rowsOf } from './export.ts';

/**
 * Two databases, row by row: both are read in the order of the primary key and every row is compared with its counterpart,
 * so that a difference has a name and not only a digest. Rows are compared as PostgreSQL writes them and never as numbers
 * of this program, which would take 1.0 for 1.00 and round what is long.
 */
export interface Comparison {
  tables: { name: string; rows: number }[];
  rows: number;
  /** the first few, in words */
  differences: string[];
}

export interface CompareOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { table: string; rows: number }) => void) | undefined;
}

const SHOWN = 10;

/** `here` and `there` must be of the same schema. Ends early when there are more differences than anybody reads. */
export async function compareDatabases(here: Queryable, there: Queryable, options: CompareOptions = {}): Promise<Comparison> {
  const result: Comparison = { tables: [], rows: 0, differences: [] };
  for (const name of await presentTables(here)) {
    let rows = 0;
    for await (const found of compareTable(here, there, name, options.signal)) {
      rows++;
      if (found !== null) result.differences.push(found);
      if (result.differences.length >= SHOWN) return result;
      if (rows % 1000 === 0) options.onProgress?.({ table: name, rows });
    }
    options.onProgress?.({ table: name, rows });
    result.tables.push({ name, rows });
    result.rows += rows;
  }
  return result;
}

/** For each row of either side null, or what is wrong with it. */
async function* compareTable(here: Queryable, there: Queryable, table: string, signal?: AbortSignal): AsyncGenerator<string | null> {
  const key = await primaryKey(here, table);
  const called = (row: Row): string => `${table}: ${labelOf(row, key)}`;
  const [ours, theirs] = [each(here, table, signal), each(there, table, signal)];
  let [a, b] = [await next(ours), await next(theirs)];
  while (a || b) {
    if (a && b && a.key.join('\0') === b.key.join('\0')) {
      yield a.row === b.row ? null : `${called(a)} differs in ${differing(a.row, b.row)}`;
      [a, b] = [await next(ours), await next(theirs)];
    } else if (a && !(b && (await has(there, table, key, a.key)))) {
      yield `${called(a)} is missing in the copy`;
      a = await next(ours);
    } else {
      // the row of this side comes later over there, so what stands before it is of that side alone
      yield `${called(b!)} is only in the copy`;
      b = await next(theirs);
    }
  }
}

interface Row {
  row: string;
  key: string[];
}

async function* each(q: Queryable, table: string, signal: AbortSignal | undefined): AsyncGenerator<Row, undefined> {
  for await (const { rows, keys } of rowsOf(q, table, { signal })) for (const [i, row] of rows.entries()) yield { row, key: keys[i]! };
  return undefined;
}

async function next(rows: AsyncGenerator<Row, undefined>): Promise<Row | undefined> {
  return (await rows.next()).value;
}

/** By its id where it has one, else by its key. */
function labelOf({ row, key }: Row, columns: { name: string }[]): string {
  const { id } = columnsOf(row);
  if (typeof id === 'string') return `id ${id.slice(0, 60)}`;
  return columns.map(({ name }, i) => `${name} ${key[i]!.slice(0, 60)}`).join(', ');
}

async function has(q: Queryable, table: string, key: { name: string; type: string }[], values: string[]): Promise<boolean> {
  const same = key.map(({ name, type }, i) => `"${name}" = $${i + 1}::${type}`).join(' and ');
  return (await q.query(`select 1 from "${table}" where ${same}`, values)).length > 0;
}

/** Which of its columns. Values stay out of it: they may be secrets. */
function differing(a: string, b: string): string {
  const [left, right] = [columnsOf(a), columnsOf(b)];
  return Object.keys({ ...left, ...right })
    .filter((key) => JSON.stringify(left[key]) !== JSON.stringify(right[key]))
    .join(', ');
}

/** With numbers as they are written. */
function columnsOf(row: string): Record<string, unknown> {
  const asWritten = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' ? { number: context?.source } : value;
  return JSON.parse(row, asWritten) as Record<string, unknown>;
}
