import assert from 'node:assert/strict';
import fs, { existsSync } from 'node:fs';
import path from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { admitSelf, clusterKeyOf } from '../coordinator/members.ts';
import { readCluster } from '../db/cluster.ts';
import { connectDatabase, openSession, type LoneSession } from '../db/connect.ts';
import { markArriving, markMoved } from '../db/coordinator.ts';
import { andClose } from '../db/hold.ts';
import type { Fault } from '../files/durable.ts';
import { emptyUrl, freshUrl, havePostgres, quietLog, dataDirectory } from '../testing/database.ts';
import { copyEmbedded } from '../testing/embedded-template.ts';
import { until } from '../testing/program.ts';
import { testNode } from '../testing/records.ts';
import { readDatabaseChoice } from './database-choice.ts';
import { requireTruth } from './database-left.ts';
import { finishMove, noteMove } from './move-journal.ts';
import { moveDatabase, type Moved, type MoveWish } from './move.ts';
import { reopen, reopenBuiltIn } from './reopen.ts';
import { unlessAll } from '../testing/thorough.ts';

/** A move where other machines have the external database too, and one that goes wrong; the kills are in database-crash.test.ts. */
const skip = havePostgres() ? false : 'no PostgreSQL on this machine';
const self = { id: testNode, name: 'attic', version: '0.1.0', platform: 'linux', hardware: {} };

suite('a move that goes wrong', { skip }, () => {
  for (const point of ['restore:aside', 'move:decided'])
    test(`at ${point}, after it was decided, is done all the same and told as done`, async (t) => {
      const [dataDir, url] = [await aHouse(t), await emptyUrl(t)];
      const moved = await move({ dataDir, from: null, to: url, fault: failsAt(point) });
      assert.deepEqual([moved.to.includes('on '), moved.notes, moved.comparison.differences], [true, [], []]);
      assert.equal((await readDatabaseChoice(dataDir))?.url, url);
      await truthOf(url, dataDirectory(t));
      assertTidy(dataDir);
      assert.equal(existsSync(path.join(dataDir, 'database')), false);
    });

  test('on the way home, after it was decided, is done all the same and told as done', async (t) => {
    const [dataDir, url] = [dataDirectory(t), await aHouseOutside(t)];
    const moved = await move({ dataDir, from: url, to: null, fault: failsAt('move:left') });
    assert.deepEqual([moved.to, moved.notes, moved.comparison.differences], ['the built-in database', [], []]);
    assert.equal((await readDatabaseChoice(dataDir))?.url, null);
    await assert.rejects(truthOf(url, dataDir), /everything is in the built-in database of attic/);
    assertTidy(dataDir);
    assert.equal((await inside(null, dataDir, readCluster))?.name, 'House of Ada');
  });

  test('before it is decided is none, and says so', { skip: unlessAll }, async (t) => {
    const [dataDir, url] = [dataDirectory(t), await aHouseOutside(t)];
    await assert.rejects(move({ dataDir, from: url, to: null, fault: failsAt('move:journal') }), /the disk fails/);
    assert.equal(await readDatabaseChoice(dataDir), null);
    await truthOf(url, dataDir);
    assertTidy(dataDir);
  });

  test('whose last word to the old database is still on its way is not taken for undecided', async (t) => {
    const [dataDir, url] = [dataDirectory(t), await aHouseOutside(t)];
    fs.mkdirSync(path.join(dataDir, 'incoming', 'database'), { recursive: true });
    await noteMove(dataDir, { url, move: 'abc' });
    const [broken, look] = [await openSession({ url, dataDir, log: quietLog() }), await openSession({ url, dataDir, log: quietLog() })];
    await broken.exec('begin');
    await markMoved(broken, 'the built-in database of attic [move abc]');
    const finished = finishMove(dataDir, quietLog());
    const waits = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await Promise.race([finished, until('it to wait', async () => (await look.query(waits)).length > 0)]);
    await broken.exec('commit');
    await finished;
    await broken.close();
    await look.close();
    assert.equal((await readDatabaseChoice(dataDir))?.move, 'abc');
    assert.equal(existsSync(path.join(dataDir, 'database')), true);
  });

  test('has everything on the disk before the old database can be left', async (t) => {
    const [dataDir, url] = [dataDirectory(t), await aHouseOutside(t)];
    const synced = new Set<string>();
    const paths = new Map<number, string>();
    const [openSync, fsyncSync] = [fs.openSync, fs.fsyncSync];
    t.mock.method(fs, 'openSync', (file: string, ...more: [string]) => {
      const handle = openSync(file, ...more);
      paths.set(handle, file);
      return handle;
    });
    t.mock.method(fs, 'fsyncSync', (handle: number) => (synced.add(paths.get(handle) ?? ''), fsyncSync(handle)));
    const missing: string[] = [];
    const fault: Fault = (point) => {
      if (point !== 'move:journal') return;
      for (const what of ['database/PG_VERSION', 'database/base', 'keys', '.'])
        if (!synced.has(path.join(dataDir, 'incoming', what).replace(/\/\.$/, ''))) missing.push(what);
      throw new Error('far enough');
    };
    await assert.rejects(move({ dataDir, from: url, to: null, fault }), /far enough/);
    assert.deepEqual(missing, [], 'after a power cut these may be gone');
  });
});

