import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLog } from '../log.ts';
import { quietLog, dataDirectory } from '../testing/database.ts';
import { memoryFolder } from '../testing/memory-folder.ts';
import { connectDatabase, overEmbedded, type Database } from './connect.ts';
import { openEmbedded } from './embedded.ts';
import { enginePostgres } from './engine.ts';

const writerFile = fileURLToPath(new URL('../testing/database-writer.ts', import.meta.url));
const open = (dataDir: string): Promise<Database> => connectDatabase({ url: null, dataDir, log: quietLog(), migrations: null });

/** Starts the writing process and resolves when it has had `rows` more rows acknowledged. */
async function writer(dataDir: string, rows: number): Promise<{ child: ChildProcess; last(): number }> {
  const child = spawn(process.execPath, [writerFile, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let last = 0;
  let count = 0;
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      last = Number(line);
      if (++count === rows) resolve();
    });
    child.once('exit', (code, signal) => reject(new Error(`the writer ended by itself (${code ?? signal})`)));
  });
  return { child, last: () => last };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'close');
}

/** Every acknowledged row is there, the index agrees with the table, and nothing is in between. */
async function assertWhole(db: Database, acknowledged: number): Promise<void> {
  const [row] = await db.query<{ n: number; top: number; missing: number }>(
    `select count(*) as n, max(n) as top, (select count(*) from generate_series(1, $1::bigint) s where not exists (select 1 from written w where w.n = s)) as missing from written`,
    [acknowledged],
  );
  assert.equal(row!.missing, 0);
  assert.ok(row!.top >= acknowledged && row!.top <= acknowledged + 1, `acknowledged ${acknowledged}, found ${row!.top}`);
  assert.equal(row!.n, row!.top);
}

let made: string | null = null;

/** A data directory whose first start is over, made once for the tests that are about something else. */
async function readyDirectory(t: TestContext): Promise<string> {
  if (made === null) {
    made = fs.mkdtempSync(path.join(memoryFolder(), 'codecshift-ready-'));
    await (await open(made)).close();
  }
  const dataDir = dataDirectory(t);
  fs.cpSync(made, dataDir, { recursive: true });
  return dataDir;
}
after(() => made && fs.rmSync(made, { recursive: true, force: true }));

test('rounds of kill -9 while it writes lose no acknowledged row', async (t) => {
  const dataDir = await readyDirectory(t);
  for (let round = 0; round < 4; round++) {
    const { child, last } = await writer(dataDir, 25 + round * 10);
    await kill(child);
    const acknowledged = last();
    const db = await open(dataDir);
    await assertWhole(db, acknowledged);
    await db.close();
  }
});

test('a second process on the same data directory is refused and told who has it, and let in when that one is gone', async (t) => {
  const dataDir = await readyDirectory(t);
  const { child } = await writer(dataDir, 1);
  child.kill('SIGSTOP');
  await assert.rejects(open(dataDir), new RegExp(`Another CodecShift is running on .*process ${child.pid}`));
  await kill(child);
  const db = await open(dataDir);
  await assert.rejects(open(dataDir), new RegExp(`process ${process.pid}`));
  await db.close();
  assert.equal(
    fs.statSync(path.join(dataDir, 'database')).mode & 0o077,
    0,
    'the files inside are readable by all, so the directory must not be',
  );
});

test('a start on which commits do not reach the disk is refused', async (t) => {
  const dataDir = dataDirectory(t);
  await assert.rejects(openEmbedded({ dataDir, log: quietLog(), unsafe: true }), /does not reach the disk/);
  const db = await open(dataDir);
  await db.close();
});

test('a directory that is not a database is left as it is', async (t) => {
  const dataDir = dataDirectory(t);
  fs.mkdirSync(path.join(dataDir, 'database'));
  fs.writeFileSync(path.join(dataDir, 'database', 'letter.txt'), 'mine');
  await assert.rejects(open(dataDir), /is not empty and is not a database/);
  assert.equal(fs.readFileSync(path.join(dataDir, 'database', 'letter.txt'), 'utf8'), 'mine');
});

