import assert from 'node:assert/strict';
import { chmod, chown, copyFile, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { requireTool } from '../testing/tools.ts';
import { fingerprint } from './fingerprint.ts';
import { forget } from './journal.ts';
import { recover } from './recover.ts';
import { backwards, code, folder, ready, root, run, useStage } from './swap-stage.ts';
import { restore, swap } from './swap.ts';
import { expire } from './trash.ts';
import { listTrashed, lookAtTrashed } from './trash-found.ts';

useStage();

test('a film keeps its name, owner and mode, gets a new time, and the original waits in the trash', async (t) => {
  const { wish, original, output } = await ready('Film.mkv');
  const path = join(folder, 'Film.mkv');
  await chmod(path, 0o640);
  if (process.getuid?.() === 0) await chown(path, 12_345, 23_456);
  await utimes(path, 1_500_000_000, 1_500_000_000);
  const before = Date.now() - 5000;
  const result = await swap({ ...wish, fingerprint: await fingerprint(path) });
  const now = await stat(path);
  assert.deepEqual(await readFile(path), output);
  assert.equal(now.mode & 0o777, 0o640);
  if (process.getuid?.() === 0) assert.deepEqual([now.uid, now.gid], [12_345, 23_456]);
  else t.diagnostic('the owner was not looked at: that needs root');
  assert.ok(now.mtimeMs > before, 'media servers look at a file again only when its time is new');
  const trashed = join(root.path, result.original?.trashPath ?? '');
  assert.deepEqual(await readFile(trashed), original);
  assert.equal((await stat(trashed)).mtimeMs, 1_500_000_000_000);
  assert.deepEqual(result.notes, []);
  assert.deepEqual(await readdir(folder), ['Film.mkv']);
});

test('real films: what stands under the name is playable after the swap and after the way back', async () => {
  const ffprobe = requireTool('ffprobe');
  await copyFile(await anyClip(), join(folder, 'Film.mkv'));
  const before = await readFile(join(folder, 'Film.mkv'));
  const output = await smallFilm();
  const { wish } = await ready('Film.mkv', { original: before, output });
  const done = await swap(wish);
  assert.equal(await codec(ffprobe, join(folder, 'Film.mkv')), 'mpeg4');
  await forget(root, wish.attempt);
  await restore(backwards(wish, done));
  assert.deepEqual(await readFile(join(folder, 'Film.mkv')), before);
  assert.notEqual(await codec(ffprobe, join(folder, 'Film.mkv')), 'mpeg4');
});

test('another container: the new name appears, the old name goes, and restoring reverses both', async () => {
  const { wish, original, output } = await ready('Film.avi', { target: 'Film.mkv' });
  await utimes(join(folder, 'Film.avi'), 1_500_000_000, 1_500_000_000);
  const done = await swap({ ...wish, fingerprint: await fingerprint(join(folder, 'Film.avi')) });
  assert.deepEqual(await readdir(folder), ['Film.mkv']);
  assert.equal(done.path, 'Films/Film.mkv');
  const back = await restore(backwards(wish, done));
  assert.deepEqual(await readdir(folder), ['Film.avi']);
  assert.deepEqual(await readFile(join(folder, 'Film.avi')), original);
  assert.equal((await stat(join(folder, 'Film.avi'))).mtimeMs, 1_500_000_000_000, 'it comes back with its own time');
  assert.equal((await stat(join(folder, 'Film.avi'))).nlink, 1, 'no second name is left in the trash');
  assert.deepEqual(await readFile(join(root.path, back.original?.trashPath ?? '')), output);
});

test('an original comes back even when nobody is in its place any more', async () => {
  const { wish, original } = await ready('Film.mkv');
  const done = await swap(wish);
  await rm(join(folder, 'Film.mkv'));
  const back = await restore(backwards(wish, done));
  assert.equal(back.original, null);
  assert.deepEqual(await readFile(join(folder, 'Film.mkv')), original);
  assert.deepEqual(await readdir(folder), ['Film.mkv']);
});

test('a restore never writes over a stranger, and never believes a changed trash', async () => {
  const { wish } = await ready('Film.avi', { target: 'Film.mkv' });
  const done = await swap(wish);
  await writeFile(join(folder, 'Film.avi'), 'a new film of that name');
  await assert.rejects(restore(backwards(wish, done)), code('target-exists'));
  assert.equal(await readFile(join(folder, 'Film.avi'), 'utf8'), 'a new film of that name');
  assert.deepEqual(await readdir(folder), ['Film.avi', 'Film.mkv']);
  await rm(join(folder, 'Film.avi'));
  await writeFile(join(root.path, done.original?.trashPath ?? ''), 'something else');
  await assert.rejects(restore({ ...backwards(wish, done), attempt: 43 }), code('restore-failed'));
  assert.deepEqual(await readdir(folder), ['Film.mkv']);
});

test('names of 255 bytes are swapped like any other', async () => {
  for (const name of [`${'f'.repeat(251)}.mkv`, `${'ü'.repeat(125)}x.mkv`]) {
    const { wish, output } = await ready(name, { attempt: name.length });
    const { original } = await swap(wish);
    assert.deepEqual(await readFile(join(folder, name)), output);
    assert.equal(basename(original?.trashPath ?? ''), name);
  }
});

test('the journal of another node is left to that node', async () => {
  const { wish } = await ready('Film.mkv');
  const fault = (point: string): void => {
    if (point === 'swap:locked') throw Object.assign(new Error('the machine stops here'), { code: 'EIO' });
  };
  await assert.rejects(swap({ ...wish, fault }), code('swap-failed'));
  assert.deepEqual(await recover(root, { node: 'node-b' }), []);
  assert.equal((await recover(root, { node: wish.node }))[0]?.outcome, 'undone');
});

test('the same attempt number of another cluster’s books does no harm', async () => {
  const first = await ready('One.mkv');
  const done = await swap(first.wish);
  const second = await ready('Two.mkv');
  const again = await swap(second.wish);
  assert.notEqual(dirname(again.original?.trashPath ?? ''), dirname(done.original?.trashPath ?? ''));
  assert.deepEqual(await readFile(join(root.path, done.original?.trashPath ?? '')), first.original);
});

test('expiring deletes the original of the fingerprint and nothing else', async () => {
  const { wish } = await ready('Film.mkv');
  const { original } = await swap(wish);
  assert.ok(original);
  assert.deepEqual(await Array.fromAsync(listTrashed(root)), [{ trashPath: original.trashPath }]);
  const { note } = (await lookAtTrashed(root, original.trashPath))!;
  assert.deepEqual([note?.path, note?.kind, note?.replacedBy?.path], ['Films/Film.mkv', 'original', 'Films/Film.mkv']);
  await assert.rejects(expire({ root, ...original, fingerprint: { ...original.fingerprint, hash: '0'.repeat(64) } }), code('swap-unclear'));
  for (const trashPath of [
    'Films/Film.mkv',
    `.codecshift/trash/../../Films/Film.mkv`,
    '.codecshift/root.json',
    '.codecshift/journal/x/41/a.json',
  ]) {
    await assert.rejects(
      expire({ root, trashPath, fingerprint: await fingerprint(join(folder, 'Film.mkv')) }),
      code('outside-root'),
      trashPath,
    );
  }
  assert.equal(await expire({ root, ...original }), true);
  assert.equal(await expire({ root, ...original }), false);
  assert.deepEqual(await readdir(join(root.path, '.codecshift', 'trash')), []);
  assert.deepEqual(await readdir(folder), ['Film.mkv']);
});

async function anyClip(): Promise<string> {
  const path = join(root.path, '.film.mkv');
  await run(requireTool('ffmpeg'), ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=s=128x72:d=1:r=10', '-c:v', 'mjpeg', '-y', path]);
  return path;
}

async function smallFilm(): Promise<Buffer> {
  const path = join(root.path, '.small.mkv');
  await run(requireTool('ffmpeg'), ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=s=128x72:d=1:r=10', '-c:v', 'mpeg4', '-y', path]);
  return await readFile(path);
}

async function codec(ffprobe: string, path: string): Promise<string> {
  const { stdout } = await run(ffprobe, [
    '-v',
    'error',
    '-select_streams',
    'v',
    '-show_entries',
    'stream=codec_name',
    '-of',
    'csv=p=0',
    path,
  ]);
  return stdout.trim();
}
