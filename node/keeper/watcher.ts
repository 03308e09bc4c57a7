import path from 'node:path';
import { messageOf, PlainError } from '../errors.ts';
import { watchTree, type TreeWatch } from '../files/watch.ts';
import { whyNotWatchable } from '../files/watchable.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { KeeperRoots } from './roots.ts';

/**
 * Watches the libraries that lie on local disks of this machine, and tells the coordinator in which folders something
 * changed, so that a new film is looked at within the minute and not at the next scan.
 *
 *   wished by the coordinator ─▶ a disk that tells the truth? ─no─▶ not watched, with why
 *                                    │yes                             ▲
 *                                    ▼                                └─ too many folders, an error; tried again later
 *                                 watching ── changes, gathered ──▶ 'changed' to the coordinator
 */
export interface Watcher {
  /** the folders to watch from now on; others are let go */
  wish(folders: readonly WatchedFolder[]): void;
  /** how each that lies on this machine stands */
  state(): WatchState[];
  stop(): void;
}

export interface WatchedFolder {
  root: string;
  /** below the root */
  folder: string;
}

export interface WatchState extends WatchedFolder {
  watching: boolean;
  /** why not, as a sentence goes on; null while it is */
  why: string | null;
}

export interface WatcherParts {
  mesh: Mesh;
  coordinator: () => string | null;
  roots: Pick<KeeperRoots, 'open' | 'where'>;
  /** a state changed: the coordinator should hear it */
  onState?: () => void;
  log: Log;
  /** for tests */
  watchable?: (directory: string) => Promise<string | null>;
  gatherMs?: number;
  againMs?: number;
  restMs?: number;
  lookMs?: number;
}

const GATHER_MS = 2000;
/** A folder in which something is written all the time is not told of more often. */
const REST_MS = 30_000;
const AGAIN_MS = 10 * 60_000;
/** More stand for the whole library. */
const MOST_FOLDERS = 100;

interface Entry extends WatchState {
  /** where the root was when it began; null: not on this machine */
  at: string | null;
  tree: TreeWatch | null;
  /** folder below the root ─▶ when it may be told */
  changed: Map<string, number>;
  told: Map<string, number>;
  timer: NodeJS.Timeout | null;
  /** it was watched, or should have been, and was not for a while */
  lost: boolean;
  over: boolean;
}

export function createWatcher(parts: WatcherParts): Watcher {
  const entries = new Map<string, Entry>();
  const { log } = parts;
  const gather = parts.gatherMs ?? GATHER_MS;

  return {
    wish(folders) {
      const wanted = new Map(folders.map((one) => [`${one.root} ${one.folder}`, one]));
      for (const [key, entry] of entries) if (!wanted.has(key)) letGo(key, entry);
      for (const [key, one] of wanted) {
        const before = entries.get(key);
        const at = parts.roots.where(one.root);
        if (before?.at === at) continue;
        if (before) letGo(key, before);
        // a root that was moved on this machine may hold other films by now
        begin(key, { ...one, at, lost: typeof before?.at === 'string' });
      }
    },
    state: () =>
      [...entries.values()]
        .filter((entry) => entry.watching || entry.why !== null)
        .map(({ root, folder, watching, why }) => ({ root, folder, watching, why })),
    stop() {
      for (const [key, entry] of entries) letGo(key, entry);
    },
  };

  function begin(key: string, { root, folder, at, lost }: WatchedFolder & Pick<Entry, 'at' | 'lost'>): void {
    const entry: Entry = {
      ...{ root, folder, at, lost, watching: false, why: null, tree: null, over: false, timer: null },
      changed: new Map<string, number>(),
      told: new Map<string, number>(),
    };
    entries.set(key, entry);
    void tryToWatch(entry);
  }

  async function tryToWatch(entry: Entry): Promise<void> {
    if (entry.over) return;
    try {
      const { path: top } = await parts.roots.open(entry.root);
      const directory = path.join(top, ...entry.folder.split('/'));
      const why = await (parts.watchable ?? whyNotWatchable)(directory);
      if (why !== null) return stands(entry, why);
      let ended = false;
      const tree = await watchTree(directory, {
        ...(parts.lookMs === undefined ? {} : { lookMs: parts.lookMs }),
        onChange: (below) => note(entry, below === '' ? entry.folder : [entry.folder, below].filter(Boolean).join('/')),
        onEnd: (reason) => {
          ended = true;
          entry.tree = null;
          entry.lost = true;
          stands(entry, reason);
          later(entry);
        },
      });
      if (entry.over) return tree.close();
      if (ended) return;
      entry.tree = tree;
      stands(entry, null);
      // what changed while it was not; at a start the scans have seen to that
      if (entry.lost) note(entry, entry.folder);
      entry.lost = false;
    } catch (error) {
      // not on this machine, or its disk is away: that is said elsewhere
      log.debug({ root: entry.root, why: messageOf(error) }, 'a library is not watched here');
      if (!(error instanceof PlainError)) stands(entry, 'it could not be watched');
      later(entry);
    }
  }

  function stands(entry: Entry, why: string | null): void {
    if (entry.over) return;
    const before = entry.watching;
    entry.watching = why === null;
    entry.why = why;
    if (why !== null) log.info({ root: entry.root, folder: entry.folder, why }, 'a library is not watched; scans find what changes');
    if (before !== entry.watching || why !== null) parts.onState?.();
  }

  function later(entry: Entry): void {
    setTimeout(() => {
      if (entry.over || entry.watching) return;
      entry.why = null;
      void tryToWatch(entry);
    }, parts.againMs ?? AGAIN_MS).unref();
  }

  function note(entry: Entry, folder: string): void {
    if (entry.over) return;
    const now = performance.now();
    if (!entry.changed.has(folder)) entry.changed.set(folder, Math.max(now + gather, entry.told.get(folder) ?? 0));
    entry.timer ??= setTimeout(() => void tell(entry), gather).unref();
  }

  async function tell(entry: Entry): Promise<void> {
    entry.timer = null;
    const now = performance.now();
    const due = [...entry.changed].filter(([, at]) => at <= now + gather / 2).map(([folder]) => folder);
    for (const folder of due) entry.changed.delete(folder);
    if (due.length > 0 && !(await said(entry, due.length > MOST_FOLDERS ? [entry.folder] : due)))
      for (const folder of due) entry.changed.set(folder, performance.now() + 5 * gather);
    else for (const folder of due) entry.told.set(folder, now + (parts.restMs ?? REST_MS));
    for (const [folder, until] of entry.told) if (until < now) entry.told.delete(folder);
    if (entry.changed.size === 0 || entry.over) return;
    const next = Math.min(...entry.changed.values());
    entry.timer ??= setTimeout(() => void tell(entry), Math.max(gather, next - performance.now())).unref();
  }

  async function said(entry: Entry, folders: string[]): Promise<boolean> {
    const to = parts.coordinator();
    if (!to) return false;
    try {
      await parts.mesh.request(
        to,
        'changed',
        { node: parts.mesh.self, root: entry.root, folders },
        { signal: AbortSignal.timeout(15_000) },
      );
      return true;
    } catch (error) {
      log.debug({ why: messageOf(error) }, 'changed folders could not be told; they are told again');
      return false;
    }
  }

  function letGo(key: string, entry: Entry): void {
    entry.over = true;
    entry.tree?.close();
    if (entry.timer) clearTimeout(entry.timer);
    entries.delete(key);
  }
}
