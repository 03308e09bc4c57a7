import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import postgres from 'postgres';
import { backUp } from '../db/backup-write.ts';
import { compareDatabases } from '../db/compare.ts';
import { connectDatabase, openSession } from '../db/connect.ts';
import { acquireLease, readMoved } from '../db/coordinator.ts';
import type { Fault } from '../files/durable.ts';
import { emptyUrl, havePostgres, quietLog } from '../testing/database.ts';
import { memoryFolder } from '../testing/memory-folder.ts';
import { aHistory } from '../testing/history.ts';
import { andClose } from '../db/hold.ts';
import { thorough, unlessAll } from '../testing/thorough.ts';
import { requireTruth } from './database-left.ts';
import { moveDatabase } from './move.ts';
import { restoreBackup } from './restore.ts';

/**
 * A restore and a move are killed at every step; the next start has the old database or the new one, whole, and knows
 * which. The points are walked through in turn, each with a process of its own.
 */
const entry = path.join(import.meta.dirname, '..', 'testing', 'faulty-database.ts');
const skipped = havePostgres() ? false : 'no PostgreSQL on this machine';
const cleanups: (() => unknown)[] = [];
const t = { after: (fn: () => Promise<void> | void): void => void cleanups.push(fn) };

/** A data directory with a history, made once and copied. */
let seed = '';
let backup = '';

before(async () => {
  seed = mkdtempSync(path.join(memoryFolder(), 'codecshift-seed-'));
  cleanups.push(() => rmSync(seed, { recursive: true, force: true }));
  const db = await connectDatabase({ url: null, dataDir: seed, log: quietLog() });
  const term = await acquireLease(db, { node: 'seed', session: '00000000-0000-4000-8000-000000000001', url: null, ttlSeconds: 600 });
  await aHistory(db.withTerm(term!), 40);
  const made = await backUp(db, path.join(seed, 'backups'), {
    label: 'manual',
    keys: { 'secret.key': Buffer.alloc(32, 9), 'node.key': Buffer.from('n') },
  });
  backup = made.file;
  await db.withTerm(term!).query(`update settings set value = '"after"' where key = 'a'`);
  await db.query(`update coordinator set lease_until = '-infinity'`);
  await db.close();
});
after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

suite('a restore into the embedded database', () => {
  const steps = ['restore:built', 'restore:ready', 'restore:decided', 'restore:aside', 'restore:in-place', 'restore:keys'];
  for (const point of thorough ? steps : ['restore:ready', 'restore:aside'])
    test(`killed at ${point}`, async () => {
      const dataDir = copyOfSeed();
      assert.equal((await run(['restore', dataDir, 'embedded', backup], point)).killed, true);
      await run(['settle', dataDir]);
      const isDone = steps.indexOf(point) >= steps.indexOf('restore:decided');
      assert.equal(await valueIn(dataDir), isDone ? '{"b": 1}' : '"after"');
      assert.equal(existsSync(path.join(dataDir, 'secret.key')), isDone);
      assert.equal(
        readdirSync(dataDir).some((name) => name.startsWith('database.before-restore')),
        isDone,
      );
      for (const left of ['incoming', 'swap.json']) assert.equal(existsSync(path.join(dataDir, left)), false, left);
    });
});

suite('a restore that goes wrong', () => {
  const restore = (dataDir: string, fault: Fault, { url = null as string | null, replace = true } = {}): ReturnType<typeof restoreBackup> =>
    restoreBackup({
      ...{ file: backup, passphrase: null, dataDir, databaseUrl: url, secretKeyFile: null, replace, by: 'a test', log: quietLog() },
      fault,
    });

  test('before it is decided leaves nothing behind, which might have filled the disk', async () => {
    const dataDir = copyOfSeed();
    await assert.rejects(
      restore(dataDir, () => {}, { replace: false }),
      /There is a database already/,
    );
    assert.equal(existsSync(path.join(dataDir, 'incoming')), false);
  });

  test('after it is decided is brought to its end all the same', async () => {
    const dataDir = copyOfSeed();
    const { rows } = await restore(dataDir, (point) => {
      if (point === 'restore:aside') throw new Error('the disk fails');
    });
    assert.ok(rows > 40);
    assert.equal(await valueIn(dataDir), '{"b": 1}');
    for (const left of ['incoming', 'swap.json']) assert.equal(existsSync(path.join(dataDir, left)), false, left);
  });

  test('because somebody coordinates meanwhile touches no row of him', { skip: skipped }, async () => {
    const dataDir = copyOfSeed();
    const url = await emptyUrl(t);
    await restore(dataDir, () => {}, { url });
    await assert.rejects(
      restore(dataDir, async (point) => void (point === 'restore:saved' && (await coordinate(url))), { url }),
      /was started with this database meanwhile/,
    );
    assert.equal(await valueIn('', url), '"of another"');
  });
});

