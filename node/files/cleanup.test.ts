import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { deleteLeftovers, listLeftovers, type Leftover } from './cleanup.ts';
import { deliver } from './deliver.ts';
import { adoptRoot, openRoot, type Root } from './roots.ts';

let root: Root;
let folder: string;
beforeEach(async () => {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'codecshift-cleanup-')));
  root = await openRoot({ path, id: (await adoptRoot(path)).rootId });
  folder = join(path, 'Films');
  await mkdir(folder);
});
afterEach(async () => {
  await rm(root.path, { recursive: true, force: true });
});

test('ours and dead, ours and alive, and not ours are told apart', async () => {
  await delivered(5);
  await delivered(6);
  await writeFile(join(folder, 'a.mkv.lock'), lockOf(5));
  await writeFile(join(folder, 'b.mkv.lock'), lockOf(6));
  await writeFile(join(folder, 'yarn.lock'), 'a lockfile of something else');
  await writeFile(join(folder, '.tmp_2001_a space odyssey.mkv'), 'of an older tool');
  await writeFile(join(folder, 'Film.mkv'), 'a film');
  assert.deepEqual((await list([6])).map((one) => `${one.standing} ${one.path}`).sort(), [
    'ask Films/.tmp_2001_a space odyssey.mkv',
    'ask Films/yarn.lock',
    'dead Films/.tmp_5_Film.mkv',
    'dead Films/a.mkv.lock',
    'live Films/.tmp_6_Film.mkv',
    'live Films/b.mkv.lock',
  ]);
});

test('a lock of a node that is not in the cluster is never called ours', async () => {
  await writeFile(join(folder, 'a.mkv.lock'), lockOf(5));
  const [lock] = await Array.fromAsync(listLeftovers(root, '', { live: new Set(), nodes: new Set(['node-b']) }));
  assert.equal(lock?.standing, 'ask');
});

test('only what was chosen goes, strangers only with a person’s word, the living never', async () => {
  await delivered(5);
  await delivered(6);
  await writeFile(join(folder, 'yarn.lock'), 'foreign');
  const all = await list([6]);
  const first = await deleteLeftovers(root, all, { live: new Set([6]), asked: false });
  assert.deepEqual(first.deleted, ['Films/.tmp_5_Film.mkv']);
  assert.deepEqual((await readdir(folder)).sort(), ['.tmp_6_Film.mkv', 'yarn.lock']);
  const second = await deleteLeftovers(root, all, { live: new Set([6]), asked: true });
  assert.deepEqual(
    second.kept.map((one) => one.path),
    ['Films/.tmp_6_Film.mkv'],
  );
  assert.deepEqual(await readdir(folder), ['.tmp_6_Film.mkv']);
});

test('what changed since it was listed, and what is no leftover at all, stays', async () => {
  await writeFile(join(folder, 'yarn.lock'), 'foreign');
  await writeFile(join(folder, 'Film.mkv'), 'a film');
  const [lock] = await list([]);
  assert.ok(lock);
  await writeFile(join(folder, 'yarn.lock'), 'newer and longer');
  const forged: Leftover[] = [
    lock,
    { ...lock, path: 'Films/Film.mkv' },
    { ...lock, path: '.codecshift/root.json.lock' },
    { ...lock, path: '../x.lock' },
  ];
  const { deleted, kept } = await deleteLeftovers(root, forged, { live: new Set(), asked: true });
  assert.deepEqual(deleted, []);
  assert.equal(kept.length, 4);
  assert.deepEqual((await readdir(folder)).sort(), ['Film.mkv', 'yarn.lock']);
});

test('a journal that cannot be read protects what its attempt left', async () => {
  await delivered(5);
  await writeFile(join(root.path, '.codecshift', 'journal', '5.json'), '{"half');
  await writeFile(join(folder, 'a.mkv.lock'), lockOf(5));
  assert.deepEqual([...new Set((await list([])).map((one) => one.standing))], ['live']);
  const all = (await list([])).map((one) => ({ ...one, standing: 'dead' as const }));
  const { deleted } = await deleteLeftovers(root, all, { live: new Set(), asked: true });
  assert.deepEqual(deleted, []);
});

test('a disk that goes away in the middle ends a list and a deletion with that reason, and not as if nothing were left', async () => {
  for (const name of ['a.lock', 'b.lock', 'c.lock']) await writeFile(join(folder, name), 'foreign');
  const walking = listLeftovers(root, '', { live: new Set() });
  const first = await walking.next();
  assert.ok(first.value);
  await rename(join(root.path, '.codecshift'), join(root.path, 'away'));
  await rm(folder, { recursive: true });
  await assert.rejects(Array.fromAsync(walking), isAway);
  await assert.rejects(deleteLeftovers(root, [first.value], { live: new Set(), asked: true }), isAway);
});

test('what went away by itself is told apart from what was deleted', async () => {
  await writeFile(join(folder, 'a.lock'), 'foreign');
  const all = await list([]);
  await rm(join(folder, 'a.lock'));
  assert.deepEqual(await deleteLeftovers(root, all, { live: new Set(), asked: true }), { deleted: [], gone: ['Films/a.lock'], kept: [] });
});

test('a folder that is a library root of its own is left to that root', async () => {
  const inner = join(folder, 'Inner');
  await mkdir(inner);
  await writeFile(join(inner, 'a.lock'), 'foreign');
  assert.equal((await list([])).length, 1);
  await mkdir(join(inner, '.codecshift'));
  await writeFile(join(inner, '.codecshift', 'root.json'), '{}');
  assert.deepEqual(await list([]), []);
});

test('names and contents made to confuse are listed as a stranger’s, whatever they claim', async () => {
  const names = ['<img src=x>.lock', 'a\nb.lock', '\u202egnirts.lock', `.tmp_99_${'x'.repeat(200)}`, '.tmp_999999999999999_x.mkv', '.tmp_'];
  for (const name of names) await writeFile(join(folder, name), 'x');
  const claims = { who: 'codecshift', job: 1, term: 1, since: 'now' };
  await writeFile(join(folder, 'negative.lock'), JSON.stringify({ ...claims, node: 'node-a', attempt: -7 }));
  await writeFile(join(folder, 'node.lock'), JSON.stringify({ ...claims, node: 'a b\n', attempt: 7 }));
  const found = await list([]);
  assert.equal(found.length, names.length + 2);
  assert.deepEqual([...new Set(found.map((one) => `${one.standing} ${one.attempt}`))], ['ask null']);
});

const isAway = (error: { reason?: { code: string } }): boolean => error.reason?.code === 'root-not-mounted';

async function list(live: number[]): Promise<Leftover[]> {
  return await Array.fromAsync(listLeftovers(root, '', { live: new Set(live) }));
}

async function delivered(attempt: number): Promise<void> {
  const from = join(root.path, `.output-${attempt}`);
  const bytes = randomBytes(500);
  await writeFile(from, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await deliver({ root, node: 'node-a', attempt, target: 'Films/Film.mkv', from, sizeBytes: 500, sha256 });
}

function lockOf(attempt: number): string {
  return JSON.stringify({ who: 'codecshift', node: 'node-a', job: 1, attempt, term: 1, since: 'now' });
}
