import { PlainError } from '../errors.ts';
import { readBackup, type BackupContents } from './backup-read.ts';
import type { Queryable } from './connect.ts';
import { presentTables, readState, rowsOf } from './export.ts';
import { compareDatabases, type Comparison } from './compare.ts';
import { compareDigests, type RowSource } from './rebuild.ts';

/** A backup as the source of a database. It is read once more: what it says was verified before. */
export function rowsOfBackup(
  file: string,
  contents: BackupContents,
  options: { passphrase?: string | null | undefined; signal?: AbortSignal | undefined },
): RowSource {
  const { schema, term, pins, tables } = contents.manifest;
  return {
    schema,
    term,
    pins,
    async *rows() {
      for await (const part of readBackup(file, options)) if (part.kind === 'rows') yield part;
    },
    compare: (q) => compareDigests(q, tables, options.signal),
  };
}

/** Another database as the source, as it is in one snapshot. Every row of both is compared afterwards. */
export async function rowsOfDatabase(
  from: Queryable,
  options: {
    signal?: AbortSignal | undefined;
    onCompare?: ((progress: { table: string; rows: number }) => void) | undefined;
    onCompared?: (comparison: Comparison) => void;
  } = {},
): Promise<RowSource> {
  const tables = await presentTables(from);
  return {
    ...(await readState(from)),
    async *rows() {
      for (const table of tables) for await (const { rows } of rowsOf(from, table, { signal: options.signal })) yield { table, rows };
    },
    async compare(q) {
      const comparison = await compareDatabases(from, q, { signal: options.signal, onProgress: options.onCompare });
      options.onCompared?.(comparison);
      if (comparison.differences.length > 0)
        throw new PlainError(`The copy is not equal. Nothing was changed. ${comparison.differences.join('; ')}.`);
    },
  };
}

/** The first table that has rows; null: there is nothing to lose, or nothing at all. */
export async function firstFilledTable(q: Queryable): Promise<string | null> {
  for (const table of await presentTables(q)) if ((await q.query(`select 1 from ${table} limit 1`)).length > 0) return table;
  return null;
}
