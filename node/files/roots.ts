import { open, realpath, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path';
import { codeOf, PlainError } from '../errors.ts';
import { removeIfThere } from './durable.ts';
import { createMarker, notMounted, OURS, readMarker, requireMarker } from './marker.ts';

/**
 * The room that touches originals. Everything else in the house asks; this room acts, and only below a root.
 *
 *   roots        a directory tree that carries `.codecshift/root.json` (marker); every path is checked to stay inside
 *   walk         what films are there · fingerprint: which file is which
 *   workspace    where encodes are made, in our own data directory
 *   deliver      output ──▶ `.tmp_<attempt>_<name>` beside the original, whole and synced, or not at all
 *   swap         the journalled replacement (exchange.ts draws its steps) · restore: the same backwards
 *   recover      finishes or undoes what a dead process left · trash: where originals wait (trash-found:
 *                what lies there, whatever the books say) · cleanup: leftovers
 *   incoming     outputs from other machines · find-roots: known roots on this one's disks · proof: one disk or a copy?
 *
 * What lies in a root's `.codecshift/`:
 *
 *   root.json                          who this tree is
 *   journal/<attempt>.json             one swap or restore and how far it came
 *   journal/<attempt>.delivery.json    "the `.tmp_` file of this name and inode is ours"
 *   trash/<date>/<attempt>/<name>      an original, and `where.json`: where it belongs, for a person without our books
 *   incoming/<node>/<attempt>.<ext>    an output on its way here from another machine
 *   proof/<number>                     written by one machine and looked for by another: is it the same disk?
 *
 * The rules: no call writes over a name that is not proven ours. No name is removed before the bytes behind it are
 * proven to have another name, or to be our own superseded output. Every step is on the disk before the next one.
 */

export interface Root {
  id: string;
  /** real path on this node */
  path: string;
  writable: boolean;
  /** reason code while the root can only be read: `read-only` */
  problem: string | null;
}

export interface AdoptedFolder {
  rootId: string;
  rootPath: string;
  /** below the root, '/' separators, '' is the root itself */
  folder: string;
}

/**
 * Takes a directory that a person named. If it lies in a root already it is a folder of that root; else it becomes one.
 * Two processes that adopt it at once agree on one id.
 * @param options.dataDir CodecShift's own data directory, which must not be mixed with films
 * @param options.only the folder has to belong to this very root; nothing is made
 * @throws PlainError `root-refused`, `read-only`, `root-damaged`
 */
export async function adoptRoot(path: string, options: { dataDir?: string; only?: string } = {}): Promise<AdoptedFolder> {
  const real = await realDirectory(path);
  await refuseUnsuitable(real, options.dataDir);
  for (let above = real; ; above = dirname(above)) {
    const marker = await readMarker(above);
    if (marker && (options.only ?? marker.id) !== marker.id)
      throw refused(real, 'belongs to another library than the one that was meant, so it was not taken');
    if (marker) return { rootId: marker.id, rootPath: above, folder: slashes(relative(above, real)) };
    if (above === dirname(above)) break;
  }
  if (options.only !== undefined)
    throw refused(real, 'does not belong to that library: neither it nor a folder above it holds .codecshift/root.json');
  return { rootId: await createMarker(real), rootPath: real, folder: '' };
}

/**
 * Looks whether a known root is here. An unmounted disk leaves an empty directory behind: without its marker nothing in
 * it may be believed, least of all that films are gone.
 * @param options.writable what an earlier look found, so that a disk which rests is not woken by a test write every time
 * @throws PlainError `root-not-mounted`, `root-is-another`, `root-damaged`
 */
export async function openRoot(known: { path: string; id: string }, options: { writable?: boolean } = {}): Promise<Root> {
  const real = await realpath(known.path).catch((error: unknown) => {
    throw notMounted(known.path, error);
  });
  await requireMarker(real, known.id, known.path);
  const writable = options.writable ?? (await probeWriting(real));
  return { id: known.id, path: real, writable, problem: writable ? null : 'read-only' };
}

/** Cheap look before every act on a root: is it still the one that was opened? @throws as `openRoot` */
export async function requireMounted(root: Root): Promise<void> {
  await requireMarker(root.path, root.id);
}

/**
 * The absolute path of a file below a root. The directory must exist and really be inside; the last part may be missing,
 * and is not followed when it is a symlink.
 * @throws PlainError `outside-root`, `missing` (its directory is gone)
 */
export async function resolveInRoot(root: Pick<Root, 'path'>, relativePath: string): Promise<string> {
  const parts = relativePath === '' ? [] : relativePath.split('/');
  const bad = parts.some((p) => p === '' || p === '.' || p === '..' || p.includes('\0') || (sep === '\\' && /[\\:]/.test(p)));
  if (bad || relativePath.includes('\0')) throw outside(root.path, relativePath);
  if (parts.length === 0) return root.path;
  const parent = join(root.path, ...parts.slice(0, -1));
  const real = await realpath(parent).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') {
      throw new PlainError(`The directory of ${relativePath} is not there any more.`, {
        cause: error,
        reason: { code: 'missing', params: { path: relativePath } },
      });
    }
    throw error;
  });
  if (!isInside(root.path, real)) throw outside(root.path, relativePath);
  return join(real, parts.at(-1) ?? '');
}

