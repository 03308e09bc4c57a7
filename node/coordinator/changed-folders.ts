import type { ClusterSettings } from '../config/schema.ts';

/**
 * Folders in which something changed, collected until it is worth going there: many messages about one folder are one
 * look, and files that are still being written bring another look at their folders once they may have settled.
 */
export interface ChangedFolders {
  /** paths below the root; none: only what waits to be inspected */
  note(libraryId: number, folders: readonly string[]): void;
  /** something is still being written there: again after the time for which new files are left alone */
  settling(libraryId: number, folders: ReadonlySet<string>): void;
  stop(): void;
}

const GATHER_MS = 1000;
/** More are not remembered one by one: the folder above stands for them. */
const MOST_KEPT = 1000;

export function createChangedFolders(parts: {
  ready: (libraryId: number, folders: string[]) => void;
  settings: () => Pick<ClusterSettings, 'scan.settleSeconds'>;
}): ChangedFolders {
  const soon = gather(() => GATHER_MS, parts.ready);
  const settled = gather(
    () => (parts.settings()['scan.settleSeconds'] + 1) * 1000,
    (libraryId, folders) => soon.add(libraryId, folders),
  );
  return {
    note: (libraryId, folders) => soon.add(libraryId, folders),
    settling(libraryId, folders) {
      if (folders.size > 0) settled.add(libraryId, [...folders]);
    },
    stop() {
      soon.stop();
      settled.stop();
    },
  };
}

interface Gathering {
  folders: Set<string>;
  timer: NodeJS.Timeout;
}

function gather(delayMs: () => number, done: (libraryId: number, folders: string[]) => void) {
  const waiting = new Map<number, Gathering>();
  let stopped = false;
  return {
    add(libraryId: number, folders: readonly string[]): void {
      if (stopped) return;
      const one = waiting.get(libraryId) ?? begin(libraryId);
      for (const folder of folders) one.folders.add(one.folders.size < MOST_KEPT ? folder : '');
    },
    stop(): void {
      stopped = true;
      for (const one of waiting.values()) clearTimeout(one.timer);
      waiting.clear();
    },
  };

  function begin(libraryId: number): Gathering {
    const timer = setTimeout(() => {
      const { folders } = waiting.get(libraryId)!;
      waiting.delete(libraryId);
      done(libraryId, [...folders]);
    }, delayMs()).unref();
    const one = { folders: new Set<string>(), timer };
    waiting.set(libraryId, one);
    return one;
  }
}

/** Is this path the folder, or in it? '' is everything. */
export function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}

/** Of these folders, those that lie in no other of them. */
export function outermost(folders: readonly string[]): string[] {
  const kept: string[] = [];
  // '/' before every other character, so that a folder comes right before what lies in it
  const key = (folder: string): string => folder.replaceAll('/', '\0');
  for (const folder of [...new Set(folders)].sort((a, b) => (key(a) < key(b) ? -1 : 1)))
    if (kept.length === 0 || !isWithin(folder, kept.at(-1)!)) kept.push(folder);
  return kept;
}
