import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { createGunzip } from 'node:zlib';
import { PlainError } from '../errors.ts';
import type { Database, Queryable } from './connect.ts';
import { acquireLease, resignLease } from './coordinator.ts';
import { exportedTables, type Manifest } from './export.ts';

/**
 * Brings an export into an empty database of the same schema, in one transaction, as a coordinator of its own: while it
 * writes, nobody else leads. Every table is compared with its digest; one that differs stops the import before its first row.
 * @throws PlainError when the target is not empty, has another schema, is led, or the export is damaged
 */
export async function importDatabase(db: Database, directory: string): Promise<void> {
  const manifest = readManifest(directory);
  const who = { node: 'import', session: randomUUID(), url: null, ttlSeconds: 3600 };
  await refuseUnfit(db, manifest);
  // an export of another schema, which has other tables, is refused for that and not called damaged
  for (const table of exportedTables) await verifyTable(directory, table, manifest);
  const term = await acquireLease(db, who);
  if (term === null) throw new PlainError('A coordinator is running on the target database. Stop it first.');
  try {
    await db.withTerm(term).tx(async (q) => {
      for (const table of exportedTables) await importTable(q, directory, table);
      await continueIds(q);
      await q.query(`select setval('job_pins', $1)`, [manifest.pins]);
    });
    // terms go on from the higher of both, so that no attempt of the past can look current
    await db.query(`update coordinator set term = greatest(term, $1)`, [manifest.term]);
  } finally {
    await resignLease(db, who);
  }
}

function readManifest(directory: string): Manifest {
  try {
    const manifest = JSON.parse(fs.readFileSync(path.join(directory, 'manifest.json'), 'utf8')) as Manifest;
    if (manifest.format === 1) return manifest;
  } catch (cause) {
    throw new PlainError(`${directory} holds no export: its manifest.json cannot be read.`, { cause });
  }
  throw new PlainError(`${directory} was exported by another version of CodecShift and cannot be read by this one.`);
}

async function refuseUnfit(db: Database, manifest: Manifest): Promise<void> {
  const [state] = await db.query<{ schema: number }>('select max(version) as schema from schema_migrations');
  if (state!.schema !== manifest.schema) {
    throw new PlainError(
      `The export has schema version ${manifest.schema}, the target ${state!.schema}. Import it with the version of CodecShift that made it, then upgrade.`,
    );
  }
  for (const table of exportedTables) {
    if ((await db.query(`select 1 from ${table} limit 1`)).length > 0)
      throw new PlainError(`The target database is not empty: it has rows in ${table}.`);
  }
}

async function verifyTable(directory: string, table: string, manifest: Manifest): Promise<void> {
  const hash = createHash('sha256');
  let rows = 0;
  try {
    for await (const line of linesOf(unzip(directory, table))) {
      hash.update(`${line}\n`);
      rows++;
    }
  } catch (cause) {
    throw damaged(table, cause);
  }
  const said = manifest.tables.find((t) => t.name === table);
  if (said?.rows !== rows || said.sha256 !== hash.digest('hex')) throw damaged(table);
}

function damaged(table: string, cause?: unknown): PlainError {
  return new PlainError(`The export of ${table} is damaged: it does not match its digest. Nothing was imported.`, { cause });
}

async function importTable(q: Queryable, directory: string, table: string): Promise<void> {
  let page: string[] = [];
  for await (const line of linesOf(unzip(directory, table))) {
    page.push(line);
    if (page.length < 500) continue;
    await insert(q, table, page);
    page = [];
  }
  await insert(q, table, page);
}

function unzip(directory: string, table: string): AsyncIterable<Buffer> {
  const source = fs.createReadStream(path.join(directory, `${table}.jsonl.gz`));
  const unzipped = createGunzip();
  source.on('error', (error) => unzipped.destroy(error));
  return source.pipe(unzipped);
}

/** Ids go on behind the highest imported one. */
async function continueIds(q: Queryable): Promise<void> {
  const columns = await q.query<{ table: string; column: string }>(
    `select table_name as table, column_name as column from information_schema.columns
      where table_schema = 'public' and is_identity = 'YES' and table_name = any($1::text[])`,
    [[...exportedTables]],
  );
  for (const { table, column } of columns) {
    await q.query(`select setval(pg_get_serial_sequence($1, $2), coalesce(max(${column}), 0) + 1, false) from ${table}`, [table, column]);
  }
}

/** Only a line feed ends a row: node's readline would also break at U+2028 inside a name. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield rest.toString('utf8', 0, end);
      rest = rest.subarray(end + 1);
    }
  }
  if (rest.length > 0) yield rest.toString();
}

async function insert(q: Queryable, table: string, rows: string[]): Promise<void> {
  if (rows.length === 0) return;
  await q.query(`insert into ${table} overriding system value select * from jsonb_populate_recordset(null::${table}, $1::jsonb)`, [
    `[${rows.join(',')}]`,
  ]);
}
