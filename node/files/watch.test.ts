import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { mountTypes } from './find-roots.ts';
import { watchTree } from './watch.ts';
import { macMounts, whyNotByMounts } from './watchable.ts';

const base = await mkdtemp(join(tmpdir(), 'codecshift-watch-'));
after(() => rm(base, { recursive: true, force: true }));

async function stage(t: TestContext, options: { most?: number } = {}) {
  const directory = await mkdtemp(join(base, 'films-'));
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
  return { directory, begin, arrives, hears, ended: ended.promise, heard };
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
