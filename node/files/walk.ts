import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { TextDecoder } from 'node:util';
import { reason, type Reason, type ReasonCode } from '../core/reasons.ts';
import { codeOf, PlainError } from '../errors.ts';
import { mtimeOf } from './fingerprint.ts';
import { hasMarker } from './marker.ts';
import { finishedStem, isMediaName, isUnfinishedName } from './names.ts';
import { requireMounted, resolveInRoot, type Root } from './roots.ts';

export interface WalkedFile {
  kind: 'file';
  /** below the root, '/' separators */
  path: string;
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
  links: number;
  /** since anything about the file changed (ctime): a copy that keeps its old mtime is still seen to be fresh */
  changedAgoMs: number;
}

export interface WalkProblem {
  kind: 'problem';
  /** readable stand-in: bytes that are not UTF-8 are shown as \xNN */
  path: string;
  sizeBytes: number;
  reason: Reason;
}

export type Walked = WalkedFile | WalkProblem;

/**
 * Every media file below a folder, directory by directory, names in byte order, so that two walks of the same tree say
 * the same. Holds the names of one directory per level and nothing else.
 *
 * Symlinks are never followed (a loop, or a way out). Other file systems mounted inside are walked like folders: disks
 * below one root are common, and swap.ts keeps a trash on each. A folder that is a root itself belongs to that root.
 * @throws PlainError `root-not-mounted` (before, or when the marker vanished meanwhile), `outside-root`; AbortError
 */
export async function* walk(
  root: Root,
  folder: string,
  options: { signal?: AbortSignal; now?: () => number } = {},
): AsyncGenerator<Walked> {
  await requireMounted(root);
  const start = await startOf(root, folder);
  const now = options.now ?? Date.now;
  const first = { bytes: Buffer.from(start), path: folder };
  yield* walkDirectory(first, now, options.signal, true);
  // a disk that went away in the middle looks like an empty rest: the caller must not believe it
  await requireMounted(root);
}

/** A folder is only missing while its disk is there: what is not seen of it counts as deleted. */
async function startOf(root: Root, folder: string): Promise<string> {
  try {
    const start = await resolveInRoot(root, folder);
    if ((await lstat(start)).isDirectory()) return start;
  } catch (error) {
    const isGone = codeOf(error) === 'ENOENT' || (error instanceof PlainError && error.reason?.code === 'missing');
    if (!isGone) throw error;
  }
  await requireMounted(root);
  throw new PlainError(`${folder} is not a folder.`, { reason: { code: 'missing', params: { path: folder } } });
}

interface Place {
  bytes: Buffer;
  path: string;
}

async function* walkDirectory(here: Place, now: () => number, signal: AbortSignal | undefined, top: boolean): AsyncGenerator<Walked> {
  signal?.throwIfAborted();
  if (!top && (await hasMarker(here.bytes))) return yield problem(`${here.path}/`, 0, 'another-root');
  let entries: Dirent<Buffer>[];
  let busy: ReadonlySet<string>;
  try {
    const names = await namesIn(here.bytes, signal);
    entries = names.filter((entry) => entry.isDirectory() || !isUnfinishedName(entry.name.toString('latin1')));
    busy = await unfinishedIn(here.bytes, names, now());
  } catch (error) {
    if (codeOf(error) === 'ABORT_ERR' || signal?.aborted) throw error;
    return yield problem(`${here.path}/`, 0, isDenied(error) ? 'no-permission' : 'unreadable', codeOf(error));
  }
  for (const entry of entries) {
    signal?.throwIfAborted();
    yield* walkEntry(here, entry, busy, now, signal);
  }
}

/** Only the names that can matter are kept; sorted by bytes, which is the same on every system and for every language. */
async function namesIn(directory: Buffer, signal: AbortSignal | undefined): Promise<Dirent<Buffer>[]> {
  const names: Dirent<Buffer>[] = [];
  // @types/node has no overload for buffers here; Node.js documents and honours it
  const entries = (await opendir(directory, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 })) as unknown as AsyncIterable<
    Dirent<Buffer>
  >;
  for await (const entry of entries) {
    signal?.throwIfAborted();
    if (isWorthALook(entry)) names.push(entry);
  }
  return names.sort((a, b) => Buffer.compare(a.name, b.name));
}

