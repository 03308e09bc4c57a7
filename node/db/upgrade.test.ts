import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { createElector, type Elector, type ElectorParts, type Retirement } from '../coordinator/elector.ts';
import { PlainError } from '../errors.ts';
import { emptyUrl, havePostgres, quietLog, dataDirectory } from '../testing/database.ts';
import { until } from '../testing/program.ts';
import { listBackups } from './backup-folder.ts';
import { verifyBackup } from './backup-read.ts';
import { listCandidates, noteWaiting } from './candidates.ts';
import { connectDatabase, type Database } from './connect.ts';
import { acquireLease, readLease, readSchema, renewLease, resignLease } from './coordinator.ts';
import { isNewerSchema, readMigrations, type Migration } from './migrate.ts';
import { upsertNode } from './nodes.ts';

const skip = havePostgres() ? false : 'needs PostgreSQL';
const all = readMigrations();
const old = { node: 'old', session: randomUUID(), url: null, ttlSeconds: 60, schema: all.length };

/** As a later version brings them: one adds a column, one changes rows of a table that only the current term may write. */
const next: Migration[] = [
  ...all,
  migration(all.length + 1, 'alter table nodes add column favourite boolean not null default false'),
  migration(all.length + 2, `update nodes set favourite = true`),
];

function migration(version: number, sql: string): Migration {
  return { version, name: `${String(version).padStart(4, '0')}_next.sql`, sql, sha256: String(version) };
}

interface House {
  url: string;
  dataDir: string;
  /** the version of before, connected, and leading where it was wished */
  before: Database;
  openNewer(migrations?: Migration[], copyBefore?: boolean): Promise<Database>;
  said: string[];
  session: string;
}

async function house(t: TestContext, migrations: Migration[] = all): Promise<House> {
  const [url, dataDir, session] = [await emptyUrl(t), dataDirectory(t), randomUUID()];
  const before = await connectDatabase({ url, dataDir: dataDirectory(t), log: quietLog(), migrations });
  t.after(() => before.close());
  const said: string[] = [];
  return {
    url,
    dataDir,
    before,
    said,
    session,
    async openNewer(newer = next, copyBefore = true) {
      const candidate = { node: 'new', session, say: (doing: string) => void said.push(doing) };
      const db = await connectDatabase({ url, dataDir, log: quietLog(), migrations: newer, candidate, copyBefore });
      t.after(() => db.close());
      return db;
    },
  };
}

/** Of the machine with the older program. */
function startElector(
  t: TestContext,
  db: Database,
  hears: Pick<ElectorParts, 'onElected'> & Partial<Pick<ElectorParts, 'onRetired'>>,
): Elector {
  const elector = createElector({
    ...{ db, node: 'old', session: randomUUID(), url: () => 'http://old', reaches: () => 5, log: quietLog() },
    onDeposed: async () => {},
    // of six seconds a busy machine loses one now and then, and begins a term more than the tests count
    ttlSeconds: 15,
    ...hears,
  });
  t.after(() => elector.stop());
  elector.start();
  return elector;
}

