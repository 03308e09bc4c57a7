import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { openRoot } from './roots.ts';
import { backwards, code, folder, mayMount, mounts, mountTmpfs, ready, root, run, useStage } from './swap-stage.ts';
import { restore, swap } from './swap.ts';

useStage();

test('a disk mounted inside the root keeps its own trash', async (t) => {
  if (!mayMount || !(await mountTmpfs(folder, '200m'))) return t.skip('needs root and the right to mount');
  const { wish, original } = await ready('Season/Film.mkv');
  const done = await swap(wish);
  assert.match(done.original?.trashPath ?? '', /^Films\/\.codecshift\/trash\//);
  assert.deepEqual(await readFile(join(root.path, done.original?.trashPath ?? '')), original);
  const back = await restore(backwards(wish, done));
  assert.deepEqual(await readFile(join(root.path, back.path)), original);
});

test('a bind mount, which refuses links and renames on one and the same disk, keeps its own trash', async (t) => {
  await mkdir(join(root.path, 'behind'));
  const bound =
    mayMount &&
    (await run('mount', ['--bind', join(root.path, 'behind'), folder]).then(
      () => true,
      () => false,
    ));
  if (!bound) return t.skip('needs root and the right to mount');
  mounts.push(folder);
  for (const [name, target] of [
    ['Film.mkv', 'Film.mkv'],
    ['Other.avi', 'Other.mkv'],
  ] as const) {
    const { wish, original } = await ready(name, { target, attempt: name.length });
    const done = await swap(wish);
    assert.match(done.original?.trashPath ?? '', /^Films\/\.codecshift\/trash\//);
    const back = await restore(backwards(wish, done));
    assert.deepEqual(await readFile(join(root.path, back.path)), original);
  }
  assert.deepEqual(await readdir(join(root.path, '.codecshift', 'trash')).catch(() => []), [], 'nothing is left where it did not work');
});

test('a full disk stops the swap before anything is touched', async (t) => {
  if (!mayMount || !(await mountTmpfs(folder, '1m'))) return t.skip('needs root and the right to mount');
  const inner = await openRoot({ path: folder, id: (await adoptRootAt(folder)).rootId });
  const { wish, original } = await ready('Film.mkv', { size: 100_000 });
  const path = 'Film.mkv';
  await writeFile(join(folder, 'filler'), Buffer.alloc(2_000_000)).catch(() => null);
  const here = { ...wish, root: inner, path, target: path, tmpPath: basename(wish.tmpPath) };
  await assert.rejects(swap(here), code('disk-full'));
  assert.deepEqual(await readFile(join(folder, 'Film.mkv')), original);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.lock')),
    [],
  );
  await rm(join(folder, 'filler'));
  assert.equal((await swap(here)).path, path, 'with room again it goes through');
});

/** The outer root would claim it: this one stands for a disk of its own. */
async function adoptRootAt(path: string): Promise<{ rootId: string }> {
  const rootId = '11111111-1111-4111-8111-111111111111';
  await mkdir(join(path, '.codecshift'));
  await writeFile(join(path, '.codecshift', 'root.json'), JSON.stringify({ id: rootId }));
  return { rootId };
}
