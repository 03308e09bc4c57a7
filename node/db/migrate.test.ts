import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { eachDatabase, emptyUrl, havePostgres, quietLog, dataDirectory, withDatabase } from '../testing/database.ts';
import { connectDatabase, type Database } from './connect.ts';
import { ownBackups } from './backup-before.ts';
import { listBackups } from './backup-folder.ts';
import { exportedTables, derivedTables } from './export.ts';
import { readMigrations, type Migration } from './migrate.ts';

const needsPostgres = { skip: havePostgres() ? false : 'needs PostgreSQL' };

eachDatabase((kind) => {
  test('migrations are applied once, in order, and a failing one leaves nothing behind', async (t) => {
    const [dataDir, directory] = [dataDirectory(t), dataDirectory(t)];
    const url = kind === 'postgres' ? await emptyUrl(t) : null;
    const write = (name: string, sql: string): void => fs.writeFileSync(path.join(directory, name), sql);
    const open = (): Promise<Database> => connectDatabase({ url, dataDir, log: quietLog(), migrations: readMigrations(directory) });
    for (const name of fs.readdirSync('migrations')) fs.copyFileSync(path.join('migrations', name), path.join(directory, name));
    const next = String(readMigrations(directory).length + 1).padStart(4, '0');
    await (await open()).close();

    write(`${next}_broken.sql`, 'create table half (id int); select no_such_function();');
    await assert.rejects(open(), /broken\.sql failed .*no_such_function/);
    write(`${next}_broken.sql`, '-- codecshift: no-transaction\ncreate index concurrently libraries_by_age on libraries (created_at);\r\n');
    const db = await open();
    assert.deepEqual(await db.query(`select to_regclass('half') as half, to_regclass('libraries_by_age') is not null as made`), [
      { half: null, made: true },
    ]);
    await db.close();

    write(`${next}_broken.sql`, '-- codecshift: no-transaction\ncreate index concurrently libraries_by_age on libraries (created_at);\n');
    await (await open()).close();
    write(`${next}_broken.sql`, 'select 1');
    await assert.rejects(open(), /broken\.sql is not the one that made this database/);
    fs.rmSync(path.join(directory, `${next}_broken.sql`));
    await assert.rejects(open(), /newer CodecShift/);
    if (kind === 'embedded') assert.ok((await listBackups(ownBackups(dataDir))).some(({ label }) => label.startsWith('before-upgrade')));
  });

  test('an export knows every table of the schema', async (t) => {
    const dataDir = dataDirectory(t);
    const db = await connectDatabase({ url: kind === 'postgres' ? await emptyUrl(t) : null, dataDir, log: quietLog() });
    t.after(() => db.close());
    const rows = await db.query<{ name: string }>(`select tablename as name from pg_tables where schemaname = 'public' order by 1`);
    assert.deepEqual(
      rows.map((r) => r.name),
      [...exportedTables, ...derivedTables].toSorted(),
    );
  });
});

test('a gap in the numbers is refused', (t) => {
  const directory = dataDirectory(t);
  fs.writeFileSync(path.join(directory, '0002_late.sql'), 'select 1');
  assert.throws(() => readMigrations(directory), /gap before 0002_late\.sql/);
});

test('three processes that start at once on an empty database migrate it once', needsPostgres, async (t) => {
  const url = await emptyUrl(t);
  const script = `import { connectDatabase } from ${JSON.stringify(new URL('./connect.ts', import.meta.url).href)};
    import { createLog } from ${JSON.stringify(new URL('../log.ts', import.meta.url).href)};
    const db = await connectDatabase({ url: process.argv[1], dataDir: '.', log: createLog({ level: 'silent', pretty: false }) });
    await db.query('select 1 from media_files'); await db.close();`;
  const codes = await Promise.all(
    [1, 2, 3].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, url], { stdio: 'inherit' });
      return (await once(child, 'exit'))[0] as number;
    }),
  );
  assert.deepEqual(codes, [0, 0, 0]);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select count(*)::int as n, max(version) as newest from schema_migrations');
  await client.end();
  assert.deepEqual(rows[0], { n: readMigrations().length, newest: readMigrations().length });
});

test(
  'an unreachable server, a wrong password, a missing database and a bad address are each said in one sentence',
  needsPostgres,
  async (t) => {
    const url = new URL(await emptyUrl(t));
    const open = (address: string, migrations: Migration[] | null = null): Promise<Database> =>
      connectDatabase({ url: address, dataDir: dataDirectory(t), log: quietLog(), patienceSeconds: 0, migrations });
    const wrong = new URL(url);
    wrong.password = 'wrong-secret';
    await assert.rejects(
      open(wrong.href),
      (error: Error) => /refused the user name or password/.test(error.message) && !error.message.includes('wrong-secret'),
    );
    await assert.rejects(open(withDatabase(url.href, 'nowhere')), /no such database/);
    const closed = new URL(url);
    closed.port = '1';
    await assert.rejects(open(closed.href), /cannot be reached \(ECONNREFUSED\)/);
    await assert.rejects(open('not an address'), /not a URL/);
    await assert.rejects(open('mysql://me:tellnobody@host/films'), (error: Error) => {
      return (
        /begins with mysql:\/\/, and CodecShift speaks to PostgreSQL only/.test(error.message) && !error.message.includes('tellnobody')
      );
    });
  },
);
