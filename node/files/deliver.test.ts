import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { PlainError } from '../errors.ts';
import { deliver, discard, type DeliverWish } from './deliver.ts';
import { fingerprint, sameContent, sha256File, unchanged } from './fingerprint.ts';
import { listDeliveries, readDelivery } from './journal.ts';
import { recover } from './recover.ts';
import { adoptRoot, openRoot, type Root } from './roots.ts';
import { openWorkspace } from './workspace.ts';

const run = promisify(execFile);
let root: Root;
let folder: string;
let away: string | null = null;
const mounts: string[] = [];
beforeEach(async () => {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'codecshift-deliver-')));
  root = await openRoot({ path, id: (await adoptRoot(path)).rootId });
  folder = join(path, 'Films');
  await mkdir(folder);
  away = null;
});
afterEach(async () => {
  for (const mount of mounts.splice(0)) await run('umount', [mount]);
  await rm(root.path, { recursive: true, force: true });
  if (away) await rm(away, { recursive: true, force: true });
});

const code = (wanted: string) => (error: unknown) => error instanceof PlainError && error.reason?.code === wanted;

test('on one file system the output is linked, and asking again only checks it', async () => {
  const wish = await made(100_000);
  const first = await deliver(wish);
  assert.equal(first.tmpPath, 'Films/.tmp_5_Film.mkv');
  assert.equal((await stat(first.absolutePath)).ino, (await stat(wish.from)).ino);
  await rm(wish.from);
  assert.deepEqual((await deliver(wish)).tmpPath, first.tmpPath);
});

test('from another file system the output is copied whole and checked', async (t) => {
  const other = await otherDisk();
  if (!other) return t.skip('there is no second file system to write to');
  const wish = await made(3_000_000, other);
  const seen: number[] = [];
  const { absolutePath } = await deliver({ ...wish, onProgress: (bytes) => seen.push(bytes) });
  assert.notEqual((await stat(absolutePath)).dev, (await stat(wish.from)).dev);
  assert.equal(await sha256File(absolutePath), wish.sha256);
  assert.equal(seen.at(-1), 3_000_000);
});

test('an output that is not the announced one leaves nothing', async (t) => {
  for (const base of [undefined, await otherDisk()]) {
    if (base === null) {
      t.diagnostic('only on one file system');
      continue;
    }
    const wish = await made(50_000, base);
    await assert.rejects(deliver({ ...wish, sha256: '0'.repeat(64) }), code('hash-mismatch'));
    await assert.rejects(deliver({ ...wish, sizeBytes: 49_999 }), code('hash-mismatch'));
    assert.deepEqual(await readdir(folder), []);
    assert.deepEqual(await listDeliveries(root), []);
  }
});

test('a stranger’s file under the waiting name is never written over nor removed', async () => {
  const wish = await made(10);
  await writeFile(join(folder, '.tmp_5_Film.mkv'), 'of an older tool');
  await assert.rejects(deliver(wish), code('foreign-file'));
  assert.equal(await discard(root, 5), false);
  assert.equal(await readFile(join(folder, '.tmp_5_Film.mkv'), 'utf8'), 'of an older tool');
  await rm(join(folder, '.tmp_5_Film.mkv'));
  await writeFile(join(root.path, 'victim'), 'x');
  await symlink(join(root.path, 'victim'), join(folder, '.tmp_5_Film.mkv'));
  await assert.rejects(deliver(wish), code('foreign-file'));
  assert.equal(await readFile(join(root.path, 'victim'), 'utf8'), 'x');
});

test('a delivered output is discarded only as long as it is the one that was delivered', async () => {
  const { absolutePath } = await deliver(await made(1000));
  await rm(absolutePath);
  await writeFile(absolutePath, randomBytes(1000));
  assert.equal(await discard(root, 5), false);
  assert.equal((await readdir(folder)).length, 1);
});

test('a cancelled copy leaves nothing', async (t) => {
  const other = await otherDisk();
  if (!other) return t.skip('there is no second file system to write to');
  const wish = await made(5_000_000, other);
  const stop = new AbortController();
  await assert.rejects(deliver({ ...wish, signal: stop.signal, onProgress: () => stop.abort(new Error('cancelled')) }), /cancelled/);
  assert.deepEqual(await readdir(folder), []);
});

test('a killed delivery is cleared away by recovery, at each of its points', async (t) => {
  const other = await otherDisk();
  if (!other) return t.skip('there is no second file system to write to');
  for (const point of ['deliver:noted', 'deliver:made', 'deliver:brought']) {
    const wish = await made(200_000, other);
    const program = `import { deliver } from ${JSON.stringify(new URL('./deliver.ts', import.meta.url).href)};
      const wish = JSON.parse(process.argv[1]);
      await deliver({ ...wish, fault: (point) => { if (point === '${point}') process.kill(process.pid, 'SIGKILL'); } });`;
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', program, JSON.stringify(wish)], {
      stdio: 'inherit',
    });
    const signal = await new Promise((done) => child.on('close', (_, how) => done(how)));
    assert.equal(signal, 'SIGKILL');
    assert.equal((await readDelivery(root, 5))?.state, 'copying', point);
    await recover(root, { node: 'node-b' });
    assert.equal((await readDelivery(root, 5))?.state, 'copying', 'another node’s delivery may be going on');
    await recover(root, { node: 'node-a' });
    assert.deepEqual(await readdir(folder), [], point);
    assert.deepEqual(await listDeliveries(root), []);
    assert.equal((await deliver(wish)).fingerprint.sizeBytes, 200_000);
    await discard(root, 5);
  }
});

