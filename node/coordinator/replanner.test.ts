import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '../db/connect.ts';
import { changeLibrary } from '../db/libraries.ts';
import { readFile } from '../db/media-files.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { freshDatabase, oneDatabase, quietLog } from '../testing/database.ts';
import { aLibrary, someJobs, testNode } from '../testing/records.ts';
import { createReplanner } from './replanner.ts';
import { createSettingsStore } from './settings.ts';

oneDatabase((kind) => {
  test('rules that change once more end the pass by the old ones, and every film is decided by the new', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const library = await aLibrary(db, 'Films');
    const jobs = await someJobs(db, library.id, 4);
    const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let decided = 0;
    // the first film of the first pass is decided slowly
    const slow: Database = {
      ...db,
      async tx(work) {
        if (++decided === 1) {
          begun.resolve();
          await goOn.promise;
        }
        return db.tx(work);
      },
    };
    const done: number[] = [];
    const replanner = createReplanner({
      ...{ mesh: createLocalMesh(testNode, quietLog()), db: slow, settings: createSettingsStore().current, log: quietLog() },
      signal: AbortSignal.timeout(60_000),
      onDone: (id) => void done.push(id),
    });
    await changeLibrary(db, library.id, { profile: { minSizeMb: 6000 } });
    const films = { id: library.id, name: 'Films' };
    const old = replanner.again(films);
    await begun.promise;
    await changeLibrary(db, library.id, { profile: { minSizeMb: 1 } });
    const fresh = replanner.again(films);
    goOn.resolve();
    await Promise.all([old, fresh]);
    assert.deepEqual(done, [library.id], 'only one of them came to its end');
    assert.equal(decided, 5);
    for (const { fileId } of jobs)
      assert.equal((await readFile(db, fileId))?.reason?.code, 'already-efficient', 'and no film is left “too small”');
  });
});