suite('a move beside other machines that have the external database', { skip }, () => {
  test('is the only one that takes it home: there never are two houses', async (t) => {
    const [a, b, url] = [dataDirectory(t), dataDirectory(t), await aHouseOutside(t)];
    let refused = 0;
    const fault: Fault = async (point) => {
      if (point !== 'move:journal') return;
      await assert.rejects(move({ dataDir: b, from: url, to: null }), /A move works on this database/);
      refused++;
    };
    await move({ dataDir: a, from: url, to: null, fault });
    await assert.rejects(move({ dataDir: b, from: url, to: null, name: 'tower' }), /everything is in the built-in database of attic now/);
    assert.deepEqual([refused, existsSync(path.join(b, 'database'))], [1, false]);
    assertTidy(b);
  });

  test(
    'takes nothing home from a database into which a move is under way: it is in the one where that began',
    { skip: unlessAll },
    async (t) => {
      const [a, b, url] = [await aHouse(t), dataDirectory(t), await emptyUrl(t)];
      await assert.rejects(move({ dataDir: a, from: null, to: url, fault: failsAt('move:copied') }), /the disk fails/);
      await assert.rejects(move({ dataDir: b, from: url, to: null }), /A move into this database was not finished/);
      assert.equal(existsSync(path.join(b, 'database')), false);
    },
  );

  test('lets nobody else bring something there, nor open it, before it is decided', async (t) => {
    const [a, b, url] = [await aHouse(t), await aHouse(t), await emptyUrl(t)];
    const refused: string[] = [];
    const fault: Fault = async (point) => {
      if (point !== 'move:copied' && point !== 'move:decided') return;
      await assert.rejects(move({ dataDir: b, from: null, to: url, replace: true }), /A move works on this database/);
      await assert.rejects(inside(url, b, reopen), /A move or a restore works on this database/);
      refused.push(point);
    };
    await move({ dataDir: a, from: null, to: url, fault });
    assert.deepEqual(refused, ['move:copied', 'move:decided']);
    await truthOf(url, dataDirectory(t));
  });

  test('asks before it puts itself in the place of what the killed move of another house brought', { skip: unlessAll }, async (t) => {
    const [dataDir, url] = [await aHouse(t), await aHouseOutside(t)];
    await inside(url, '', (q) => markArriving(q, 'another'));
    await assert.rejects(move({ dataDir, from: null, to: url }), /is not empty/);
  });

  test('takes home the database of its own cluster only', async (t) => {
    const [dataDir, url] = [dataDirectory(t), await aHouseOutside(t)];
    const pin = { format: 1, cluster: { id: 'another', name: 'Another', publicKey: '' }, hosts: false };
    fs.writeFileSync(path.join(dataDir, 'cluster.json'), JSON.stringify(pin));
    await assert.rejects(move({ dataDir, from: url, to: null }), /belongs to another cluster than "House of Ada"/);
    await truthOf(url, dataDir);
    assertTidy(dataDir);
  });

  test('lets no machine in that comes while it copies: that would be in no copy', async (t) => {
    const [dataDir, url] = [dataDirectory(t), await aHouseOutside(t)];
    const db = await connectDatabase({ url, dataDir, log: quietLog() });
    t.after(() => db.close());
    const key = await clusterKeyOf(db, 'x');
    const newcomer = { ...self, id: 'newcomer' };
    const fault: Fault = async (point) => {
      if (point !== 'move:copied') return;
      await assert.rejects(admitSelf(db, key, newcomer), /A move or a restore works on this database/);
      throw new Error('far enough');
    };
    await assert.rejects(move({ dataDir, from: url, to: null, fault }), /far enough/);
    await admitSelf(db, key, newcomer);
  });

  test('is none when it stood still for longer than it can keep others away', { skip: unlessAll }, async (t) => {
    const [dataDir, url] = [dataDirectory(t), await aHouseOutside(t)];
    const fault: Fault = async (point) => {
      if (point !== 'move:journal') return;
      await inside(url, dataDir, (q) => q.query(`update coordinator set lease_until = clock_timestamp() - interval '1 second'`));
    };
    await assert.rejects(move({ dataDir, from: url, to: null, fault }), /stood still for more than half a minute/);
    await truthOf(url, dataDir);
    assertTidy(dataDir);
  });
});