test('a disk without room says so before, and one that fills up leaves nothing', async (t) => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return t.skip('needs root, to mount a small disk');
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=80m', 'tmpfs', folder]).then(
    () => true,
    () => false,
  );
  if (!mounted) return t.skip('mounting is not allowed here');
  mounts.push(folder);
  const big = await made(20_000_000);
  await assert.rejects(deliver(big), code('no-space'));
  assert.deepEqual(await readdir(folder), []);
  const small = await made(10_000_000);
  const fill = async (): Promise<void> => void (await writeFile(join(folder, 'filler'), Buffer.alloc(90_000_000)).catch(() => null));
  await assert.rejects(deliver({ ...small, fault: (point) => (point === 'deliver:made' ? fill() : undefined) }), code('disk-full'));
  assert.deepEqual(await readdir(folder), ['filler']);
});

test('a folder that may not be written to refuses with a sentence', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root, to look as another user');
  const wish = await made(100);
  await chmod(root.path, 0o755);
  await run('chown', ['-R', '65534:65534', join(root.path, '.codecshift')]);
  const program = `import { deliver } from ${JSON.stringify(new URL('./deliver.ts', import.meta.url).href)};
    process.setgid(65534); process.setuid(65534);
    await deliver(JSON.parse(process.argv[1])).then(() => 'delivered', (error) => error.reason?.code + ' ' + error.message).then((said) => process.stdout.write(said));`;
  const { stdout } = await run(process.execPath, ['--no-warnings', '--input-type=module', '-e', program, JSON.stringify(wish)]);
  assert.match(stdout, /^read-only CodecShift may not write beside Films\/Film\.mkv/);
  assert.deepEqual(await readdir(folder), []);
});

test('a fingerprint survives a move and tells every kind of change', async () => {
  const path = join(folder, 'a.mkv');
  await writeFile(path, Buffer.alloc(300_000, 1));
  const first = await fingerprint(path);
  assert.equal(first.hash, (await fingerprint(path)).hash);
  assert.ok(Number.isInteger(first.mtimeMs));
  await writeFile(join(folder, 'b.mkv'), Buffer.alloc(300_000, 1));
  const twin = await fingerprint(join(folder, 'b.mkv'));
  assert.ok(sameContent(first, twin) && !unchanged(first, twin));
  await truncate(path, 299_999);
  assert.ok(!sameContent(first, await fingerprint(path)));
  await writeFile(join(folder, 'empty.mkv'), '');
  assert.equal((await fingerprint(join(folder, 'empty.mkv'))).sizeBytes, 0);
  await symlink(path, join(folder, 'link.mkv'));
  await assert.rejects(fingerprint(join(folder, 'link.mkv')), code('not-a-file'));
  await assert.rejects(fingerprint(folder), code('not-a-file'));
  await assert.rejects(fingerprint(join(folder, 'nothing')), code('missing'));
});

test('the workspace holds one directory per attempt and gives up those of the dead', async () => {
  const workspace = await openWorkspace(join(root.path, 'data'));
  await workspace.create(3);
  await writeFile(workspace.outputOf(3, '.mkv'), 'half');
  await workspace.create(12);
  await mkdir(join(workspace.path, 'not-ours'));
  assert.deepEqual(await workspace.list(), [3, 12]);
  await workspace.create(3);
  assert.deepEqual(await readdir(workspace.directoryOf(3)), [], 'an attempt begins with an empty directory');
  assert.deepEqual(await workspace.removeOrphans(new Set([12])), [3]);
  assert.deepEqual(await readdir(workspace.path), ['12', 'not-ours']);
  assert.throws(() => workspace.outputOf(12, '/../../x'), TypeError);
  assert.throws(() => workspace.directoryOf(-1), TypeError);
  assert.ok((await workspace.freeBytes()) > 0);
});

async function made(size: number, base = root.path): Promise<DeliverWish> {
  const from = join(base, '.output');
  const bytes = randomBytes(size);
  await writeFile(from, bytes);
  return {
    root,
    node: 'node-a',
    attempt: 5,
    target: 'Films/Film.mkv',
    from,
    sizeBytes: size,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
}

/** A directory on another file system than the root's, or null. */
async function otherDisk(): Promise<string | null> {
  if (away) return away;
  const made = await mkdtemp('/dev/shm/codecshift-').catch(() => null);
  if (made && (await stat(made)).dev === (await stat(root.path)).dev) {
    await rm(made, { recursive: true });
    return null;
  }
  return (away = made);
}
