import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { MAX_PICTURE_BYTES } from '../core/pictures.ts';
import { listPictures, openPictures, removeAllPictures, removePictures } from './pictures.ts';

function dataDir(t: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'codecshift-pictures-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const jpeg = (mark: number): Buffer => Buffer.from([0xff, 0xd8, 0xff, 0xe0, mark, 0xff, 0xd9]);
const pair = (n: number): { before: Buffer; after: Buffer } => ({ before: jpeg(n), after: jpeg(n + 100) });

test('pairs of an attempt are kept under their numbers and replaced as a whole', async (t) => {
  const dir = dataDir(t);
  const pictures = openPictures(dir);
  await pictures.store(7, [pair(1), pair(2), pair(3)]);
  assert.deepEqual(await pictures.read(7, 2, 'after'), jpeg(102));
  await pictures.store(7, [pair(4)]);
  assert.deepEqual(await pictures.read(7, 1, 'before'), jpeg(4));
  await assert.rejects(pictures.read(7, 2, 'before'), /not on this machine any more/);
  assert.deepEqual(await listPictures(dir), [7]);
  await removePictures(dir, 7);
  assert.deepEqual(await listPictures(dir), []);
});

test('a draft is empty, counts as pictures of its attempt until it is dropped, and goes with all others', async (t) => {
  const dir = dataDir(t);
  const pictures = openPictures(dir);
  const draft = await pictures.draft(3);
  writeFileSync(path.join(draft!, 'half'), 'x');
  assert.deepEqual(await listPictures(dir), [3]);
  assert.deepEqual(readdirSync((await pictures.draft(3))!), []);
  await pictures.drop(3);
  await pictures.store(4, [pair(1)]);
  assert.deepEqual(await listPictures(dir), [4]);
  await removeAllPictures(dir);
  assert.equal(existsSync(path.join(dir, 'pictures')), false);
  assert.deepEqual(await listPictures(dir), []);
});

test('only so many attempts keep pictures: the oldest go', async (t) => {
  const dir = dataDir(t);
  const pictures = openPictures(dir, { maxAttempts: 3 });
  for (const attempt of [10, 9, 11, 12, 100]) await pictures.store(attempt, [pair(1)]);
  assert.deepEqual(await listPictures(dir), [11, 12, 100]);
});

test('what is no attempt, no number or no picture reaches no other file', async (t) => {
  const dir = dataDir(t);
  const pictures = openPictures(dir);
  writeFileSync(path.join(dir, 'secret'), jpeg(9));
  await pictures.store(1, [pair(1)]);
  for (const attempt of [0, -1, 1.5, Number.NaN, Infinity, '../..' as unknown as number, 2 ** 60]) {
    await assert.rejects(pictures.store(attempt, [pair(1)]), TypeError);
    await assert.rejects(pictures.read(attempt, 1, 'before'), TypeError);
    await assert.rejects(removePictures(dir, attempt), TypeError);
  }
  for (const number of [0, 6, 1.5, '../1' as unknown as number]) await assert.rejects(pictures.read(1, number, 'before'), TypeError);
  assert.deepEqual(await pictures.read(1, 1, '../../secret' as 'after'), jpeg(101), 'any other word means the one side');
  await assert.rejects(pictures.store(2, [{ before: Buffer.from('<svg onload=alert(1)>'), after: jpeg(1) }]), /not a picture/);
  await assert.rejects(
    pictures.store(2, [{ before: Buffer.concat([jpeg(1), Buffer.alloc(MAX_PICTURE_BYTES)]), after: jpeg(1) }]),
    /not a picture/,
  );
  assert.deepEqual((await listPictures(dir)).includes(1), true);
});

test('a link or another thing in place of a picture is not followed and not shown', async (t) => {
  const dir = dataDir(t);
  const pictures = openPictures(dir);
  const folder = path.join(dir, 'pictures', '5');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(dir, 'secret'), jpeg(9));
  symlinkSync(path.join(dir, 'secret'), path.join(folder, '1-before.jpg'));
  writeFileSync(path.join(folder, '2-before.jpg'), 'not a picture at all');
  await assert.rejects(pictures.read(5, 1, 'before'), /not on this machine/);
  await assert.rejects(pictures.read(5, 2, 'before'), /damaged/);
});
