import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { WorkPlan } from '../core/plan.ts';
import { isJpeg } from '../core/pictures.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { listPictures, openPictures } from '../files/pictures.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { answerPictures, takePictures } from './pictures.ts';

const log = createLog({ level: 'fatal', pretty: true });
const plan = { video: { bitDepth: 8, deinterlace: false } } as WorkPlan;

async function stage(t: TestContext) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'codecshift-keeper-pictures-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const tools = await oneFfmpeg();
  const film = path.join(folder, 'film.mkv');
  execFileSync(tools.ffmpeg.path, ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=160x90:r=10:d=3', '-c:v', 'libx264', film]);
  const probe = await probeFile({ tools, path: film });
  const pictures = openPictures(folder);
  const pair = { attempt: 4, original: film, output: film, originalProbe: probe, outputProbe: probe, plan };
  return { folder, film, pictures, pair, parts: { tools, pictures, log } };
}

test('frames are taken and kept, shown when the coordinator asks, and gone when it says so', async (t) => {
  const s = await stage(t);
  const times = await takePictures(s.parts, s.pair, t.signal);
  assert.equal(times.length, 5);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  const mesh = createLocalMesh('keeper-a', log);
  mesh.handle('pictures', (ask) => answerPictures(s.pictures, ask));
  const read = (attempt: number, number: number) =>
    mesh.request('keeper-a', 'pictures', { op: 'read', term: 1, attempt, number, side: 'after' });
  const shown = await read(4, 5);
  assert.ok(shown.op === 'picture' && isJpeg(Buffer.from(shown.jpeg, 'base64')));
  assert.equal((await read(5, 1)).op, 'none');
  assert.equal((await read(0, 1)).op, 'none');
  await assert.rejects(read(4, 6), /pictures request/);
  await assert.rejects(read(4, '../x' as unknown as number), /pictures request/);
  assert.equal((await mesh.request('keeper-a', 'pictures', { op: 'forget', term: 1, attempts: [4, 9] })).op, 'forgotten');
  assert.deepEqual(await listPictures(s.folder), []);
});

test('an output that breaks ffmpeg costs its pictures only, and leaves nothing half made', async (t) => {
  const s = await stage(t);
  const broken = path.join(s.folder, 'broken.mkv');
  writeFileSync(broken, 'no film at all');
  assert.deepEqual(await takePictures(s.parts, { ...s.pair, output: broken }, t.signal), []);
  assert.deepEqual(await listPictures(s.folder), []);
  const full = { ...s.pictures, store: () => Promise.reject(new Error('the disk is full')) };
  assert.deepEqual(await takePictures({ ...s.parts, pictures: full }, s.pair, t.signal), []);
  assert.deepEqual(await listPictures(s.folder), []);
});

test('whoever gives the check up does not wait for pictures', async (t) => {
  const s = await stage(t);
  const abort = new AbortController();
  const taking = takePictures(s.parts, s.pair, abort.signal);
  abort.abort(new Error('given up'));
  await assert.rejects(taking, /given up/);
  assert.deepEqual(await listPictures(s.folder), []);
});
