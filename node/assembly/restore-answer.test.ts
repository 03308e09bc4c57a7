import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { backUp } from '../db/backup-write.ts';
import { connectDatabase, openSession } from '../db/connect.ts';
import { acquireLease } from '../db/coordinator.ts';
import { andClose } from '../db/hold.ts';
import { emptyUrl, freshDatabase, havePostgres, quietLog, dataDirectory } from '../testing/database.ts';
import { databaseLine } from '../testing/database-line.ts';
import { aHistory } from '../testing/history.ts';
import { settleDatabase } from './database-truth.ts';
import { isUndecided, restoreBackup, type Restored, type RestoreWish } from './restore.ts';

/** The line to an external database is cut at the very end of a restore. What is told is what that database then says. */
const skip = havePostgres() ? false : 'no PostgreSQL on this machine';
const cleanups: (() => unknown)[] = [];
const life = { after: (fn: () => Promise<void> | void): void => void cleanups.push(fn) };
let backup = '';

before(async () => {
  if (skip) return;
  const db = await freshDatabase(life, 'postgres');
  await aHistory(await db.lead(), 40);
  backup = (await backUp(db, dataDirectory(life), { label: 'manual', keys: { 'secret.key': Buffer.alloc(32, 9) } })).file;
});
after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

const COMMIT = 'commit';
/** The last thing of a restore: it takes its mark away. */
const OPEN = 'update coordinator set moved_to = null, moved_at = null, arriving = null';

suite('the answer of an external database gets lost', { skip }, () => {
  test('after it has committed a restore: it took place, and that is what is told', async (t) => {
    const { url, line, dataDir } = await house(t, 'filled');
    line.cutAt(COMMIT, 'answered');
    const { rows, notes } = await restore(dataDir, line.url);
    await line.cut();
    assert.ok(rows > 40);
    assert.ok(notes.some((note) => note.startsWith('Put back from the backup: secret.key')));
    await tookPlace(url, dataDir, true);
  });

  test('after its mark was taken away: it took place', async (t) => {
    const { url, line, dataDir } = await house(t, 'filled');
    line.cutAt(OPEN, 'answered');
    assert.ok((await restore(dataDir, line.url)).rows > 40);
    await line.cut();
    await tookPlace(url, dataDir, true);
  });

  for (const state of ['filled', 'empty'] as const) {
    test(`because the COMMIT never arrived: nothing took place in a database that was ${state}`, async (t) => {
      const { url, line, dataDir } = await house(t, state);
      line.cutAt(COMMIT, 'lost');
      await assert.rejects(restore(dataDir, line.url), (error) => !isUndecided(error));
      await tookPlace(url, dataDir, false);
    });

    test(`while the COMMIT is still on its way: it does not take place behind our back in one that was ${state}`, async (t) => {
      const { url, line, dataDir } = await house(t, state);
      line.cutAt(COMMIT, 'late');
      await assert.rejects(restore(dataDir, line.url), (error) => !isUndecided(error));
      await line.deliver();
      await tookPlace(url, dataDir, false);
    });
  }

  test('and it cannot be asked any more: that nobody knows is what is told, and the next start finds it out', async (t) => {
    const { url, line, dataDir } = await house(t, 'filled');
    line.cutAt(COMMIT, 'answered');
    const gone = line.cut().then(() => line.close());
    await assert.rejects(restore(dataDir, line.url, { patienceSeconds: 0 }), (error: Error) => {
      assert.ok(isUndecided(error));
      assert.match(
        error.message,
        /^The restore was cut off .* settled by the next start: .* only that database knows whether it took place/,
      );
      return true;
    });
    await gone;
    const journal = path.join(dataDir, 'restore.json');
    writeFileSync(journal, readFileSync(journal, 'utf8').replace(new URL(line.url).host, new URL(url).host));
    assert.equal(await settleDatabase(dataDir, quietLog()), true);
    await tookPlace(url, dataDir, true);
  });
});

async function house(t: Parameters<typeof dataDirectory>[0], state: 'filled' | 'empty') {
  const [url, dataDir] = [await emptyUrl(t), dataDirectory(t)];
  if (state === 'filled') {
    await restore(dataDirectory(t), url);
    const db = await connectDatabase({ url, dataDir, log: quietLog() });
    const term = await acquireLease(db, { node: 'x', session: '00000000-0000-4000-8000-000000000003', url: null, ttlSeconds: 600 });
    await db.withTerm(term!).query(`update settings set value = '"after"' where key = 'a'`);
    await db.query(`update coordinator set lease_until = '-infinity'`);
    await db.close();
  }
  return { url, dataDir, line: await databaseLine(t, url) };
}

function restore(dataDir: string, url: string, more: Partial<RestoreWish> = {}): Promise<Restored> {
  const rest = { file: backup, passphrase: null, secretKeyFile: null, replace: true, by: 'a test', log: quietLog() };
  return restoreBackup({ ...rest, dataDir, databaseUrl: url, ...more });
}

/** The rows and the keys belong together, nothing is left of it, and the next machine may lead. */
async function tookPlace(url: string, dataDir: string, expected: boolean): Promise<void> {
  const session = await openSession({ url, dataDir, log: quietLog() });
  await andClose(session, async () => {
    const [table] = await session.query<{ there: boolean }>(`select to_regclass('public.settings') is not null as there`);
    if (!table!.there) return assert.equal(expected, false);
    const [row] = await session.query<{ value: unknown }>(`select value from settings where key = 'a'`);
    assert.deepEqual(row!.value, expected ? { b: 1 } : 'after');
    const lease = { node: 'x', session: '00000000-0000-4000-8000-000000000002', url: null, ttlSeconds: 60 };
    assert.notEqual(await acquireLease(session, lease), null, 'nobody can lead with it');
  });
  assert.equal(existsSync(path.join(dataDir, 'secret.key')), expected);
  for (const left of ['incoming', 'swap.json', 'restore.json']) assert.ok(!readdirSync(dataDir).includes(left), left);
}