const skippedDirectories = new Set([
  '@eadir',
  '@tmp',
  '@recycle',
  '#recycle',
  '#snapshot',
  '$recycle.bin',
  'lost+found',
  'system volume information',
  'found.000',
]);

/** A folder that a system or a NAS keeps for itself. */
export function isSkippedDirectory(name: string): boolean {
  return skippedDirectories.has(name.toLowerCase());
}

function isWorthALook(entry: Dirent<Buffer>): boolean {
  const name = entry.name.toString('latin1');
  // hidden covers .codecshift, .tmp_*, .Trash-1000, .AppleDouble and macOS' ._ twins
  if (name.startsWith('.')) return false;
  if (entry.isDirectory()) return !isSkippedDirectory(name);
  return isMediaName(name) || isUnfinishedName(name);
}

/** What is still being fetched here, by the name that it will have. What nobody wrote to for a day was given up. */
async function unfinishedIn(directory: Buffer, names: readonly Dirent<Buffer>[], now: number): Promise<ReadonlySet<string>> {
  const stems = new Set<string>();
  for (const entry of names) {
    const name = entry.name.toString('latin1');
    if (entry.isDirectory() || !isUnfinishedName(name)) continue;
    const stat = await lstat(Buffer.concat([directory, slash, entry.name]), { bigint: true }).catch(() => null);
    if (stat?.isFile() && age(stat, now) < DAY) stems.add(finishedStem(name));
  }
  return stems;
}

async function* walkEntry(
  here: Place,
  entry: Dirent<Buffer>,
  busy: ReadonlySet<string>,
  now: () => number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Walked> {
  const bytes = Buffer.concat([here.bytes, slash, entry.name]);
  const name = utf8(entry.name);
  const path = join(here.path, name ?? standIn(entry.name));
  let stat: BigIntStats;
  try {
    stat = await lstat(bytes, { bigint: true });
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') yield problem(path, 0, isDenied(error) ? 'no-permission' : 'unreadable', codeOf(error));
    return; // gone between listing and look
  }
  if (name === null) return yield problem(stat.isDirectory() ? `${path}/` : path, stat.isFile() ? Number(stat.size) : 0, 'name-not-utf8');
  if (stat.isDirectory()) {
    if (entry.isDirectory()) yield* walkDirectory({ bytes, path }, now, signal, false);
    return;
  }
  if (stat.isSymbolicLink()) return yield problem(path, 0, 'symlink');
  if (!stat.isFile()) return yield problem(path, 0, 'not-a-file');
  yield {
    kind: 'file',
    path,
    sizeBytes: Number(stat.size),
    mtimeMs: mtimeOf(stat),
    inode: String(stat.ino),
    links: Number(stat.nlink),
    changedAgoMs: busy.has(finishedStem(entry.name.toString('latin1'))) ? 0 : age(stat, now()),
  };
}

const slash = Buffer.from('/');
const DAY = 86_400_000;

/**
 * A server's clock may run ahead of ours: that is "just now". A time far in the future is a broken clock of long ago, and
 * waiting for it would leave the file alone for ever.
 */
function age(stat: BigIntStats, now: number): number {
  const changed = Number((stat.ctimeNs > 0n ? stat.ctimeNs : stat.mtimeNs) / 1_000_000n);
  return now >= changed || changed - now > DAY ? Math.abs(now - changed) : 0;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(name: Buffer): string | null {
  try {
    return strict.decode(name);
  } catch {
    return null;
  }
}

/** What is UTF-8 stays readable, each other byte becomes \xNN. */
function standIn(name: Buffer): string {
  let result = '';
  for (let at = 0; at < name.length;) {
    const length = [1, 2, 3, 4].find((n) => at + n <= name.length && utf8(name.subarray(at, at + n)) !== null);
    result += length ? utf8(name.subarray(at, at + length)) : `\\x${(name[at] ?? 0).toString(16).padStart(2, '0')}`;
    at += length ?? 1;
  }
  return result;
}

function isDenied(error: unknown): boolean {
  return codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM';
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function problem(path: string, sizeBytes: number, code: ReasonCode, message?: string | null): WalkProblem {
  return { kind: 'problem', path, sizeBytes, reason: reason(code, { message }) };
}
