import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultProfile } from '../core/profile.ts';
import type { QualityFound } from '../core/quality-found.ts';
import { oneDatabase, freshDatabase } from '../testing/database.ts';
import { aNode, aPlan, aProbe } from '../testing/records.ts';
import { findingsOf, keepFinding } from './findings.ts';

const film = {
  probe: aProbe(),
  plan: { ...aPlan(), video: { bitDepth: 10 as const, deinterlace: false } },
  profile: { ...defaultProfile, target: 'good' as const },
};
const found = (change: Partial<QualityFound> = {}): QualityFound => ({
  target: 'good',
  quality: 24,
  from: 'samples',
  measured: { metric: 'vmaf', score: 92.4, worst: 90, met: true },
  tries: 3,
  sampledMs: 60_000,
  costMs: 30_000,
  why: null,
  ...change,
});

oneDatabase((kind) => {
  test('what a search found is handed to the next one on that node for films of that kind, the last films counting most', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    await aNode(db, 'a');
    await aNode(db, 'b');
    const keep = (quality: number, device: string | null = '0'): Promise<void> =>
      keepFinding(db, { nodeId: 'a', encoder: 'hevc_nvenc', stats: { device, quality: found({ quality }) } }, film);
    assert.deepEqual(await findingsOf(db, 'a', film), []);
    await keep(24);
    await keep(26);
    const [first] = (await findingsOf(db, 'a', film)) ?? [];
    assert.deepEqual(first, { encoder: 'hevc_nvenc', device: '0', metric: 'vmaf', quality: 25, score: 92.4, runs: 2 });
    for (let i = 0; i < 40; i++) await keep(30);
    assert.ok((await findingsOf(db, 'a', film))![0]!.quality > 29.5);
    await keep(20, null);
    assert.deepEqual(
      (await findingsOf(db, 'a', film))?.map((f) => f.device),
      ['0', null],
    );

    assert.deepEqual(await findingsOf(db, 'b', film), [], 'another node');
    assert.deepEqual(await findingsOf(db, 'a', { ...film, profile: { ...film.profile, target: 'very-good' } }), [], 'another goal');
    assert.deepEqual(await findingsOf(db, 'a', { ...film, profile: { ...film.profile, speed: 'slow' } }), [], 'another speed');
    assert.equal(await findingsOf(db, 'a', { ...film, profile: defaultProfile }), undefined, 'no goal');
  });

  test('only what was measured on the film itself and met the goal is remembered', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    await aNode(db, 'a');
    const strange: unknown[] = [
      found({ from: 'finding', measured: null }),
      found({ measured: { metric: 'vmaf', score: 80, worst: 70, met: false } }),
      found({ target: 'very-good' }),
      found({ quality: 1000 }),
      { target: 'good' },
      'good',
      null,
    ];
    for (const quality of strange) await keepFinding(db, { nodeId: 'a', encoder: 'libx265', stats: { quality } }, film);
    await keepFinding(db, { nodeId: 'gone', encoder: 'libx265', stats: { quality: found() } }, film);
    assert.deepEqual(await findingsOf(db, 'a', film), []);
  });
});
