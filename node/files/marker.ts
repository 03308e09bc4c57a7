import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, PlainError } from '../errors.ts';
import { createDurably, syncDirectory } from './durable.ts';

/**
 * `.codecshift/root.json`: the file that makes a directory tree a root, and says which one. Its id is what the cluster knows
 * the tree by, wherever it is mounted. An unmounted disk leaves an empty directory behind, so a directory without its
 * marker is believed in nothing.
 */

/** Our own directory in every root. */
export const OURS = '.codecshift';
const MARKER = 'root.json';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The file that says which root a directory is. */
export function markerOf(directory: string): string {
  return join(directory, OURS, MARKER);
}

/** Does a directory carry a root's marker (of whatever root)? */
export async function hasMarker(directory: string | Buffer): Promise<boolean> {
  const marker = typeof directory === 'string' ? markerOf(directory) : Buffer.concat([directory, Buffer.from(`/${OURS}/${MARKER}`)]);
  return await lstat(marker).then(
    () => true,
    () => false,
  );
}

/**
 * Which root a directory is; null: none, or it may not be read.
 * @throws PlainError `root-damaged`; `root-not-mounted` when its disk or server went away
 */
export async function readMarker(directory: string, tries = 50): Promise<{ id: string } | null> {
  const path = markerOf(directory);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP'].includes(codeOf(error) ?? '')) return null;
    throw notMounted(directory, error); // EIO, ESTALE, ENOTCONN: the disk or the server went away
  }
  const id = idIn(text);
  if (id) return { id };
  // where the file system has no links, another process may be in the middle of writing it
  if (tries > 0 && text.length < 40) {
    await new Promise((done) => setTimeout(done, 20));
    return await readMarker(directory, tries - 1);
  }
  throw new PlainError(`${path} is damaged. CodecShift will not touch this folder until the file is restored or removed by hand.`, {
    reason: { code: 'root-damaged', params: { path } },
  });
}

/**
 * A directory has to be this very root.
 * @param named what a person calls it
 * @throws PlainError `root-not-mounted`, `root-is-another`, `root-damaged`
 */
export async function requireMarker(directory: string, id: string, named: string = directory): Promise<void> {
  const marker = await readMarker(directory);
  if (!marker) throw notMounted(named);
  if (marker.id === id) return;
  throw new PlainError(`${named} now holds another library root than before. Nothing in it was touched.`, {
    reason: { code: 'root-is-another', params: { path: named } },
    retry: true,
  });
}

/**
 * Makes a directory a root. Two processes that do it at once agree on one id.
 * @returns the id
 * @throws PlainError `no-space`, `read-only`
 */
export async function createMarker(directory: string): Promise<string> {
  const id = randomUUID();
  const text = `${JSON.stringify({ id, createdAt: new Date().toISOString(), version: 1, about: 'CodecShift library root. Keep this file.' }, null, 2)}\n`;
  const ours = join(directory, OURS);
  try {
    await mkdir(ours, { recursive: true });
    await syncDirectory(directory);
    if (await createDurably(markerOf(directory), text, join(ours, `${MARKER}.${id}`))) return id;
  } catch (error) {
    if (codeOf(error) === 'ENOSPC')
      throw new PlainError(`The disk of ${directory} is full: not even the marker of a library fits on it.`, {
        cause: error,
        reason: { code: 'no-space', params: { where: directory } },
      });
    throw new PlainError(
      `CodecShift may not write into ${directory}, so it could never replace a film there (${codeOf(error) ?? 'error'}).`,
      {
        cause: error,
        reason: { code: 'read-only', params: { path: directory } },
      },
    );
  }
  const winner = await readMarker(directory);
  if (!winner) throw notMounted(directory);
  return winner.id;
}

export function notMounted(path: string, cause?: unknown): PlainError {
  return new PlainError(
    `${path} does not hold its library at the moment: its disk is probably not mounted. Nothing is counted as deleted.`,
    {
      cause,
      reason: { code: 'root-not-mounted', params: { path } },
      retry: true,
    },
  );
}

function idIn(text: string): string | null {
  try {
    const id = (JSON.parse(text) as { id?: unknown } | null)?.id;
    return typeof id === 'string' && uuid.test(id) ? id : null;
  } catch {
    return null;
  }
}
