import type { Queryable } from './connect.ts';
import { presentTables, rowsOf } from './export.ts';

/**
 * Two databases, row by row: both are read in the order of the primary key and every row is compared with its counterpart,
 * so that a difference has a name and not only a digest.
 */
export interface Comparison {
  tables: { name: string; rows: number }[];
  rows: number;
  /** the first few, in words */
  differences: string[];
}

const SHOWN = 10;

/** `here` and `there` must be of the same schema. Ends early when there are more differences than anybody reads. */
export async function compareDatabases(
  here: Queryable,
  there: Queryable,
  options: { signal?: AbortSignal | undefined; onProgress?: ((progress: { table: string; rows: number }) => void) | undefined } = {},
): Promise<Comparison> {
  const result: Comparison = { tables: [], rows: 0, differences: [] };
  for (const name of await presentTables(here)) {
    let rows = 0;
    const [ours, theirs] = [each(here, name, options.signal), each(there, name, options.signal)];
    for (;;) {
      const [a, b] = [(await ours.next()).value, (await theirs.next()).value] as [string | undefined, string | undefined];
      if (a === undefined && b === undefined) break;
      rows++;
      if (a !== b) result.differences.push(difference(name, a, b));
      if (result.differences.length >= SHOWN) return result;
      // after a row that only one side has, every following one would be called different
      if (a === undefined || b === undefined) break;
      if (rows % 1000 === 0) options.onProgress?.({ table: name, rows });
    }
    options.onProgress?.({ table: name, rows });
    result.tables.push({ name, rows });
    result.rows += rows;
  }
  return result;
}

async function* each(q: Queryable, table: string, signal: AbortSignal | undefined): AsyncGenerator<string, undefined> {
  for await (const page of rowsOf(q, table, { signal })) yield* page.rows;
  return undefined;
}

/** Which row, and which of its columns. Values stay out of it: they may be secrets. */
function difference(table: string, a: string | undefined, b: string | undefined): string {
  if (a === undefined) return `${table}: ${labelOf(b!)} is only in the copy`;
  if (b === undefined) return `${table}: ${labelOf(a)} is missing in the copy`;
  const [left, right] = [JSON.parse(a) as Record<string, unknown>, JSON.parse(b) as Record<string, unknown>];
  const columns = Object.keys({ ...left, ...right }).filter((key) => JSON.stringify(left[key]) !== JSON.stringify(right[key]));
  return `${table}: ${labelOf(a)} differs in ${columns.join(', ') || 'its order'}`;
}

function labelOf(row: string): string {
  const first = Object.entries(JSON.parse(row) as Record<string, unknown>).find(([key]) => key === 'id' || key === 'key' || key === 'name');
  return first ? `${first[0]} ${String(first[1]).slice(0, 60)}` : 'a row';
}
