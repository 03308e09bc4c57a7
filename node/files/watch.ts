import { lstatSync, watch, type FSWatcher } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
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
 *      └─ too many folders, no more watches, the directory went away ─▶ onEnd(why), closed
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
  /** for tests: as on another system */
  recursive?: boolean;
}

const MOST = 20_000;

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

async function watchEach(directory: string, { onChange, onEnd, most = MOST }: TreeWatchParts): Promise<TreeWatch> {
  const watchers = new Map<string, FSWatcher>();
  let closed = false;
  const close = (): void => {
    closed = true;
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
  const end = (why: string): void => {
    if (closed) return;
    close();
    onEnd(why);
  };
  await add('');
  return { close };

  /** First the watch, then the look: what comes between the two is heard. */
  async function add(folder: string): Promise<void> {
    if (closed || watchers.has(folder)) return;
    if (watchers.size >= most) return end(`it has more than ${most.toLocaleString('en-US')} folders`);
    try {
      const watcher = watch(path.join(directory, folder), { persistent: false });
      watchers.set(folder, watcher);
      watcher.on('error', () => forget(folder));
      watcher.on('change', (event, name) => void heard(folder, event, name?.toString() ?? null));
      for await (const entry of await opendir(path.join(directory, folder)))
        if (entry.isDirectory() && isWatched(entry.name)) await add(join(folder, entry.name));
    } catch (error) {
      const isGone = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP'].includes(codeOf(error) ?? '');
      if (!isGone || folder === '') end(whyOf(error));
    }
  }

  async function heard(folder: string, event: string, name: string | null): Promise<void> {
    if (closed) return;
    if (name === null || isFileOfInterest(name)) return onChange(folder);
    if (event !== 'rename' || !isWatched(name)) return;
    const child = join(folder, name);
    const found = await lstat(path.join(directory, child)).catch(() => null);
    if (found?.isDirectory()) {
      await add(child);
      onChange(child);
    } else if (!found && watchers.has(child)) {
      forget(child);
      onChange(child);
    } else if (!found && folder === '' && !(await lstat(directory).catch(() => null))) end('the folder went away');
  }

  function forget(folder: string): void {
    for (const [one, watcher] of watchers)
      if (one === folder || one.startsWith(`${folder}/`)) {
        watcher.close();
        watchers.delete(one);
      }
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
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'the folder went away';
  return `the system refused it (${code ?? 'error'})`;
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}
