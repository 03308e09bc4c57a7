import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PlainError } from '../errors.ts';
import { adoptRoot, openRoot, resolveInRoot } from './roots.ts';

let scratch: string;
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'codecshift-roots-')));
});
afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

const code = (wanted: string) => (error: unknown) => error instanceof PlainError && error.reason?.code === wanted;

test('a folder becomes a root once and keeps its id', async () => {
  const first = await adoptRoot(scratch);
  assert.deepEqual(first, { rootId: first.rootId, rootPath: scratch, folder: '' });
  assert.deepEqual(await adoptRoot(scratch), first);
  const opened = await openRoot({ path: scratch, id: first.rootId });
  assert.deepEqual(opened, { id: first.rootId, path: scratch, writable: true, problem: null });
});

test('a folder below a root, also through a symlink, belongs to that root', async () => {
  const { rootId } = await adoptRoot(scratch);
  await mkdir(join(scratch, 'Films', 'Alt'), { recursive: true });
  await symlink(join(scratch, 'Films'), join(scratch, 'way'));
  assert.deepEqual(await adoptRoot(join(scratch, 'way', 'Alt')), { rootId, rootPath: scratch, folder: 'Films/Alt' });
});

test('places of the system, the whole home and our own data are refused with a sentence', async () => {
  await mkdir(join(scratch, 'data', 'workspace'), { recursive: true });
  for (const path of [
    '/',
    '/etc',
    '/proc/self',
    '/usr/share',
    '/home',
    '/var',
    tmpdir(),
    homedir(),
    'films',
    '',
    join(scratch, 'nothing'),
  ]) {
    await assert.rejects(adoptRoot(path), (error) => code('root-refused')(error) && /\.$/.test((error as Error).message), path);
  }
  await assert.rejects(adoptRoot(join(scratch, 'data', 'workspace'), { dataDir: join(scratch, 'data') }), code('root-refused'));
  await assert.rejects(adoptRoot(scratch, { dataDir: join(scratch, 'data') }), /--data-dir/);
  await writeFile(join(scratch, 'film.mkv'), 'x');
  await assert.rejects(adoptRoot(join(scratch, 'film.mkv')), /is a file/);
  await adoptRoot(scratch, { dataDir: join(scratch, '.hidden', 'data') });
});

test('20: an unmounted disk, another disk and a damaged marker are told apart', async () => {
  const { rootId } = await adoptRoot(scratch);
  const known = { path: scratch, id: rootId };
  await rename(join(scratch, '.codecshift'), join(scratch, 'away'));
  await assert.rejects(openRoot(known), code('root-not-mounted'));
  await assert.rejects(openRoot({ path: join(scratch, 'gone'), id: rootId }), code('root-not-mounted'));
  await adoptRoot(scratch);
  await assert.rejects(openRoot(known), code('root-is-another'));
  await writeFile(join(scratch, '.codecshift', 'root.json'), `{"id": "${'x'.repeat(60)}"}`);
  await assert.rejects(openRoot(known), code('root-damaged'));
  await assert.rejects(adoptRoot(scratch), code('root-damaged'));
});

test('processes that adopt a folder at once agree on one id', async () => {
  const program = `import { adoptRoot } from ${JSON.stringify(new URL('./roots.ts', import.meta.url).href)};
    process.stdout.write((await adoptRoot(process.argv[1])).rootId);`;
  const ids = await Promise.all([1, 2, 3, 4].map(() => output(['--no-warnings', '--input-type=module', '-e', program, scratch])));
  assert.equal(new Set(ids).size, 1, ids.join());
  assert.equal((JSON.parse(await readFile(join(scratch, '.codecshift', 'root.json'), 'utf8')) as { id: string }).id, ids[0]);
});

test('20: no path leads out of a root', async () => {
  await mkdir(join(scratch, 'root', 'Films'), { recursive: true });
  await mkdir(join(scratch, 'outside'));
  await mkdir(join(scratch, 'root-twin'));
  const root = { path: join(scratch, 'root') };
  await symlink(join(scratch, 'outside'), join(root.path, 'escape'));
  await symlink(join(scratch, 'root-twin'), join(root.path, 'twin'));
  assert.equal(await resolveInRoot(root, 'Films/..a.mkv'), join(root.path, 'Films', '..a.mkv'));
  assert.equal(await resolveInRoot(root, ''), root.path);
  for (const path of [
    '../outside/a',
    'Films/../../outside/a',
    '/etc/passwd',
    'Films//a',
    'Films/./a',
    'a\0b',
    'escape/a.mkv',
    'twin/a.mkv',
    '..',
  ]) {
    await assert.rejects(resolveInRoot(root, path), code('outside-root'), path);
  }
  await assert.rejects(resolveInRoot(root, 'Nowhere/a.mkv'), code('missing'));
});

test('a root that may not be written to says so and a folder there is not adopted', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root, to look as another user');
  const { rootId } = await adoptRoot(scratch);
  const roots = JSON.stringify(new URL('./roots.ts', import.meta.url).href);
  await mkdir(join(scratch, 'closed'));
  const look = `import { adoptRoot, openRoot } from ${roots}; process.setgid(65534); process.setuid(65534);
    const opened = await openRoot({ path: process.argv[1], id: process.argv[2] });
    const refused = await adoptRoot(process.argv[1] + '-other').catch((error) => error.reason.code);
    process.stdout.write(JSON.stringify({ opened, refused }));`;
  const { chmod } = await import('node:fs/promises');
  await chmod(scratch, 0o755);
  await mkdir(`${scratch}-other`, { mode: 0o755 });
  try {
    const seen = JSON.parse(await output(['--no-warnings', '--input-type=module', '-e', look, scratch, rootId])) as Record<string, unknown>;
    assert.deepEqual(seen, { opened: { id: rootId, path: scratch, writable: false, problem: 'read-only' }, refused: 'read-only' });
  } finally {
    await rm(`${scratch}-other`, { recursive: true, force: true });
  }
});

async function output(args: string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: fileURLToPath(new URL('.', import.meta.url)) });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  const status = await new Promise((done) => child.on('close', done));
  assert.equal(status, 0);
  return text;
}