suite('a restore into an external database', { skip: skipped }, () => {
  const written = [
    'restore:written',
    'restore:ready',
    'restore:decided',
    'restore:aside',
    'restore:in-place',
    'restore:keys',
    'restore:placed',
  ];
  const steps = ['restore:saved', 'restore:built', ...written];
  test('killed at its steps leaves the old rows without the keys of the backup, or its rows with them; nobody leads between', async () => {
    const url = await emptyUrl(t);
    await run(['restore', emptyDirectory(), url, backup]);
    assert.notEqual(await leadBy(url), null);
    await assert.rejects(run(['restore', emptyDirectory(), url, backup]), /CodecShift is running with this database/);
    await leaseEnds(url);
    for (const point of thorough ? steps : ['restore:built', 'restore:written', 'restore:placed']) {
      await changeIn(url);
      const dataDir = emptyDirectory();
      assert.equal((await run(['restore', dataDir, url, backup], point)).killed, true, point);
      await leaseEnds(url);
      if (written.includes(point)) {
        await assert.rejects(truthOf(url, emptyDirectory()), /Start that machine once/, point);
        assert.equal(await leadBy(url), null, point);
      }
      await run(['settle', dataDir]);
      const isDone = written.includes(point);
      assert.equal(await valueIn('', url), isDone ? '{"b": 1}' : '"after"', point);
      for (const key of ['secret.key', 'node.key']) assert.equal(existsSync(path.join(dataDir, key)), isDone, `${point}: ${key}`);
      for (const left of ['incoming', 'swap.json', 'restore.json'])
        assert.equal(existsSync(path.join(dataDir, left)), false, `${point}: ${left}`);
      await truthOf(url, emptyDirectory());
      assert.notEqual(await leadBy(url), null, point);
      await leaseEnds(url);
    }
  });

  test('is asked of that database by the next start, which waits until it can be reached', async () => {
    const [url, dataDir] = [await emptyUrl(t), emptyDirectory()];
    const journal = path.join(dataDir, 'restore.json');
    assert.equal((await run(['restore', dataDir, url, backup], 'restore:built')).killed, true);
    await run(['settle', dataDir]);
    assert.equal(existsSync(journal), false, 'a database that is still empty knows of none');
    assert.equal((await run(['restore', dataDir, url, backup], 'restore:written')).killed, true);
    assert.equal(statSync(journal).mode & 0o077, 0, 'it holds the address with its password');
    const right = readFileSync(journal, 'utf8');
    writeFileSync(journal, right.replace(new URL(url).host, '127.0.0.1:1'));
    await assert.rejects(run(['settle', dataDir]), /only that database knows whether it took place/);
    writeFileSync(journal, right);
    await run(['settle', dataDir]);
    assert.equal(existsSync(path.join(dataDir, 'secret.key')), true);
  });
});

