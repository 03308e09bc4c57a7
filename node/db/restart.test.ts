import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import postgres from 'postgres';
import { dataDirectory, freshDatabase, havePostgres, quietLog } from '../testing/database.ts';
import { findPostgres, startPostgres } from '../testing/postgres.ts';
import { aLibrary, someJobs, testNode } from '../testing/records.ts';
import { claim, renewLeases } from './claims.ts';
import { connectDatabase, type Database } from './connect.ts';
import { acquireLease, renewLease } from './coordinator.ts';

test(
  'a server that crashes and restarts under load is survived: reads go on, no job is given twice, nobody hangs',
  { skip: findPostgres() ? false : 'needs PostgreSQL' },
  async (t) => {
    const server = await startPostgres();
    t.after(() => server.stop());
    const db = await connectDatabase({ url: server.url, dataDir: dataDirectory(t), log: quietLog() });
    t.after(() => db.close());
    const who = { node: testNode, session: crypto.randomUUID(), url: null, ttlSeconds: 3600 };
    const leader = db.withTerm((await acquireLease(db, who))!);
    const library = await aLibrary(leader);
    await someJobs(leader, library.id, 3000);

    const load = startLoad(leader);
    for (let round = 0; round < 2; round++) {
      await load.progressed(30);
      await server.restart('immediate');
      await load.progressed(30);
    }
    const { given, lostInFlight } = await load.stop();

    assert.equal(await renewLease(db, who), true, 'the lease outlives the restart');
    assert.equal(new Set(given.map((g) => g.jobId)).size, given.length, 'no job was given twice');
    const alive = await renewLeases(
      leader,
      given.map((run) => ({ ...run, node: testNode })),
      60,
    );
    assert.equal(alive.length, given.length, 'every job that was given is still given');
    // the books as a second, independent client sees them: a claim whose answer was lost may exist beside those we know
    const sql = postgres(server.url, { max: 1, onnotice: () => {} });
    t.after(() => sql.end());
    const [books] =
      await sql`select count(*)::int as running, (select count(*)::int from attempts where ended_at is null) as open from jobs where state = 'running'`;
    assert.equal(books?.['running'], books?.['open']);
    assert.ok(
      books!['running'] >= given.length && books!['running'] <= given.length + lostInFlight,
      `${books!['running']} running, ${given.length} known, ${lostInFlight} answers lost`,
    );
  },
);

test(
  'a connection that is dead and does not say so holds an impatient question for no longer than it may take, and is used by nobody after it',
  { skip: havePostgres() ? false : 'needs PostgreSQL', timeout: 30_000 },
  async (t) => {
    const real = await freshDatabase(t, 'postgres');
    const line = await lineThatDies(t, real.url!);
    const db = await connectDatabase({ url: line.url, dataDir: dataDirectory(t), log: quietLog(), migrations: null });
    t.after(() => db.close());
    await db.withTerm(7).query('select 1');
    line.die();
    await assert.rejects(db.impatient(200).query('select 1'), /read timeout/);
    assert.deepEqual(await db.impatient(10_000).query('select 1 as n'), [{ n: 1 }]);
  },
);

/** A cable that is pulled somewhere in between: what is connected hears nothing any more, whoever comes later gets through. */
async function lineThatDies(t: TestContext, url: string): Promise<{ url: string; die(): void }> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [client, far],
      [far, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => (sockets.delete(one), other.destroy()));
      one.on('data', (bytes) => other.write(bytes));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const through = new URL(url);
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: through.href, die: () => sockets.forEach((socket) => socket.pause()) };
}

interface Load {
  progressed(claims: number): Promise<void>;
  stop(): Promise<{ given: { jobId: number; attemptId: number }[]; lostInFlight: number }>;
}

/** Four loops that claim and four that read, all the time. A claim may fail in flight, with a word that it can be tried again. */
function startLoad(leader: Database): Load {
  const given: { jobId: number; attemptId: number }[] = [];
  let lostInFlight = 0;
  let stopped = false;
  let failed: Error | null = null;
  const wish = { node: testNode, classes: [0, 1, 2], term: 1, leaseSeconds: 3600, keepers: [testNode] };
  const claiming = async (): Promise<void> => {
    while (!stopped) {
      try {
        const job = await claim(leader, wish);
        if (!job) return;
        given.push(job);
      } catch (error) {
        if ((error as { retry?: unknown }).retry !== true) throw error;
        lostInFlight++;
      }
    }
  };
  const reading = async (): Promise<void> => {
    while (!stopped) await leader.query('select count(*) as n from jobs');
  };
  const loops = [claiming, claiming, claiming, claiming, reading, reading, reading, reading].map((loop) =>
    loop().catch((error: unknown) => (failed ??= error instanceof Error ? error : new Error(String(error)))),
  );
  return {
    async progressed(claims) {
      const until = given.length + claims;
      while (given.length < until && failed === null) await turn();
      if (failed !== null) throw failed;
    },
    async stop() {
      stopped = true;
      await Promise.all(loops);
      if (failed !== null) throw failed;
      return { given, lostInFlight };
    },
  };
}
