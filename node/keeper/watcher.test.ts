import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { PlainError } from '../errors.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';
import { quietLog } from '../testing/database.ts';
import { noOddDisks, smallDisk } from '../testing/odd-disks.ts';
import { createWatcher, type WatcherParts } from './watcher.ts';

const node = 'keeper-a';
const root = '11111111-1111-4111-8111-111111111111';
const base = await mkdtemp(join(tmpdir(), 'codecshift-watcher-'));
after(() => rm(base, { recursive: true, force: true }));

type News = ProtocolRequest<'changed'>;

async function stage(t: TestContext, change: Partial<WatcherParts> & { refuse?: number } = {}) {
  const directory = await mkdtemp(join(base, 'disk-'));
  await mkdir(join(directory, 'Films', 'One'), { recursive: true });
  const place = { path: directory };
  const mesh = createLocalMesh(node, quietLog());
  const news: News[] = [];
  let refuse = change.refuse ?? 0;
  let wake = (): void => {};
  mesh.handle('changed', async (said) => {
    if (refuse-- > 0) throw new PlainError('Nobody leads.', { retry: true });
    news.push(said);
    wake();
    return { heard: true };
  });
  const watcher = createWatcher({
    ...{ mesh, coordinator: () => node, log: quietLog(), watchable: async () => null, gatherMs: 5, restMs: 10 },
    roots: { open: async (id) => ({ id, path: place.path, writable: true }) as never, where: () => place.path },
    onState: () => wake(),
    ...change,
  });
  t.after(() => watcher.stop());
  const until = async <T>(what: () => T | undefined | false): Promise<T> => {
    for (;;) {
      const found = what();
      if (found) return found;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { directory, place, watcher, news, until };
}

test('a library is watched once it is wished, what changes is told by its folder, also after a refusal', async (t) => {
  const s = await stage(t, { refuse: 2 });
  s.watcher.wish([{ root, folder: 'Films' }]);
  await s.until(() => s.watcher.state().length > 0);
  assert.deepEqual(s.watcher.state(), [{ root, folder: 'Films', watching: true, why: null }]);
  await writeFile(join(s.directory, 'Films', 'One', 'film.mkv'), 'x');
  const told = await s.until(() => s.news.find((one) => one.folders.includes('Films/One')));
  assert.deepEqual([told.node, told.root], [node, root]);
  s.watcher.wish([]);
  assert.deepEqual(s.watcher.state(), []);
});

test('a disk that does not tell the truth is not watched, and it is said why; one that is not here is not spoken of', async (t) => {
  const s = await stage(t, { watchable: async () => 'it is a network disk' });
  s.watcher.wish([{ root, folder: '' }]);
  await s.until(() => s.watcher.state().length > 0);
  assert.deepEqual(s.watcher.state(), [{ root, folder: '', watching: false, why: 'it is a network disk' }]);
  const away = await stage(t, { roots: { open: async () => Promise.reject(new PlainError('not here')), where: () => null } });
  away.watcher.wish([{ root, folder: '' }]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([away.watcher.state(), away.news], [[], []]);
});

test('a folder that went away is said, and when it is back the whole of it is looked at', async (t) => {
  const s = await stage(t, { againMs: 5 });
  s.watcher.wish([{ root, folder: 'Films' }]);
  await s.until(() => s.watcher.state()[0]?.watching);
  await rm(join(s.directory, 'Films'), { recursive: true });
  await s.until(() => s.watcher.state()[0]?.watching === false);
  await mkdir(join(s.directory, 'Films'));
  assert.deepEqual((await s.until(() => s.news.find((one) => one.folders.includes('Films')))).root, root);
  await s.until(() => s.watcher.state()[0]?.watching);
});

test(
  'a root that was found at another place of this machine is watched there, the whole of it is looked at, and the old place is let go',
  { timeout: 60_000 },
  async (t) => {
    const s = await stage(t);
    s.watcher.wish([{ root, folder: 'Films' }]);
    await s.until(() => s.watcher.state()[0]?.watching);
    s.place.path = await mkdtemp(join(base, 'moved-'));
    await mkdir(join(s.place.path, 'Films', 'Two'), { recursive: true });
    s.watcher.wish([{ root, folder: 'Films' }]);
    await s.until(() => s.news.find((one) => one.folders.includes('Films')));
    await writeFile(join(s.directory, 'Films', 'One', 'film.mkv'), 'x');
    await writeFile(join(s.place.path, 'Films', 'Two', 'film.mkv'), 'x');
    await s.until(() => s.news.find((one) => one.folders.includes('Films/Two')));
    assert.equal(
      s.news.find((one) => one.folders.includes('Films/One')),
      undefined,
    );
    s.watcher.wish([{ root, folder: 'Films' }]);
    assert.equal(s.watcher.state()[0]?.watching, true, 'the same wish once more changes nothing');
  },
);

test('a library whose disk is unmounted and mounted again is watched again', { timeout: 60_000, skip: noOddDisks() }, async (t) => {
  const disk = smallDisk(t, '1m');
  const where = () => disk.path;
  const roots = { open: async (id: string) => ({ id, path: disk.path, writable: true }) as never, where };
  const s = await stage(t, { roots, againMs: 5, lookMs: 5 });
  s.watcher.wish([{ root, folder: '' }]);
  await s.until(() => s.watcher.state()[0]?.watching);
  execFileSync('umount', [disk.path]);
  await s.until(() => s.watcher.state()[0]?.watching === false);
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', disk.path]);
  await mkdir(join(disk.path, 'One'));
  const hold = setInterval(() => void s.watcher.state(), 1000); // what looks now and then holds no program
  await s.until(() => s.news.some((one) => one.folders.includes('One') || one.folders.includes('')));
  await s.until(() => s.watcher.state()[0]?.watching);
  await writeFile(join(disk.path, 'One', 'film.mkv'), 'x');
  await s.until(() => s.news.some((one) => one.folders.includes('One')));
  clearInterval(hold);
});
