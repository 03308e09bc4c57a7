import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAttempt } from '../db/attempts.ts';
import { createEvents } from '../events.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { oneDatabase, freshDatabase } from '../testing/database.ts';
import { aLibrary, claimed, someJobs, testNode } from '../testing/records.ts';
import { createRescuer } from './rescuer.ts';
import { createSettingsStore } from './settings.ts';

const log = createLog({ level: 'fatal', pretty: true });

oneDatabase((kind) => {
  test('a coordinator that slept takes no run back for the silence, which was its own; one that was awake does', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(db);
    await someJobs(db, library.id, 1);
    const run = await claimed(db);
    const lapse = `update jobs set lease_until = now() - interval '5 minutes' where id = $1`;
    const events = createEvents(() => {});
    let clock = 1_000_000;
    let looked = Promise.withResolvers<void>();
    const rescuer = createRescuer({
      mesh: createLocalMesh(testNode, log),
      db,
      term: 1,
      settings: createSettingsStore().current,
      events,
      offer: () => {},
      continue: async () => {},
      expire: async () => {},
      onStale: () => assert.fail('the term is over'),
      log,
      everyMs: 20,
      // what follows a round's first look at the clock is taken as its end once the next one looks
      now: () => (looked.resolve(), clock),
    });
    t.after(() => rescuer.stop());
    const rounds = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        looked = Promise.withResolvers();
        await looked.promise;
      }
    };
    await db.query(lapse, [run.jobId]);
    clock += 300_000;
    rescuer.start();
    await rounds(3);
    assert.equal((await readAttempt(db, run.attemptId))?.state, 'running');
    const lost = new Promise<void>((resolve) => events.on('job.changed', () => resolve()));
    await db.query(lapse, [run.jobId]);
    await lost;
    assert.equal((await readAttempt(db, run.attemptId))?.state, 'lost');
  });

  test('no original goes from the trash by a clock that is not to be believed, and they go once it is', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const { promise: gone, resolve: expire } = Promise.withResolvers<void>();
    let rounds = 0;
    let isSteady = false;
    let early = false;
    const waited = Promise.withResolvers<void>();
    const rescuer = createRescuer({
      mesh: createLocalMesh(testNode, log),
      db,
      term: 1,
      settings: createSettingsStore().current,
      events: createEvents(() => {}),
      offer: () => {},
      continue: async () => {},
      expire: async () => {
        early ||= !isSteady;
        expire();
      },
      clock: {
        believes(books) {
          early ||= !(books instanceof Date);
          if (++rounds === 2) waited.resolve();
          return isSteady;
        },
      },
      onStale: () => assert.fail('the term is over'),
      log,
      everyMs: 5,
    });
    t.after(() => rescuer.stop());
    rescuer.start();
    await waited.promise;
    isSteady = true;
    await gone;
    assert.equal(early, false);
  });
});