test('a database of another PostgreSQL is left as it is, and said with the ways out', async (t) => {
  const dataDir = await readyDirectory(t);
  await (await open(dataDir)).close();
  const mark = path.join(dataDir, 'database', 'PG_VERSION');
  assert.equal(fs.readFileSync(mark, 'utf8').trim(), String(enginePostgres), 'what this build says of its engine is not true');
  fs.writeFileSync(mark, '16\n');
  const before = fs.readdirSync(path.join(dataDir, 'database'));
  await assert.rejects(
    open(dataDir),
    (error: Error) =>
      /was made by PostgreSQL 16, with CodecShift \d[\d.]*; this version, .* brings PostgreSQL 18, .* Nothing was changed\./.test(
        error.message,
      ) && /Start the version that ran before once more, .*codecshift backup.*codecshift restore FILE/.test(error.message),
  );
  assert.deepEqual(fs.readdirSync(path.join(dataDir, 'database')), before);
});

test('a first start that was killed half way begins anew', async (t) => {
  const dataDir = dataDirectory(t);
  fs.mkdirSync(path.join(dataDir, 'database.new', 'global'), { recursive: true });
  fs.writeFileSync(path.join(dataDir, 'database.new', 'PG_VERSION'), '18\n');
  const db = await open(dataDir);
  assert.deepEqual(
    fs.readdirSync(dataDir).filter((name) => name.endsWith('.new')),
    [],
  );
  await db.close();
});

test('when its thread dies the database is opened again and keeps what was acknowledged', async (t) => {
  const dataDir = await readyDirectory(t);
  const options = { url: null, dataDir, log: quietLog(), migrations: null };
  const embedded = await openEmbedded(options);
  const db = await overEmbedded(embedded, options);
  t.after(() => db.close());
  await db.query('create table kept (n int)');
  for (let n = 0; n < 5; n++) await db.query('insert into kept values ($1)', [n]);
  await embedded.crash();
  assert.deepEqual(await db.query('select count(*) as n from kept'), [{ n: 5 }]);
  const interrupted = db.tx(async (q) => {
    await q.query('insert into kept values (99)');
    await embedded.crash();
    await q.query('insert into kept values (100)');
  });
  await assert.rejects(interrupted, { name: 'PlainError', retry: true });
  assert.deepEqual(await db.query('select count(*) as n from kept'), [{ n: 5 }]);
});

