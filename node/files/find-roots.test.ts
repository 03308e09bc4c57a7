import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { findRoots, listMounts, mountsOf } from './find-roots.ts';
import { adoptRoot } from './roots.ts';

let scratch: string;
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'codecshift-find-')));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

async function library(...way: string[]): Promise<{ path: string; id: string }> {
  const path = join(scratch, ...way);
  await mkdir(path, { recursive: true });
  return { path, id: (await adoptRoot(path)).rootId };
}

test('a marker is found at a mount, and up to two levels below one of a network or removable disk', async () => {
  const share = await library('mnt', 'share');
  const deep = await library('mnt', 'nas', 'media', 'films');
  const tooDeep = await library('mnt', 'nas', 'a', 'b', 'c');
  const inFixed = await library('disk', 'films');
  const disk = await library('srv');
  const mounts = [
    { path: join(scratch, 'mnt', 'nas'), apart: true },
    { path: join(scratch, 'mnt', 'share'), apart: true },
    { path: join(scratch, 'disk'), apart: false },
    { path: join(scratch, 'srv'), apart: false },
    { path: join(scratch, 'nothing'), apart: true },
  ];
  const wanted = [share, deep, tooDeep, inFixed, disk].map((l) => l.id);
  const timeoutMs = 20_000;
  assert.deepEqual(await findRoots(wanted, { mounts, timeoutMs }), [share, disk, deep].sort(byMount));
  assert.deepEqual(await findRoots([share.id], { mounts, timeoutMs }), [share], 'only what was asked for');
  function byMount(a: { path: string }, b: { path: string }): number {
    const at = (p: string): number => mounts.findIndex((m) => m.path === p);
    return (at(a.path) < 0 ? Infinity : at(a.path)) - (at(b.path) < 0 ? Infinity : at(b.path));
  }
});

test('hidden folders, links and false markers lead nowhere', async () => {
  const hidden = await library('mnt', '.snapshots', 'films');
  const linked = await library('elsewhere', 'films');
  await symlink(linked.path, join(scratch, 'mnt', 'way'));
  await mkdir(join(scratch, 'mnt', 'fake', '.codecshift'), { recursive: true });
  await symlink(join(linked.path, '.codecshift', 'root.json'), join(scratch, 'mnt', 'fake', '.codecshift', 'root.json'));
  await mkdir(join(scratch, 'mnt', 'broken', '.codecshift'), { recursive: true });
  await writeFile(join(scratch, 'mnt', 'broken', '.codecshift', 'root.json'), '{"id":');
  const mounts = [{ path: join(scratch, 'mnt'), apart: true }];
  assert.deepEqual(await findRoots([hidden.id, linked.id], { mounts, timeoutMs: 20_000 }), []);
});

test(
  'a disk that hangs is given up after its time; what was found before counts',
  { skip: process.platform === 'win32' && 'needs a shell of POSIX' },
  async () => {
    const first = await library('mnt', 'films');
    // says what it found, and then nothing more, like one that waits for a dead network disk. A shell, which has spoken
    // long before its time is over, also on a busy machine
    const script = `printf '%s\\n{"path":"ha' "$0"; exec sleep 3600`;
    const command = { file: '/bin/sh', args: ['-c', script, JSON.stringify(first)] };
    const mounts = [{ path: join(scratch, 'mnt'), apart: true }];
    assert.deepEqual(await findRoots([first.id], { mounts, timeoutMs: 5000, command }), [first]);
  },
);

test('the table of mounts is read without asking a disk', async () => {
  const mounts = mountsOf(`22 28 0:20 / /proc rw - proc proc rw
28 1 8:1 / / rw - ext4 /dev/sda1 rw
36 28 8:17 / /mnt/my\\040films rw shared:1 master:2 - xfs /dev/sdb1 rw
37 28 0:52 / /data rw,noatime - nfs4 nas:/films rw
38 28 0:53 / /run/user/1000/gvfs rw - fuse.gvfsd-fuse gvfsd rw
39 28 8:33 / /films rw - ext4 /dev/sdc1 rw
40 28 0:54 / /sys/fs/cgroup rw - cgroup2 cgroup rw
41 28 0:55 / /mnt/user rw - fuse.shfs shfs rw
broken line`);
  assert.deepEqual(mounts, [
    { path: '/mnt/my films', apart: true },
    { path: '/data', apart: true },
    { path: '/films', apart: false },
    { path: '/mnt/user', apart: true },
  ]);
  assert.ok(Array.isArray(await listMounts()));
});
