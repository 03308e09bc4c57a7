import { lstatSync, watch, type FSWatcher } from 'node:fs';
import { lstat, opendir, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../errors.ts';
import { isMediaName, isUnfinishedName } from './names.ts';
import { isSkippedDirectory } from './walk.ts';

/**
 * Hears which folders below a directory change. A hint and nothing more: what it misses, the next scan finds.
 *
 *   Linux    one watch for each folder (the recursive watch of Node.js would take one for each file), up to `most`
 *   others   the system's own recursive watch
 *
 *   watching ──close()──▶ closed
 *      └─ too many folders, no more watches, the directory went away or is another one ─▶ onEnd(why), closed
 */
export interface TreeWatch {
  close(): void;
}

export interface TreeWatchParts {
  /** a folder below the directory, '/' separators, '' is the directory itself */
  onChange: (folder: string) => void;
  /** it heard the last of it; why, as a sentence goes on */
  onEnd: (why: string) => void;
  /** folders at most */
  most?: number;
  /** how often it is looked whether the directory is still the same one */
  lookMs?: number;
  /** for tests: as on another system */
  recursive?: boolean;
}

const MOST = 20_000;
const LOOK_MS = 10_000;
const GONE = 'the folder went away';
const EXCHANGED = 'another folder is in its place now, as after a disk was mounted or unmounted';

/** Resolves once everything that is there now is watched, or it has ended. */
export async function watchTree(directory: string, parts: TreeWatchParts): Promise<TreeWatch> {
  return (parts.recursive ?? process.platform !== 'linux') ? watchWhole(directory, parts) : watchEach(directory, parts);
}

function watchWhole(directory: string, parts: TreeWatchParts): TreeWatch {
  let watcher: FSWatcher | null = null;
  const end = (error: unknown): void => {
    watcher?.close();
    parts.onEnd(whyOf(error));
  };
  try {
    watcher = watch(directory, { recursive: true, persistent: false });
  } catch (error) {
    end(error);
    return { close: () => {} };
  }
  watcher.on('error', end);
  watcher.on('change', (_event, name) => {
    if (name === null) return parts.onChange('');
    const changed = name.toString().replaceAll('\\', '/');
    if (changed.split('/').some((part) => part.startsWith('.') || isSkippedDirectory(part))) return;
    parts.onChange(isFileOfInterest(path.posix.basename(changed)) ? parentOf(changed) : folderOf(directory, changed));
  });
  return { close: () => watcher.close() };
}

/** A folder that came or went stands for itself, any other name for the folder it is in. */
function folderOf(directory: string, changed: string): string {
  try {
    return lstatSync(path.join(directory, changed)).isDirectory() ? changed : parentOf(changed);
  } catch {
    return changed;
  }
}

async function watchEach(directory: string, { onChange, onEnd, most = MOST, lookMs = LOOK_MS }: TreeWatchParts): Promise<TreeWatch> {
  const top = path.resolve(directory);
  const watched = new Map<string, { watcher: FSWatcher; id: string }>();
  let topId: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const close = (): void => {
    closed = true;
    clearTimeout(timer);
    for (const { watcher } of watched.values()) watcher.close();
    watched.clear();
  };
  const end = (why: string): void => {
    if (closed) return;
    close();
    onEnd(why);
  };
  await lookAtTop();
  await add('');
  lookLater();
  return { close };

  function lookLater(): void {
    if (!closed) timer = setTimeout(() => void lookAtTop().then(lookLater), lookMs).unref();
  }

  /** What is mounted over the directory, or takes its place together with a folder above it, is told by no watch. */
  async function lookAtTop(): Promise<void> {
    try {
      const id = await idOf(top, true);
      topId ??= id;
      if (id !== topId || id === null) end(id === null ? GONE : EXCHANGED);
    } catch (error) {
      end(whyOf(error));
    }
  }

  /**
   * First the watch, then the look: what comes between the two is heard. Which folder it is comes before both: one that is
   * exchanged meanwhile is watched anew once that is heard.
   */
  async function add(folder: string): Promise<void> {
    if (closed) return;
    const where = path.join(top, folder);
    try {
      const id = folder === '' ? topId : await idOf(where);
      if (closed || (id !== null && watched.get(folder)?.id === id)) return;
      forget(folder);
      if (id === null) return;
      if (watched.size >= most) return end(`it has more than ${most.toLocaleString('en-US')} folders`);
      const watcher = watch(where, { persistent: false });
      watched.set(folder, { watcher, id });
      watcher.on('error', (error) => (folder === '' ? end(whyOf(error)) : forget(folder)));
      watcher.on('change', (event, name) => void heard({ folder, watcher }, event, name?.toString() ?? null));
      for await (const entry of await opendir(where)) if (entry.isDirectory() && isWatched(entry.name)) await add(join(folder, entry.name));
    } catch (error) {
      const isGone = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP'].includes(codeOf(error) ?? '');
      if (!isGone || folder === '') end(whyOf(error));
    }
  }

  async function heard({ folder, watcher }: { folder: string; watcher: FSWatcher }, event: string, name: string | null): Promise<void> {
    if (closed) return;
    if (name === null || isFileOfInterest(name)) return onChange(folder);
    if (event !== 'rename') return;
    const child = join(folder, name);
    if (isWatched(name) && (await idOf(path.join(top, child)).catch(() => null)) !== null) {
      await add(child);
      onChange(child);
    } else if (watched.has(child)) {
      forget(child);
      onChange(child);
    } else if (name === path.basename(path.join(top, folder)) && watched.get(folder)?.watcher === watcher) await renew(folder);
  }

  /** A watch tells under the folder's own name that this folder was removed, moved or unmounted: it hears nothing any more. */
  async function renew(folder: string): Promise<void> {
    if (folder === '') await lookAtTop();
    const dead = watched.get(folder);
    // what is there now may be another folder with the same number
    if (dead) dead.id = '';
    await add(folder);
    if (dead && watched.has(folder)) onChange(folder);
  }

  function forget(folder: string): void {
    for (const [one, { watcher }] of watched)
      if (one === folder || one.startsWith(`${folder}/`)) {
        watcher.close();
        watched.delete(one);
      }
  }
}

/** Which folder it is, whatever its name; null: there is none. */
async function idOf(folder: string, follow = false): Promise<string | null> {
  try {
    const facts = await (follow ? stat(folder, { bigint: true }) : lstat(folder, { bigint: true }));
    return facts.isDirectory() ? `${facts.dev}:${facts.ino}` : null;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

function isWatched(name: string): boolean {
  return !name.startsWith('.') && !isSkippedDirectory(name);
}

function isFileOfInterest(name: string): boolean {
  return !name.startsWith('.') && (isMediaName(name) || isUnfinishedName(name));
}

function whyOf(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EMFILE' || code === 'ENFILE') return 'the system allows no more watches';
  if (code === 'ENOENT' || code === 'ENOTDIR') return GONE;
  return `the system refused it (${code ?? 'error'})`;
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}
