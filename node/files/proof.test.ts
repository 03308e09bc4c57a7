import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { PlainError } from '../errors.ts';
import { findProof, writeProof } from './proof.ts';
import { adoptRoot, openRoot, type Root } from './roots.ts';

let scratch: string;
let root: Root;
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'codecshift-proof-')));
  await mkdir(join(scratch, 'films'));
  const { rootId } = await adoptRoot(join(scratch, 'films'));
  root = await openRoot({ id: rootId, path: join(scratch, 'films') });
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

const nonce = (digit: string): string => digit.repeat(64);
const brief = { forMs: 30, everyMs: 10 };

test('a number written through one way to a disk is found through another, and not on a copy of the disk', async () => {
  await symlink(root.path, join(scratch, 'way'));
  await cp(root.path, join(scratch, 'copy'), { recursive: true, preserveTimestamps: true });
  const way = await openRoot({ id: root.id, path: join(scratch, 'way') });
  const copy = await openRoot({ id: root.id, path: join(scratch, 'copy') });
  await writeProof(root, nonce('a'));
  assert.equal(await findProof(way, nonce('a'), brief), true);
  assert.equal(await findProof(copy, nonce('a'), brief), false);
});

test('the look goes on for a while, for a disk that shows late what was written', async () => {
  const looking = findProof(root, nonce('b'), { forMs: 20_000, everyMs: 5 });
  await writeProof(root, nonce('b'));
  assert.equal(await looking, true);
});

test('a look ends when it is told to, and when the disk goes away', async () => {
  const stop = new AbortController();
  const looking = findProof(root, nonce('c'), { signal: stop.signal, everyMs: 5 });
  stop.abort();
  await assert.rejects(looking, { name: 'AbortError' });
  // listened to from the beginning: the look may end before the removal is told
  const again = assert.rejects(
    findProof(root, nonce('c'), { everyMs: 5 }),
    (error: PlainError) => error.reason?.code === 'root-not-mounted',
  );
  await rm(join(root.path, '.codecshift', 'root.json'));
  await again;
});

test('old numbers go with the next one; what is not a number of ours stays', async () => {
  await writeProof(root, nonce('d'));
  const directory = join(root.path, '.codecshift', 'proof');
  await writeFile(join(directory, 'notes.txt'), 'x');
  const old = new Date(Date.now() - 2 * 3600_000);
  for (const name of await readdir(directory)) await utimes(join(directory, name), old, old);
  await writeProof(root, nonce('e'));
  assert.deepEqual((await readdir(directory)).sort(), [nonce('e'), 'notes.txt']);
});

test('a number that is a path is refused', async () => {
  await assert.rejects(writeProof(root, '../../film.mkv'), TypeError);
  await assert.rejects(findProof(root, `../${nonce('f')}`, brief), TypeError);
});