suite('a newer program comes to a database that another one leads', { skip }, () => {
  test('it asks, waits, leads, copies and only then changes something; the older one leads no more', async (t) => {
    const { before, openNewer, said, dataDir, session } = await house(t);
    const term = await acquireLease(before, old);
    await upsertNode(before.withTerm(term!), nodeCalled('atlas', 'old'), 'approved');
    const opening = openNewer();
    await until('it to ask', async () =>
      (await listCandidates(before)).some((c) => c.nodeId === 'new' && c.fresh && c.schema === next.length),
    );
    assert.ok(await renewLease(before, old), 'the lease of the one that leads was taken from it');
    assert.equal((await readSchema(before)).schema, all.length, 'something was changed under the one that leads');
    // it writes down that it waits before it finds out for whom, and says so after that
    const words = await until('a person to be told', () => said[0]);
    assert.match(words, /^This machine runs a newer version.* atlas coordinates with the older one and is asked to hand over/);
    await resignLease(before, old);
    const newer = await opening;
    assert.deepEqual(await newer.query('select favourite from nodes'), [{ favourite: true }]);
    const lease = await readLease(before);
    assert.deepEqual([lease.holder, lease.session, lease.term, lease.held], ['new', session, term! + 1, true]);
    assert.equal(
      await acquireLease(newer, { ...old, node: 'new', session, schema: next.length }),
      term! + 1,
      'its elector goes on in the same term',
    );
    await resignLease(newer, { node: 'new', session });
    assert.equal(await acquireLease(before, old), null, 'a program that does not know this schema leads in it');
    await assert.rejects(before.withTerm(term!).query(`update nodes set draining = true`), /replaced/);
    const [backup] = await listBackups(path.join(dataDir, 'backups'));
    const { manifest } = await verifyBackup(backup!.file);
    assert.deepEqual(
      [manifest.schema, manifest.label, manifest.tables.find(({ name }) => name === 'nodes')?.rows],
      [all.length, `before-upgrade-from-${all.length}`, 1],
    );
  });

  test('an elector hands over to it at once, and asks for the role no more', async (t) => {
    const { before, openNewer } = await house(t);
    const [elected, retired] = [Promise.withResolvers<number>(), Promise.withResolvers<Retirement>()];
    const elector = startElector(t, before, {
      onElected: async (term) => elected.resolve(term),
      onRetired: retired.resolve,
    });
    const term = await elected.promise;
    const newer = await openNewer();
    assert.deepEqual(await retired.promise, await readSchema(newer));
    assert.equal(elector.term(), null);
    assert.deepEqual((await readLease(newer)).term, term + 1, 'one term each, and nobody in between');
  });

  test('an elector does not hand over again and again to one that does nothing with it', async (t) => {
    const { before } = await house(t);
    const terms: number[] = [];
    let elected = Promise.withResolvers<void>();
    const elector = startElector(t, before, { onElected: async (term) => (terms.push(term), elected.resolve()) });
    await elected.promise;
    elected = Promise.withResolvers();
    const ask = (): Promise<void> => noteWaiting(before, 'new', randomUUID(), next.length);
    await ask();
    await until('it to hand over', async () => !(await readLease(before)).held);
    await before.query('update coordinator set prefer = null');
    await elected.promise;
    const rounds = async (): Promise<string> =>
      (await before.query<{ at: string }>(`select at::text from candidates where node_id = 'old'`))[0]!.at;
    for (let i = 0; i < 3; i++) {
      const last = await rounds();
      await ask();
      await until('another round', async () => (await rounds()) !== last);
    }
    assert.equal(elector.term(), terms.at(-1));
    assert.equal(terms.length, 2);
  });

  test('a database that was left for another one is not waited for, and stays as it is', async (t) => {
    const { before, openNewer } = await house(t);
    await before.query(`update coordinator set moved_to = 'elsewhere', moved_at = now()`);
    assert.equal((await readSchema(await openNewer())).schema, all.length);
  });

  test('of two that come at the same time one does it, and both go on', async (t) => {
    const { openNewer, before, dataDir } = await house(t);
    const [one, two] = await Promise.all([openNewer(), openNewer()]);
    assert.deepEqual([(await readSchema(one)).schema, (await readSchema(two)).schema], [next.length, next.length]);
    assert.ok((await readLease(before)).term <= 1);
    assert.equal((await listBackups(path.join(dataDir, 'backups'))).length, 1);
  });

  test('one of which the older program knows nothing yet is heard by it all the same', async (t) => {
    // a candidate could not always say what it knows
    const { before, openNewer } = await house(
      t,
      all.slice(
        0,
        all.findIndex(({ name }) => name.includes('_versions')),
      ),
    );
    await before.query(`update coordinator set holder = 'old', session = $1, term = 4, lease_until = now() + interval '1 minute'`, [
      old.session,
    ]);
    const opening = openNewer(all);
    const [row] = await until('it to be heard', async () => {
      const rows = await before.query<{ reaches: number }>(`select reaches from candidates where node_id = 'new'`);
      return rows.length > 0 ? rows : null;
    });
    assert.ok(row!.reaches > 1000, 'that one gives way to whoever reaches many more machines than it does');
    await before.query(`update coordinator set lease_until = '-infinity'`);
    assert.equal((await readSchema(await opening)).schema, all.length);
  });
});