suite('a database that was left and is to count again, because the one after it is lost', { skip }, () => {
  test('begins a life of which its machines hear: its certificates outrank those of the one that is lost', async (t) => {
    const url = await aHouseOutside(t);
    await inside(url, '', (q) => markMoved(q, 'the built-in database of attic'));
    const minutes = Math.floor(Date.now() / 60_000);
    await inside(url, '', reopen);
    await truthOf(url, dataDirectory(t));
    // the one that is lost began its life by the same clock, perhaps in this very minute
    assert.ok((await inside(url, '', readCluster))!.incarnation > minutes);
  });

  test('may be the built-in one, of which a copy is taken; not while the external one can be reached and counts', async (t) => {
    const [a, url] = [await aHouse(t), await emptyUrl(t)];
    await move({ dataDir: a, from: null, to: url });
    const after = await inside(url, a, (q) => readCluster(q));
    await assert.rejects(reopenBuiltIn({ dataDir: a, url, log: quietLog() }), /is not lost: it can be reached, and counts/);
    const gone = url.replace(/\/[^/]*$/, '/there_is_no_such_one');
    const left = await reopenBuiltIn({ dataDir: a, url: gone, log: quietLog() });
    assert.equal((await readDatabaseChoice(a))?.url, null);
    assert.ok((await inside(null, a, (q) => readCluster(q)))!.incarnation > after!.incarnation);
    assert.ok(existsSync(path.join(a, left)), 'the old one stays as it is');
    assertTidy(a);
  });
});

function move(wish: Pick<MoveWish, 'dataDir' | 'from' | 'to'> & Partial<MoveWish>): Promise<Moved> {
  return moveDatabase({ name: 'attic', replace: false, log: quietLog(), ...wish });
}

function failsAt(point: string): Fault {
  return (at) => {
    if (at === point) throw new Error('the disk fails');
  };
}

/** A data directory with the built-in database of a cluster with one machine. */
async function aHouse(t: TestContext): Promise<string> {
  const dataDir = dataDirectory(t);
  await copyEmbedded(dataDir);
  await found(null, dataDir);
  return dataDir;
}

/** The same in an external one. */
async function aHouseOutside(t: TestContext): Promise<string> {
  const url = await freshUrl(t);
  await found(url, '');
  return url;
}

async function found(url: string | null, dataDir: string): Promise<void> {
  const db = await connectDatabase({ url, dataDir, log: quietLog() });
  await admitSelf(db, await clusterKeyOf(db, 'House of Ada'), self);
  await db.close();
}

async function inside<T>(url: string | null, dataDir: string, work: (q: LoneSession) => Promise<T>): Promise<T> {
  return andClose(await openSession({ url, dataDir, log: quietLog() }), work);
}

function truthOf(url: string, dataDir: string): Promise<void> {
  return inside(url, dataDir, (q) => requireTruth(q, dataDir));
}

function assertTidy(dataDir: string): void {
  for (const left of ['incoming', 'swap.json', 'move.json']) assert.equal(existsSync(path.join(dataDir, left)), false, left);
}