/** An open database whose directory can be taken away, and what it says of it. */
async function leaving(t: TestContext, againMs: number) {
  const dataDir = await readyDirectory(t);
  const lines: string[] = [];
  let wake = (): void => {};
  const log = createLog({ level: 'info', pretty: false, write: (line) => (lines.push(line), wake()) });
  const options = { url: null, dataDir, log, migrations: null, againMs };
  const embedded = await openEmbedded(options);
  const db = await overEmbedded(embedded, options);
  t.after(() => db.close());
  const [here, away] = [path.join(dataDir, 'database'), path.join(dataDir, 'away')];
  return {
    ...{ dataDir, embedded, db, here },
    leave: () => fs.renameSync(here, away),
    comeBack: () => fs.renameSync(away, here),
    says: async (what: string, times = 1): Promise<void> => {
      while (lines.filter((line) => line.includes(what)).length < times) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

test(
  'when it cannot be opened again it is tried until it can, nothing is made in its place, and who asks meanwhile may ask again',
  { timeout: 60_000 },
  async (t) => {
    const s = await leaving(t, 5);
    await s.db.query('create table kept (n int)');
    s.leave();
    await s.embedded.crash();
    await s.says('cannot be opened; it is tried again', 7); // more often than the thread of one that opens may die
    await assert.rejects(s.db.query('select count(*) from kept'), { name: 'PlainError', retry: true, message: /cannot be opened/ });
    assert.equal(fs.existsSync(s.here), false);
    s.comeBack();
    await s.says('is open again');
    assert.deepEqual(await s.db.query('select count(*) as n from kept'), [{ n: 0 }]);
  },
);

test('closing it while it cannot be opened ends the tries at once', { timeout: 60_000 }, async (t) => {
  const s = await leaving(t, 3_600_000);
  const timers = (): number => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
  s.leave();
  const before = timers();
  await s.embedded.crash();
  await s.says('it is tried again');
  assert.equal(timers(), before + 1);
  await s.db.close();
  assert.equal(timers(), before);
  s.comeBack();
  await (await open(s.dataDir)).close();
});

test('who waits for his turn when it closes is told so, and what has its turn comes to its end', { timeout: 60_000 }, async (t) => {
  const db = await open(await readyDirectory(t));
  await db.query('create table kept (n int)');
  const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const having = db.tx(async (q) => {
    begun.resolve();
    await goOn.promise;
    await q.query('insert into kept values (1)');
  });
  await begun.promise;
  const waiting = assert.rejects(db.query('select count(*) from kept'), { name: 'PlainError', message: /this program stops/ });
  const closing = db.close();
  await waiting;
  goOn.resolve();
  await having;
  await closing;
});

test('maintenance keeps the log from growing and repeats no work when nothing changed', async (t) => {
  const dataDir = await readyDirectory(t);
  const db = await connectDatabase({ url: null, dataDir, log: quietLog() });
  t.after(() => db.close());
  const redo = async (): Promise<string> =>
    (await db.query<{ lsn: string }>('select redo_lsn::text as lsn from pg_control_checkpoint()'))[0]!.lsn;
  await db.query('create table big as select repeat(md5(n::text), 20) as filler from generate_series(1, 2000) n');
  const before = await redo();
  await db.maintain();
  const after = await redo();
  assert.notEqual(after, before);
  await db.maintain();
  assert.equal(await redo(), after);
});

/**
 * A power cut as far as one machine can play it: the database lives on a file system in a file; the writer is stopped,
 * the file is copied (what was never synced is only in memory, and not in the copy), and the copy is opened.
 */
test(
  'a power cut loses no acknowledged row',
  { skip: canMount() ? false : 'needs root and a loop device to play a power cut' },
  async (t) => {
    for (let round = 0; round < 3; round++) await powerCut(t, 20 + 30 * round);
  },
);

async function powerCut(t: TestContext, rows: number): Promise<void> {
  const base = dataDirectory(t);
  const [disk, copy] = [path.join(base, 'disk.img'), path.join(base, 'copy.img')];
  makeDisk(disk);
  let acknowledged = 0;
  await mounted(disk, path.join(base, 'mounted'), async (dataDir) => {
    const { child, last } = await writer(dataDir, rows);
    child.kill('SIGSTOP');
    fs.copyFileSync(disk, copy);
    acknowledged = last();
    await kill(child);
  });
  await mounted(copy, path.join(base, 'recovered'), async (dataDir) => {
    const db = await open(dataDir);
    try {
      await assertAcknowledged(db, acknowledged);
    } finally {
      await db.close();
    }
  });
}

async function mounted(disk: string, at: string, work: (dataDir: string) => Promise<void>): Promise<void> {
  fs.mkdirSync(at);
  execFileSync('mount', ['-o', 'loop', disk, at]);
  try {
    const dataDir = path.join(at, 'data');
    fs.mkdirSync(dataDir, { recursive: true });
    await work(dataDir);
  } finally {
    execFileSync('umount', [at]);
  }
}

/** The stopped writer may have had more acknowledged than its last line told us, so here only nothing may be missing. */
async function assertAcknowledged(db: Database, acknowledged: number): Promise<void> {
  const [row] = await db.query<{ missing: number }>(
    `select count(*) as missing from generate_series(1, $1::bigint) s where not exists (select 1 from written w where w.n = s)`,
    [acknowledged],
  );
  assert.equal(row!.missing, 0);
}

function makeDisk(file: string): void {
  fs.writeFileSync(file, '');
  fs.truncateSync(file, 256 * 1024 * 1024);
  execFileSync('mkfs.ext4', ['-q', '-F', file]);
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const probe = fs.mkdtempSync('/tmp/codecshift-mount-');
  try {
    const disk = path.join(probe, 'disk.img');
    fs.writeFileSync(disk, '');
    fs.truncateSync(disk, 4 * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-F', disk], { stdio: 'ignore' });
    fs.mkdirSync(path.join(probe, 'at'));
    execFileSync('mount', ['-o', 'loop', disk, path.join(probe, 'at')], { stdio: 'ignore' });
    execFileSync('umount', [path.join(probe, 'at')], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    fs.rmSync(probe, { recursive: true, force: true });
  }
}
