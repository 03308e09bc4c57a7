import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachDatabase, freshDatabase } from '../testing/database.ts';
import { aNode } from '../testing/records.ts';
import { listSpeeds, recordSpeed, speedOf } from './node-speeds.ts';

eachDatabase((kind) => {
  test('a speed follows what a node does, the last films counting most', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    await aNode(q, 'a');
    const speed = async (): Promise<number> => (await listSpeeds(q))[0]!.pixelsPerSecond;
    await recordSpeed(q, 'a', 'libx265', 100);
    assert.equal(await speed(), 100);
    await recordSpeed(q, 'a', 'libx265', 200);
    assert.equal(await speed(), 150);
    for (let i = 0; i < 40; i++) await recordSpeed(q, 'a', 'libx265', 1000);
    assert.ok((await speed()) > 950);
    assert.equal((await listSpeeds(q))[0]!.runs, 42);
  });

  test('a speed that cannot be, or of a node that is not known, is not kept', async (t) => {
    const q = await (await freshDatabase(t, kind)).lead();
    await aNode(q, 'a');
    for (const wrong of [0, -1, Number.NaN, Infinity]) await recordSpeed(q, 'a', 'libx265', wrong);
    await recordSpeed(q, 'gone', 'libx265', 5);
    assert.deepEqual(await listSpeeds(q), []);
  });
});

test('a speed comes from frames and time, when there were enough of both', () => {
  const film = { width: 1920, height: 1080 };
  assert.equal(speedOf(film, 250, 10_000), 1920 * 1080 * 25);
  assert.equal(speedOf(null, 250, 10_000), null);
  assert.equal(speedOf(film, null, 10_000), null);
  assert.equal(speedOf(film, 250, 'soon'), null);
  assert.equal(speedOf(film, 250, 100), null, 'starting a program takes longer than that');
  assert.equal(speedOf(film, 3, 10_000), null);
});
