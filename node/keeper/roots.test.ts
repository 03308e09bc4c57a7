import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { cp, mkdir, mkdtemp, open, readFile, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { PlainError } from '../errors.ts';
import { adoptRoot } from '../files/roots.ts';
import { loadRoots, type RootReport } from './roots.ts';

let scratch: string;
let dataDir: string;
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'codecshift-keeper-roots-')));
  dataDir = join(scratch, 'data');
  await mkdir(dataDir);
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

async function library(...way: string[]): Promise<{ path: string; id: string }> {
  const path = join(scratch, ...way);
  await mkdir(path, { recursive: true });
  return { path, id: (await adoptRoot(path)).rootId };
}

const refused = (error: unknown): boolean =>
  error instanceof PlainError && error.reason?.code === 'root-refused' && /\.$/.test(error.message);

test('a root of the cluster is found by its marker, kept over a restart, and looked for only now and then', async () => {
  const films = await library('mnt', 'films');
  const options = { mounts: [{ path: join(scratch, 'mnt'), apart: true }], seekEveryMs: 3600_000 };
  const roots = await loadRoots(dataDir, options);
  assert.deepEqual(await roots.seek([films.id]), [films.id]);
  const [{ freeBytes, ...report }] = (await roots.report()) as [RootReport];
  assert.deepEqual(report, { root: films.id, path: films.path, writable: true, problem: null });
  assert.ok(freeBytes! > 0, 'what is free on its disk is told with it');
  const again = await loadRoots(dataDir, options);
  assert.equal((await again.open(films.id)).path, films.path);
  assert.match(await readFile(join(dataDir, 'roots.json'), 'utf8'), /"found": "marker"/);
  const later = await library('mnt', 'series');
  assert.deepEqual(await roots.seek([films.id, later.id]), [], 'not again so soon');
  assert.deepEqual(await again.seek([films.id, later.id]), [later.id]);
});

test('of two places with one marker the first stays in use, whoever names the second', async () => {
  const films = await library('mnt', 'films');
  await cp(films.path, join(scratch, 'mnt', 'zcopy'), { recursive: true });
  const roots = await loadRoots(dataDir, { mounts: [{ path: join(scratch, 'mnt'), apart: true }] });
  assert.deepEqual(await roots.seek([films.id]), [films.id]);
  assert.equal((await roots.open(films.id)).path, films.path);
  await assert.rejects(roots.adopt(join(scratch, 'mnt', 'zcopy')), refused);
  assert.equal((await roots.open(films.id)).path, films.path);
});

test('a folder is taken for one certain root only when its marker says so, and no marker is made', async () => {
  const films = await library('films');
  await mkdir(join(films.path, 'Season 1'));
  const other = await library('other');
  await mkdir(join(scratch, 'plain'));
  const roots = await loadRoots(dataDir);
  await assert.rejects(roots.adopt(join(scratch, 'plain'), films.id), refused);
  await assert.rejects(stat(join(scratch, 'plain', '.codecshift')), { code: 'ENOENT' });
  await assert.rejects(roots.adopt(other.path, films.id), refused);
  assert.deepEqual(await roots.report(), []);
  assert.deepEqual(await roots.adopt(join(films.path, 'Season 1'), films.id), {
    rootId: films.id,
    rootPath: films.path,
    folder: 'Season 1',
  });
});

test('folders that are added at the same moment are all added and kept', async () => {
  const roots = await loadRoots(dataDir);
  const folders = await Promise.all(Array.from({ length: 8 }, (_, n) => library(`films-${n}`)));
  const adopted = await Promise.all(folders.map(({ path }) => roots.adopt(path)));
  assert.deepEqual(
    adopted.map(({ rootId }) => rootId),
    folders.map(({ id }) => id),
  );
  const again = await loadRoots(dataDir);
  for (const { id, path } of folders) assert.equal(again.where(id), path);
});

test('a folder that could not be kept was not added, and can be once there is room again', async () => {
  const films = await library('films');
  const roots = await loadRoots(dataDir);
  await mkdir(join(dataDir, 'roots.json.tmp')); // nothing can be written there, as on a full disk
  await assert.rejects(roots.adopt(films.path), /^PlainError: \S+roots\.json, which .* cannot be written: /);
  assert.equal(roots.where(films.id), null);
  await rm(join(dataDir, 'roots.json.tmp'), { recursive: true });
  await roots.adopt(films.path);
  assert.equal((await loadRoots(dataDir)).where(films.id), films.path);
});

test(
  'a disk that does not answer counts as not mounted and holds up nobody',
  { skip: process.platform === 'win32' && 'Windows has no named pipes in folders' },
  async () => {
    const films = await library('films');
    const roots = await loadRoots(dataDir, { patienceMs: 50 });
    await roots.adopt(films.path);
    const marker = join(films.path, '.codecshift', 'root.json');
    await rm(marker);
    execFileSync('mkfifo', [marker]); // reading it waits for ever, as on a dead server
    // many more than this process has threads for files
    const reports = await Promise.all(Array.from({ length: 12 }, () => roots.report()));
    assert.deepEqual(new Set(reports.map(([report]) => report?.problem)), new Set(['root-not-mounted']));
    assert.ok((await stat(scratch)).isDirectory(), 'other disks still answer');
    const writer = await open(marker, constants.O_WRONLY | constants.O_NONBLOCK);
    await writer.writeFile(JSON.stringify({ id: films.id }));
    await writer.close();
  },
);
