import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { link, mkdir, mkdtemp, realpath, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { PlainError } from '../errors.ts';
import { adoptRoot, openRoot, type Root } from './roots.ts';
import { walk, type Walked } from './walk.ts';

let root: Root;
beforeEach(async () => {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'codecshift-walk-')));
  root = await openRoot({ path, id: (await adoptRoot(path)).rootId });
});
afterEach(async () => {
  await rm(root.path, { recursive: true, force: true });
});

test('media files are found in byte order, everything else is passed over', async () => {
  await put('b/film.MKV', 'x');
  await put('a/Ümlaut.mp4', 'xx');
  await put('B.avi', '');
  for (const other of [
    'a/film.txt',
    'a/film.iso',
    'a/poster.jpg',
    '.hidden/film.mkv',
    'a/.film.mkv',
    'a/.tmp_3_film.mkv',
    'a/film.mkv.lock',
    '@eaDir/film.mkv',
    '#recycle/film.mkv',
    '$RECYCLE.BIN/film.mkv',
    'lost+found/film.mkv',
    '.Trash-1000/film.mkv',
    '.codecshift/trash/2026-01-01/3/film.mkv',
    'a/mkv',
  ])
    await put(other, 'x');
  const found = await list('');
  assert.deepEqual(
    found.map((one) => [one.kind, one.path, one.sizeBytes]),
    [
      ['file', 'B.avi', 0],
      ['file', 'a/Ümlaut.mp4', 2],
      ['file', 'b/film.MKV', 1],
    ],
  );
  assert.deepEqual(
    (await list('a')).map((one) => one.path),
    ['a/Ümlaut.mp4'],
  );
});

test('hard links are counted and the age is that of the last change, not of the claimed time', async () => {
  await put('film.mkv', 'x');
  await link(join(root.path, 'film.mkv'), join(root.path, 'seed.bin'));
  await utimes(join(root.path, 'film.mkv'), 1_000_000, 1_000_000);
  const [file] = await list('');
  assert.ok(file?.kind === 'file');
  assert.equal(file.links, 2);
  assert.equal(file.mtimeMs, 1_000_000_000);
  assert.ok(file.changedAgoMs < 3_600_000, 'the copy is fresh although its time is of 1970');
});

test('20: symlinks are shown and never followed, loops included', async () => {
  await put('real/film.mkv', 'x');
  await symlink(join(root.path, 'real'), join(root.path, 'real', 'loop'));
  await symlink('/etc', join(root.path, 'etc'));
  await symlink(join(root.path, 'real', 'film.mkv'), join(root.path, 'again.mkv'));
  await symlink('/nowhere', join(root.path, 'season.mkv'));
  assert.deepEqual(await problems(''), [
    ['again.mkv', 'symlink'],
    ['season.mkv', 'symlink'],
  ]);
  assert.deepEqual(
    (await list('')).filter((one) => one.kind === 'file').map((one) => one.path),
    ['real/film.mkv'],
  );
});

test('names that are not UTF-8 are shown with their bytes, files and folders', async (t) => {
  const odd = Buffer.concat([Buffer.from(`${root.path}/Amélie `), Buffer.from([0xe9, 0xff]), Buffer.from('.mkv')]);
  try {
    await writeFile(odd, 'xyz');
  } catch {
    return t.skip('this file system takes UTF-8 names only');
  }
  const folder = Buffer.concat([Buffer.from(`${root.path}/fol`), Buffer.from([0xe9])]);
  await mkdir(folder);
  await writeFile(Buffer.concat([folder, Buffer.from('/inner.mkv')]), 'x');
  await writeFile(Buffer.concat([folder, Buffer.from('.txt')]), 'x');
  const found = await list('');
  assert.deepEqual(
    found.map((one) => [one.kind, one.path, one.sizeBytes]),
    [
      ['problem', 'Amélie \\xe9\\xff.mkv', 3],
      ['problem', 'fol\\xe9/', 0],
    ],
  );
});

test('names of 255 bytes, control characters and different normalisations are all kept as they are', async () => {
  const names = [`${'f'.repeat(251)}.mkv`, 'line\nbreak\t.mkv', 'e\u0301.mkv', '\u00e9.mkv', ' space .mkv', '-rf.mkv'];
  for (const name of names) await put(name, 'x');
  assert.deepEqual((await list('')).map((one) => one.path).sort(), [...names].sort());
});

