import { access, constants, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PlainError } from '../errors.ts';

export interface TestFolder {
  path: string;
  remove(): Promise<void>;
}

/** All test encodes together leave less than a megabyte; a disk with less room than this has hardly any. */
const NEEDS_BYTES = 16 * 1024 * 1024;

/**
 * A folder for test encodes: in the system's place for temporary files, which empties itself, or where that is full or closed
 * (the small memory disk of a NAS) in `own`, a folder of this program. Without room ffmpeg would say that every encoder is
 * broken, and an encode that could not be written ends with code 0 in some versions.
 * @throws PlainError when there is no such place
 */
export async function testFolder(own: string | null, at: { temp?: string; needs?: number } = {}): Promise<TestFolder> {
  const temp = at.temp ?? tmpdir();
  const needs = at.needs ?? NEEDS_BYTES;
  if (await hasRoom(temp, needs)) return removable(await mkdtemp(path.join(temp, 'codecshift-encoders-')));
  if (own === null || !(await hasRoom(path.dirname(own), needs)))
    throw new PlainError(
      `There is no room for a test encode in ${[temp, ...(own ? [path.dirname(own)] : [])].join(' nor in ')}: full, missing or not writable. Make some, or let TMPDIR name another folder.`,
    );
  // one that was killed left its files here, where no system empties anything
  await rm(own, { recursive: true, force: true });
  await mkdir(own, { mode: 0o700 });
  return removable(own);
}

function removable(folder: string): TestFolder {
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

async function hasRoom(folder: string, needs: number): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize >= needs;
  } catch {
    return false;
  }
}