suite('an upgrade that does not come to its end', { skip }, () => {
  test('changes nothing, names the step, its cause and the backup, and the older program goes on', async (t) => {
    const { before, openNewer, dataDir } = await house(t);
    const broken = [...next.slice(0, -1), migration(next.length, 'create table half (id int); select no_such_function()')];
    await assert.rejects(openNewer(broken), (error: Error) => {
      assert.match(
        error.message,
        /_next\.sql failed \(.*no_such_function.*\)\. Nothing was changed: the version of CodecShift that ran before goes on/,
      );
      assert.ok(error.message.includes(path.join(dataDir, 'backups')) && /codecshift restore/.test(error.message), error.message);
      return error instanceof PlainError;
    });
    assert.equal((await readSchema(before)).schema, all.length, 'a step before the one that failed was kept');
    assert.ok(await acquireLease(before, old), 'the lease was not given back');
  });

  test('does not begin without its backup, unless a person has his own', async (t) => {
    const { before, openNewer, dataDir } = await house(t);
    fs.writeFileSync(path.join(dataDir, 'backups'), 'no folder');
    await assert.rejects(openNewer(), /could not be copied before its upgrade: .* Nothing was changed\..*--upgrade-copy off/);
    assert.equal((await readSchema(before)).schema, all.length);
    await openNewer(next, false);
    assert.equal((await readSchema(before)).schema, next.length);
  });

  test('leaves nothing behind when another machine took over in the middle', async (t) => {
    const { before, openNewer } = await house(t);
    let opening: Promise<unknown> = Promise.resolve();
    // its copy has to wait for this table; meanwhile its lease ends, and somebody else leads before its first change
    await before.tx(async (q) => {
      await q.query('set local idle_in_transaction_session_timeout = 0');
      await q.query('lock table activity in access exclusive mode');
      opening = openNewer();
      opening.catch(() => {});
      await until('it to lead', async () => (await readLease(q)).holder === 'new');
      const lease = `lease_until = clock_timestamp() + interval '1 minute'`;
      await q.query(`update coordinator set term = term + 1, holder = 'third', session = $1, ${lease}`, [randomUUID()]);
    });
    await assert.rejects(opening, /Another machine coordinates by now.* Nothing was changed\./);
    assert.equal((await readSchema(before)).schema, all.length);
    assert.equal((await readLease(before)).holder, 'third');
  });

  test('an older program is told that it is too old, by whom, and changes nothing', async (t) => {
    const { openNewer, url } = await house(t);
    await openNewer();
    await assert.rejects(connectDatabase({ url, dataDir: dataDirectory(t), log: quietLog(), migrations: all }), (error: Error) => {
      assert.match(
        error.message,
        /written by a newer CodecShift \(\d[\d.]*\): its schema is version \d+, this program, \d[\d.]*, knows \d+/,
      );
      return isNewerSchema(error);
    });
  });
});

function nodeCalled(name: string, id: string): Parameters<typeof upsertNode>[1] {
  return {
    id,
    name,
    version: '0.1.0',
    platform: 'linux',
    slots: 1,
    classes: [],
    encoders: [],
    hardware: {},
    address: null,
    tempBytes: 1,
    clockMs: 0,
    utcOffset: 0,
  };
}