/** The same path below the root, '/' separators. */
export function relativeTo(root: Pick<Root, 'path'>, absolutePath: string): string {
  return slashes(relative(root.path, absolutePath));
}

export function isInside(directory: string, path: string): boolean {
  const way = relative(directory, path);
  return way === '' || (!isAbsolute(way) && way !== '..' && !way.startsWith(`..${sep}`));
}

async function realDirectory(path: string): Promise<string> {
  if (path.includes('\0') || path.trim() === '') throw refused('An empty path', 'is not a folder');
  if (!isAbsolute(path)) throw refused(path, 'is not a full path; please begin it at the top of the disk');
  try {
    const real = await realpath(path);
    if (!(await stat(real)).isDirectory()) throw refused(path, 'is a file, not a folder');
    return real;
  } catch (error) {
    if (error instanceof PlainError) throw error;
    const why = codeOf(error) === 'EACCES' ? 'may not be opened by this user' : 'is not there';
    throw new PlainError(`${path} ${why}.`, { cause: error, reason: { code: 'root-refused', params: { path, why } } });
  }
}

/**
 * Places where nobody keeps films and where replacing files does harm. A home directory as a whole is refused too: it
 * holds camera originals, projects and games; a folder inside it is welcome.
 */
async function refuseUnsuitable(real: string, dataDir: string | undefined): Promise<void> {
  const home = await realpath(homedir()).catch(() => homedir());
  const whole =
    process.platform === 'win32'
      ? [parse(home).root, dirname(home)]
      : ['/', '/home', '/Users', '/var', '/opt', '/run', '/private', '/private/var'];
  if (whole.some((place) => same(real, place))) throw refused(real, 'holds the whole system; please name the folder of films in it');
  if (same(real, home)) throw refused(real, 'is your whole home folder; please name the folder of films in it');
  if (same(real, tmpdir()) || same(real, '/tmp')) throw refused(real, 'is emptied by the system from time to time');
  const system =
    process.platform === 'win32'
      ? [process.env['SystemRoot'] ?? 'C:\\Windows', process.env['ProgramFiles'] ?? 'C:\\Program Files']
      : systemTrees;
  if (system.some((place) => isInside(place, real))) throw refused(real, 'belongs to the system; name the folder with your films');
  if (real.split(sep).includes(OURS)) throw refused(real, 'is a folder that CodecShift itself made');
  if (dataDir === undefined) return;
  const data = await realpath(dataDir).catch(() => resolve(dataDir));
  if (isInside(data, real)) throw refused(real, "lies in CodecShift's own data directory");
  const way = relative(real, data).split(sep);
  // the walk never enters hidden directories, so ~/.local/share below a root does no harm
  if (isInside(real, data) && !way.some((part) => part.startsWith('.'))) {
    throw refused(real, `contains CodecShift's own data directory (${data}); please put that elsewhere with --data-dir`);
  }
}

const systemTrees = [
  '/etc',
  '/proc',
  '/sys',
  '/dev',
  '/boot',
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib64',
  '/System',
  '/Library',
  '/private/etc',
];

function same(a: string, b: string): boolean {
  return relative(a, b) === '';
}

/** Always the same name, so that a process killed in between leaves one empty file that the next look takes away. */
async function probeWriting(directory: string): Promise<boolean> {
  const probe = join(directory, OURS, 'probe');
  try {
    await (await open(probe, 'w', 0o600)).close();
    await removeIfThere(probe);
    return true;
  } catch {
    return false;
  }
}

function refused(path: string, why: string): PlainError {
  return new PlainError(`${path} ${why}.`, { reason: { code: 'root-refused', params: { path, why } } });
}

function outside(root: string, path: string): PlainError {
  return new PlainError(`${JSON.stringify(path.slice(0, 300))} is not a path inside ${root}.`, {
    reason: { code: 'outside-root', params: { path: path.slice(0, 300) } },
  });
}

function slashes(path: string): string {
  return sep === '/' ? path : path.split(sep).join('/');
}