suite('a move', { skip: skipped }, () => {
  test('out of a database in which somebody began to coordinate meanwhile is none: his work is in no copy', async () => {
    const url = await emptyUrl(t);
    const first = copyOfSeed();
    const move = { name: 'attic', replace: false, log: quietLog() };
    await moveDatabase({ ...move, dataDir: first, from: null, to: url });
    const dataDir = mkdtempSync(path.join(memoryFolder(), 'codecshift-now-'));
    cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const fault = async (point: string): Promise<void> => void (point === 'move:journal' && (await coordinate(url)));
    await assert.rejects(moveDatabase({ ...move, dataDir, from: url, to: null, fault }), /was started with this database meanwhile/);
    for (const left of ['incoming', 'swap.json', 'move.json', 'database']) assert.equal(existsSync(path.join(dataDir, left)), false, left);
    await truthOf(url, dataDir);
    assert.equal(await valueIn('', url), '"of another"');
  });

  test(
    'out of a database that is lost before anybody could ask it is finished by hand, as its sentence says',
    { skip: unlessAll },
    async () => {
      const url = await emptyUrl(t);
      const [first, dataDir] = [copyOfSeed(), emptyDirectory()];
      await moveDatabase({ name: 'attic', replace: false, log: quietLog(), dataDir: first, from: null, to: url });
      cpSync(path.join(first, 'database.json'), path.join(dataDir, 'database.json'));
      assert.equal((await run(['move', dataDir, url, 'embedded'], 'move:journal')).killed, true);
      const journal = path.join(dataDir, 'move.json');
      writeFileSync(journal, readFileSync(journal, 'utf8').replace(new URL(url).host, '127.0.0.1:1'));
      await assert.rejects(
        run(['settle', dataDir]),
        /If it is gone for good: what was copied is whole\. Move .*incoming.*database and every file/,
      );
      renameSync(path.join(dataDir, 'incoming', 'database'), path.join(dataDir, 'database'));
      for (const file of readdirSync(path.join(dataDir, 'incoming', 'keys')))
        renameSync(path.join(dataDir, 'incoming', 'keys', file), path.join(dataDir, file));
      for (const file of ['move.json', 'database.json']) rmSync(path.join(dataDir, file));
      assert.match((await run(['settle', dataDir])).output, /settled embedded/);
      assert.equal(await valueIn(dataDir), '"after"');
      assert.equal(existsSync(path.join(dataDir, 'incoming')), false);
    },
  );

  test('to an external database and back, killed at its steps, ends with every row and one truth', async () => {
    const dataDir = copyOfSeed();
    const url = await emptyUrl(t);
    const towards = [
      'move:copied',
      'restore:ready',
      'restore:decided',
      'restore:aside',
      'restore:in-place',
      'restore:keys',
      'move:decided',
    ];
    for (const point of thorough ? towards : ['move:copied']) {
      const now = path.join(dataDir, 'now');
      cpSync(seed, now, { recursive: true });
      assert.equal((await run(['move', now, 'embedded', url], point)).killed, true, point);
      await leaseEnds(url);
      const { output } = await run(['settle', now]);
      if (towards.indexOf(point) < towards.indexOf('restore:decided')) {
        assert.match(output, /settled embedded/, point);
        await assert.rejects(truthOf(url, now), /A move into this database was not finished/);
        assert.equal(await valueIn(now), '"after"');
      } else {
        assert.match(output, /settled external/, point);
        await truthOf(url, now);
        assert.equal(existsSync(path.join(now, 'database')), false, point);
        await unfinish(url);
      }
      rmSync(now, { recursive: true });
    }
    const done = await run(['move', dataDir, 'embedded', url]);
    assert.match(done.output, /done/);
    assert.deepEqual(await rowsByAnotherClient(url), await rowsOfEmbedded(seed), 'what another client reads is what the embedded one had');

    const back = [
      'move:copied',
      'move:journal',
      'move:left',
      'restore:ready',
      'restore:decided',
      'restore:aside',
      'restore:in-place',
      'restore:keys',
    ];
    for (const point of thorough ? back : ['move:left']) {
      const now = mkdtempSync(path.join(memoryFolder(), 'codecshift-now-'));
      writeFileSync(path.join(now, 'database.json'), readFileSync(path.join(dataDir, 'database.json')));
      assert.equal((await run(['move', now, url, 'embedded'], point)).killed, true, point);
      await leaseEnds(url);
      const { output } = await run(['settle', now]);
      if (back.indexOf(point) < back.indexOf('move:left')) {
        assert.match(output, /settled external/, point);
        await truthOf(url, now);
        assert.equal(existsSync(path.join(now, 'database')), false);
      } else {
        assert.match(output, /settled embedded/, point);
        await assert.rejects(truthOf(url, now), /everything is in the built-in database of attic/);
        assert.equal(await valueIn(now), '"after"');
        const db = await connectDatabase({ url, dataDir: now, log: quietLog() });
        assert.equal(
          await acquireLease(db, { node: 'x', session: '00000000-0000-4000-8000-000000000002', url: null, ttlSeconds: 60 }),
          null,
        );
        await db.query('update coordinator set moved_to = null');
        await db.close();
      }
      for (const left of ['incoming', 'swap.json', 'move.json']) assert.equal(existsSync(path.join(now, left)), false, `${point}: ${left}`);
      rmSync(now, { recursive: true });
    }
    assert.match((await run(['move', dataDir, url, 'embedded'])).output, /done/);
    const [old, now] = [
      await openSession({ url: null, dataDir: seed, log: quietLog() }),
      await openSession({ url: null, dataDir, log: quietLog() }),
    ];
    const { differences } = await compareDatabases(old, now);
    assert.deepEqual(
      differences.filter((each) => !/differs in incarnation$/.test(each)),
      [],
    );
    await old.close();
    await now.close();
  });
});

