import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import os from 'node:os';

/**
 * A cheap look at everything on which the encoders of this machine depend: the ffmpeg program, the graphics devices, their
 * kernel drivers and the libraries that speak to them. When it gives another text, they have to be tested again.
 */
export async function lookAtMachine(ffmpeg: string): Promise<string> {
  const parts = await Promise.all([
    fileMark(ffmpeg),
    text('/proc/driver/nvidia/version'),
    names('/dev/dri'),
    names('/dev', /^nvidia\d|^kfd$|^dxg$/),
    ...kernelDrivers.map((driver) => text(`/sys/module/${driver}/srcversion`)),
    ...driverFolders.map(folderMark),
  ]);
  return createHash('sha256')
    .update([os.release(), ...parts].join('\n'))
    .digest('hex');
}

const kernelDrivers = ['i915', 'xe', 'amdgpu', 'nvidia'];

/** Where Linux keeps VAAPI's drivers; a folder's time changes when a package replaces one of them. */
const driverFolders = [
  '/usr/lib/x86_64-linux-gnu/dri',
  '/usr/lib/aarch64-linux-gnu/dri',
  '/usr/lib64/dri',
  '/usr/lib/dri',
  '/run/opengl-driver/lib/dri',
];

/** "NVIDIA 535.129.03" from the kernel module; null where there is none. */
export async function nvidiaDriver(): Promise<string | null> {
  const version = /Module .*?\s(\d{2,4}\.\d+(?:\.\d+)?)\s/.exec(await text('/proc/driver/nvidia/version'))?.[1];
  return version ? `NVIDIA ${version}` : null;
}

async function text(file: string): Promise<string> {
  return readFile(file, 'utf8').then(
    (all) => all.slice(0, 1000),
    () => '',
  );
}

async function names(folder: string, only = /./): Promise<string> {
  const all = await readdir(folder).catch(() => []);
  return all
    .filter((name) => only.test(name))
    .toSorted()
    .join(' ');
}

async function fileMark(file: string): Promise<string> {
  const found = await stat(file).catch(() => null);
  return found ? `${file} ${found.size} ${found.mtimeMs} ${found.ino}` : `${file} is not there`;
}

async function folderMark(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => null);
  return found ? `${folder} ${found.mtimeMs}` : '';
}
