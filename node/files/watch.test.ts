import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { noOddDisks, smallDisk } from '../testing/odd-disks.ts';
import { mountTypes } from './find-roots.ts';
import { watchTree } from './watch.ts';
import { macMounts, whyNotByMounts } from './watchable.ts';

const base = await mkdtemp(join(tmpdir(), 'codecshift-watch-'));
after(() => rm(base, { recursive: true, force: true }));
const timed = { timeout: 60_000, skip: process.platform !== 'linux' && 'only on Linux each folder is watched by itself' };

async function stage(t: TestContext, options: { most?: number; lookMs?: number; directory?: string } = {}) {
  const directory = options.directory ?? (await mkdtemp(join(base, 'films-')));
  await mkdir(join(directory, 'Series', 'One'), { recursive: true });
  const heard = new Set<string>();
  const ended = Promise.withResolvers<string>();
  let wake = (): void => {};
  const begin = async (): Promise<void> => {
    const tree = await watchTree(directory, {
      onChange: (folder) => (heard.add(folder), wake()),
      onEnd: (why) => ended.resolve(why),
      recursive: false,
      ...options,
    });
    t.after(() => tree.close());
  };
  const arrives = async (folder: string): Promise<void> => {
    while (!heard.has(folder)) await new Promise<void>((resolve) => (wake = resolve));
  };
  const hears = async (folder: string): Promise<void> => {
    await arrives(folder);
    heard.clear();
  };
  /** What comes while a folder is watched anew is heard as a change of that folder, so it may take more than one film. */
  const hearsFilmsIn = async (folder: string): Promise<void> => {
    for (let n = 0; !heard.has(folder); n++) {
      const next = new Promise<void>((resolve) => (wake = resolve));
      await writeFile(join(directory, folder, `film-${n}.mkv`), 'x');
      await next;
    }
    heard.clear();
  };
  return { directory, begin, arrives, hears, hearsFilmsIn, ended: ended.promise, heard };
}

test('what changes in a folder is heard: a film, a new folder with a film in it at once, one that is moved, one that goes', async (t) => {
  const s = await stage(t);
  await s.begin();
  await writeFile(join(s.directory, 'Series', 'One', 'film.mkv'), 'x');
  await s.hears('Series/One');
  await mkdir(join(s.directory, 'Series', 'Two', 'Deep'), { recursive: true });
  await s.hears('Series/Two');
  await writeFile(join(s.directory, 'Series', 'Two', 'Deep', 'film.mkv.part'), 'x');
  await s.hears('Series/Two/Deep');
  await rename(join(s.directory, 'Series', 'Two'), join(s.directory, 'Moved'));
  await s.hears('Moved');
  await writeFile(join(s.directory, 'Moved', 'Deep', 'other.mp4'), 'x');
  await s.hears('Moved/Deep');
  await rm(join(s.directory, 'Moved'), { recursive: true });
  await s.hears('Moved');
  // neither hidden files, nor what is no film, nor what a link leads to
  await mkdir(join(base, 'elsewhere'), { recursive: true });
  await symlink(join(base, 'elsewhere'), join(s.directory, 'link'));
  await writeFile(join(base, 'elsewhere', 'film.mkv'), 'x');
  await writeFile(join(s.directory, 'Series', 'One', '.tmp_1_film.mkv'), 'x');
  await writeFile(join(s.directory, 'Series', 'One', 'notes.txt'), 'x');
  await writeFile(join(s.directory, 'last.mkv'), 'x');
  await s.arrives('');
  assert.deepEqual([...s.heard], ['']);
});

test('too many folders, and a folder that goes away, end it with the reason', async (t) => {
  const many = await stage(t, { most: 2 });
  await many.begin();
  assert.equal(await many.ended, 'it has more than 2 folders');
  const gone = await stage(t);
  await rm(gone.directory, { recursive: true });
  await gone.begin();
  assert.equal(await gone.ended, 'the folder went away');
});

test(
  'a folder whose place another one takes at once, even one with the same number, is watched anew with all below it',
  timed,
  async (t) => {
    const s = await stage(t);
    await s.begin();
    const one = join(s.directory, 'Series', 'One');
    const fresh = join(s.directory, '.fresh');
    mkdirSync(join(fresh, 'Deep'), { recursive: true });
    renameSync(one, join(s.directory, '.away'));
    renameSync(fresh, one);
    await s.hears('Series/One');
    await s.hearsFilmsIn('Series/One/Deep');
    rmSync(one, { recursive: true });
    mkdirSync(join(one, 'Other'), { recursive: true });
    await s.hears('Series/One');
    await s.hearsFilmsIn('Series/One/Other');
  },
);

test('another folder in the place of the one that is watched, or of one above it, ends it', timed, async (t) => {
  const s = await stage(t, { lookMs: 3_600_000 });
  await s.begin();
  renameSync(s.directory, `${s.directory}-away`);
  mkdirSync(s.directory);
  assert.match(await s.ended, /^another folder is in its place/);
  const above = await mkdtemp(join(base, 'above-'));
  const below = await stage(t, { lookMs: 5, directory: join(above, 'films') });
  await below.begin();
  renameSync(above, `${above}-away`);
  mkdirSync(below.directory, { recursive: true });
  assert.match(await held(below.ended), /^another folder is in its place/);
});

test('a disk that is unmounted, and one that is mounted over the folder, ends it', { ...timed, skip: noOddDisks() }, async (t) => {
  const disk = smallDisk(t, '1m');
  const away = await stage(t, { lookMs: 3_600_000, directory: disk.path });
  await away.begin();
  execFileSync('umount', [disk.path]);
  assert.match(await away.ended, /^another folder is in its place/);
  const back = await stage(t, { lookMs: 5, directory: disk.path });
  await back.begin();
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', disk.path]);
  assert.match(await held(back.ended), /^another folder is in its place/);
  execFileSync('umount', [disk.path]);
  await rm(join(disk.path, 'Series'), { recursive: true });
});

/** What looks now and then holds no program, and shall not end the test before it looked. */
async function held<T>(wait: Promise<T>): Promise<T> {
  const hold = setInterval(() => {}, 1000);
  return wait.finally(() => clearInterval(hold));
}

test('only disks that tell the truth are believed, with whatever is mounted in them', () => {
  const mounts = mountTypes(
    [
      '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
      '23 22 8:2 / /srv/my\\040films rw - xfs /dev/sdb1 rw',
      '24 22 0:40 / /mnt/nas rw - nfs4 nas:/films rw',
      '25 22 0:41 / /srv/mixed/cloud rw - fuse.rclone remote: rw',
      '26 22 0:42 / /mnt/odd rw - somefs x rw',
    ].join('\n'),
  );
  assert.equal(whyNotByMounts('/srv/my films/Series', mounts), null);
  assert.match(whyNotByMounts('/mnt/nas/Films', mounts)!, /network disk.*nfs4/);
  assert.match(whyNotByMounts('/srv/mixed', mounts)!, /fuse\.rclone.* at cloud/);
  assert.equal(whyNotByMounts('/srv/mixedup', mounts), null);
  assert.match(whyNotByMounts('/mnt/odd', mounts)!, /somefs/);
  assert.match(whyNotByMounts('/anything', [])!, /does not say/);
  const mac = macMounts('/dev/disk3s1 on / (apfs, sealed, local)\n//ada@nas/films on /Volumes/Films (x) (smbfs, nodev, mounted by ada)');
  assert.equal(whyNotByMounts('/Users/ada', mac), null);
  assert.match(whyNotByMounts('/Volumes/Films (x)/One', mac)!, /smbfs/);
});