/** As one does that took the lease after the machine with the move had slept. */
async function coordinate(url: string): Promise<void> {
  const session = await openSession({ url, dataDir: '', log: quietLog() });
  await session.query(`update coordinator set holder = 'another', session = gen_random_uuid(), term = term + 1,
    lease_until = clock_timestamp() + interval '1 minute'`);
  await session.query(`select set_config('codecshift.term', term::text, false) from coordinator`);
  await session.query(`update settings set value = '"of another"' where key = 'a'`);
  await session.close();
}

function copyOfSeed(): string {
  const dataDir = mkdtempSync(path.join(memoryFolder(), 'codecshift-copy-'));
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
  cpSync(seed, dataDir, { recursive: true });
  return dataDir;
}

function run(args: string[], crashAt = ''): Promise<{ killed: boolean; output: string }> {
  const child = spawn(process.execPath, [entry, ...args], {
    env: { ...process.env, CODECSHIFT_TEST_CRASH_AT: crashAt },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL' || (code === 0 && crashAt === '')) resolve({ killed: signal === 'SIGKILL', output });
      else reject(new Error(`${args.join(' ')} ended with ${code ?? signal}:\n${output}`));
    });
  });
}

function emptyDirectory(): string {
  const dataDir = mkdtempSync(path.join(memoryFolder(), 'codecshift-empty-'));
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** Something happens after the backup. */
async function changeIn(url: string): Promise<void> {
  const db = await connectDatabase({ url, dataDir: '', log: quietLog() });
  const term = await acquireLease(db, { node: 'x', session: '00000000-0000-4000-8000-000000000003', url: null, ttlSeconds: 600 });
  await db.withTerm(term!).query(`update settings set value = '"after"' where key = 'a'`);
  await db.close();
  await leaseEnds(url);
}

async function leadBy(url: string): Promise<number | null> {
  const session = await openSession({ url, dataDir: '', log: quietLog() });
  return andClose(session, () =>
    acquireLease(session, { node: 'x', session: '00000000-0000-4000-8000-000000000002', url: null, ttlSeconds: 60 }),
  );
}

function valueIn(dataDir: string, url: string | null = null): Promise<unknown> {
  return openSession({ url, dataDir, log: quietLog() }).then((session) =>
    andClose(session, async () => {
      const [row] = await session.query<{ value: string }>(`select value::text as value from settings where key = 'a'`);
      return row?.value;
    }),
  );
}

async function truthOf(url: string, dataDir: string): Promise<void> {
  await andClose(await openSession({ url, dataDir, log: quietLog() }), (session) => requireTruth(session, dataDir));
}

/** As it was before this machine decided: a move into it had begun. */
async function unfinish(url: string): Promise<void> {
  const session = await openSession({ url, dataDir: '', log: quietLog() });
  assert.equal((await readMoved(session)).arriving, null);
  await session.query(`update coordinator set arriving = 'earlier'`);
  await session.close();
}

/** Half a minute after its holder was killed; not waited for here. */
async function leaseEnds(url: string): Promise<void> {
  const session = await openSession({ url, dataDir: '', log: quietLog() });
  await session.query(`update coordinator set lease_until = '-infinity'`);
  await session.close();
}

const counted = ['media_files', 'jobs', 'attempts', 'users', 'secrets', 'settings', 'nodes'] as const;

/** Read by a client that shares nothing with the one that wrote. */
async function rowsByAnotherClient(url: string): Promise<Record<string, string[]>> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connection: { TimeZone: 'UTC' } });
  const found: Record<string, string[]> = {};
  for (const table of counted)
    found[table] = (await sql.unsafe(`select to_jsonb(t)::text as row from ${table} t`)).map((row) => String(row['row'])).toSorted();
  await sql.end();
  return found;
}

async function rowsOfEmbedded(dataDir: string): Promise<Record<string, string[]>> {
  const session = await openSession({ url: null, dataDir, log: quietLog() });
  const found: Record<string, string[]> = {};
  for (const table of counted)
    found[table] = (await session.query<{ row: string }>(`select to_jsonb(t)::text as row from ${table} t`))
      .map(({ row }) => row)
      .toSorted();
  await session.close();
  return found;
}
