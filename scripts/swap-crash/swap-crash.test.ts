import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { seeded } from '../chaos/random.ts';
import { finish, prepare, remove, requireUnharmed } from './film.ts';
import { kinds } from './kinds.ts';
import { mayMount, openPlace } from './places.ts';
import { runFaults } from './run.ts';

/** A share of what `scripts/swap-crash.ts` does by the ten thousand. */
for (const [kind, { about }] of Object.entries(kinds)) {
  const faults = 6;
  test(`${kind} (${about}): no film is lost, nothing is left behind`, { timeout: 300_000 }, async (t) => {
    if (!mayMount && !kinds[kind]!.places.includes('disk')) return t.skip('needs the right to mount');
    const tally = await runFaults({ faults, seed: 7, only: [kind] });
    assert.deepEqual(tally.failures, []);
    assert.ok(tally.faults >= faults);
  });
}

test('the judge sees a lost original, a cut film and what was left behind', async () => {
  const place = await openPlace('disk');
  try {
    const lost = await prepare(place, 'sameName', seeded(1));
    await rm(join(lost.root.path, lost.folder, lost.from));
    await assert.rejects(requireUnharmed(lost, { nameMayBeFree: true }), /LOST/);
    const clean = await prepare(place, 'otherName', seeded(2));
    await requireUnharmed(clean, { nameMayBeFree: false });
    assert.equal(await finish(clean), 'done');
    await remove(clean);
  } finally {
    place.close();
  }
});