test('a pipe with the name of a film is shown and never opened', async (t) => {
  const made = await new Promise((done) =>
    spawn('mkfifo', [join(root.path, 'pipe.mkv')])
      .on('close', done)
      .on('error', () => done(1)),
  );
  if (made !== 0) return t.skip('mkfifo is not here');
  assert.deepEqual(await problems(''), [['pipe.mkv', 'not-a-file']]);
});

test('a root inside a root is left to itself', async () => {
  await put('inner/film.mkv', 'x');
  await adoptInner('inner');
  assert.deepEqual(await problems(''), [['inner/', 'another-root']]);
});

test('a folder that may not be read is shown, the rest is walked', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root, to look as another user');
  await put('closed/film.mkv', 'x');
  await put('open/film.mkv', 'x');
  const { chmod } = await import('node:fs/promises');
  await chmod(root.path, 0o755);
  await chmod(join(root.path, 'closed'), 0o700);
  const program = `import { walk } from ${JSON.stringify(new URL('./walk.ts', import.meta.url).href)}; process.setgid(65534); process.setuid(65534);
    const found = []; for await (const one of walk(JSON.parse(process.argv[1]), '')) found.push([one.kind, one.path, one.reason?.code ?? null]);
    process.stdout.write(JSON.stringify(found));`;
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', program, JSON.stringify(root)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  await new Promise((done) => child.on('close', done));
  assert.deepEqual(JSON.parse(text), [
    ['problem', 'closed/', 'no-permission'],
    ['file', 'open/film.mkv', null],
  ]);
});

test('a disk that goes away in the middle of a walk is an error, not an end', async () => {
  for (let n = 0; n < 20; n++) await put(`d${n}/film.mkv`, 'x');
  await assert.rejects(
    async () => {
      for await (const one of walk(root, ''))
        if (one.path === 'd1/film.mkv') await rename(join(root.path, '.codecshift'), join(root.path, '.gone'));
    },
    (error) => error instanceof PlainError && error.reason?.code === 'root-not-mounted',
  );
});

test('a walk stops when told to', async () => {
  await put('a.mkv', 'x');
  await put('b.mkv', 'x');
  const stop = new AbortController();
  await assert.rejects(async () => {
    for await (const one of walk(root, '', { signal: stop.signal })) stop.abort(new Error(one.path));
  }, /a\.mkv/);
});

async function put(path: string, text: string): Promise<void> {
  const whole = join(root.path, path);
  await mkdir(join(whole, '..'), { recursive: true });
  await writeFile(whole, text);
}

async function list(folder: string): Promise<Walked[]> {
  return await Array.fromAsync(walk(root, folder));
}

async function problems(folder: string): Promise<[string, string][]> {
  return (await list(folder)).flatMap((one) => (one.kind === 'problem' ? [[one.path, one.reason.code] as [string, string]] : []));
}

/** As if it had been adopted before the outer one. */
async function adoptInner(folder: string): Promise<void> {
  await put(`${folder}/.codecshift/root.json`, JSON.stringify({ id: '00000000-0000-4000-8000-000000000000' }));
}

test('a film that is still being fetched beside it is not finished, unless that was given up long ago', async () => {
  for (const name of ['One.mkv', 'One.mkv.part', 'Two.mkv', 'Two.!qB', 'Free.mkv', 'Freed.part']) await put(`a/${name}`, 'x');
  const now = (): number => Date.now() + 3600_000;
  const later = (): number => Date.now() + 30 * 3600_000;
  const ages = async (at: () => number): Promise<Record<string, boolean>> => {
    const found: Record<string, boolean> = {};
    for await (const one of walk(root, 'a', { now: at })) if (one.kind === 'file') found[one.path] = one.changedAgoMs < 60_000;
    return found;
  };
  // a change time cannot be set back, so time goes on instead
  assert.deepEqual(await ages(now), { 'a/Free.mkv': false, 'a/One.mkv': true, 'a/Two.mkv': true });
  assert.deepEqual(await ages(later), { 'a/Free.mkv': false, 'a/One.mkv': false, 'a/Two.mkv': false });
});

test('a folder is only missing while its disk is there', async () => {
  await put('a/film.mkv', 'x');
  const missing = (error: unknown): boolean => error instanceof PlainError && error.reason?.code === 'missing';
  await assert.rejects(async () => void (await walk(root, 'gone/deep').next()), missing);
  await assert.rejects(async () => void (await walk(root, 'a/film.mkv').next()), missing);
});
