import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import postgres from 'postgres';
import { quietLog, dataDirectory } from '../testing/database.ts';
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
