import { lstat, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PlainError, codeOf, messageOf } from '../errors.ts';
import { freeBytesOrNull } from '../files/disk.ts';
import { findRoots, type Mount } from '../files/find-roots.ts';
import { markerOf } from '../files/marker.ts';
import { adoptRoot, openRoot, type AdoptedFolder, type Root } from '../files/roots.ts';
import type { Log } from '../log.ts';

export interface RootReport {
  root: string;
  path: string;
  writable: boolean;
  problem: string | null;
  /** left out: its disk does not tell */
  freeBytes?: number;
}

/** Which roots this node has, and where. A person adds one, or its marker is found on a disk of this machine. */
export interface KeeperRoots {
  /**
   * @param only the folder has to belong to this root; no new one is made
   * @throws PlainError as `adoptRoot`, and `root-refused` for a second disk that carries the marker of a root known here
   */
  adopt(folder: string, only?: string | null): Promise<AdoptedFolder>;
  /** where it lies as this machine knows, its disk here or away; null: it never was here */
  where(id: string): string | null;
  /** @throws PlainError reason root-not-mounted, root-is-another, or when this node never offered such a root */
  open(id: string): Promise<Root>;
  report(): Promise<RootReport[]>;
  /** Looks on this machine's disks for roots of the cluster that it does not have; at most every 5 minutes. Resolves with the new ones. */
  seek(wanted: readonly string[], signal?: AbortSignal): Promise<string[]>;
}

export interface RootsOptions {
  log?: Log;
  /** where to look for markers; default: the mount points of this machine */
  mounts?: readonly Mount[];
  seekEveryMs?: number;
  /** a disk that does not answer for so long counts as not mounted */
  patienceMs?: number;
  /** this machine's ffmpeg may open no film: then nothing is kept here, and the roots say why */
  refused?: () => boolean;
}

interface Known {
  path: string;
  found: 'person' | 'marker';
}

/** How long a test write is believed: a library disk that rests is not woken to find out what was true a minute ago. */
const BELIEVE_MS = 20 * 60_000;
const SEEK_EVERY_MS = 5 * 60_000;
const PATIENCE_MS = 10_000;

/** The map root id → path of this node, kept in the data directory: a path of one machine is never used on another. */
export async function loadRoots(dataDir: string, options: RootsOptions = {}): Promise<KeeperRoots> {
  const file = path.join(dataDir, 'roots.json');
  const known = new Map<string, Known>(await readMap(file));
  const looked = new Map<string, { writable: boolean; until: number }>();
  const looking = new Map<string, Promise<Root>>();
  const free = new Map<string, number | null>();
  let seekAgain = 0;
  let seeking: Promise<string[]> | null = null;
  let written: Promise<void> = Promise.resolve();
  return {
    async adopt(folder, only) {
      const adopted = await adoptRoot(folder, { dataDir, ...(only ? { only } : {}) });
      return await take(adopted, 'person');
    },
    where: (id) => known.get(id)?.path ?? null,
    async open(id) {
      const root = known.get(id);
      if (!root) throw new PlainError('This machine does not have that library.', { reason: { code: 'root-not-mounted' }, retry: true });
      return open(id, root.path);
    },
    report: () => Promise.all([...known].map(async ([root, at]) => withheld(withRoom(await look(open, root, at.path))))),
    seek(wanted, signal) {
      const missing = wanted.filter((id) => !known.has(id));
      if (missing.length === 0 || performance.now() < seekAgain) return Promise.resolve([]);
      seeking ??= seek(missing, signal).finally(() => {
        seekAgain = performance.now() + (options.seekEveryMs ?? SEEK_EVERY_MS);
        seeking = null;
      });
      return seeking;
    },
  };

  function withheld(report: RootReport): RootReport {
    return report.problem === null && options.refused?.() ? { ...report, problem: 'ffmpeg-refused' } : report;
  }

  function withRoom(report: RootReport): RootReport {
    const freeBytes = report.problem === null ? free.get(report.root) : null;
    return typeof freeBytes === 'number' ? { ...report, freeBytes } : report;
  }

  /**
   * A hung disk holds the thread that asks it. So each root is asked by one caller at a time, and the others do not wait
   * for longer than patience lasts: the threads of this process are few.
   */
  function open(id: string, where: string): Promise<Root> {
    const asked = looking.get(id) ?? ask(id, where);
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(silent(where)), options.patienceMs ?? PATIENCE_MS);
    });
    return Promise.race([asked, tooLong]).finally(() => clearTimeout(timer));
  }

  function ask(id: string, where: string): Promise<Root> {
    const asked = openNow(id, where)
      .then(async (root) => {
        free.set(id, await freeBytesOrNull(where));
        return root;
      })
      .finally(() => looking.delete(id));
    looking.set(id, asked);
    return asked;
  }

  async function openNow(id: string, where: string): Promise<Root> {
    const before = looked.get(id);
    if (before && performance.now() < before.until) return openRoot({ id, path: where }, { writable: before.writable });
    const root = await openRoot({ id, path: where });
    looked.set(id, { writable: root.writable, until: performance.now() + (root.writable ? BELIEVE_MS : BELIEVE_MS / 20) });
    return root;
  }

  /** Two places with one marker are one disk seen twice, or a disk and its copy: the first stays, and nothing is guessed. */
  async function take(adopted: AdoptedFolder, found: Known['found']): Promise<AdoptedFolder> {
    const { rootId, rootPath } = adopted;
    const first = known.get(rootId);
    if (first?.path === rootPath) return adopted;
    if (first && (await open(rootId, first.path).catch(() => null))) {
      if (await isSameDisk(first.path, rootPath)) return { ...adopted, rootPath: first.path };
      options.log?.warn(
        { root: rootId, used: first.path, refused: rootPath },
        'two folders of this machine carry the marker of the same library; the first one stays in use',
      );
      const why = `carries the marker of the library in ${first.path}, as a copy of it does; that one stays in use`;
      throw new PlainError(`${rootPath} ${why}.`, { reason: { code: 'root-refused', params: { path: rootPath, why } } });
    }
    await keep(rootId, { path: rootPath, found });
    return adopted;
  }

  /** What could not be written is not known either: else it would be forgotten by the next start, and nobody had been told. */
  async function keep(id: string, now: Known): Promise<void> {
    const before = known.get(id);
    known.set(id, now);
    looked.delete(id);
    // one after the other: each write goes through the same file beside it
    written = written.catch(() => {}).then(() => writeMap(file, known));
    try {
      await written;
    } catch (cause) {
      if (known.get(id) === now) known.delete(id);
      if (before && !known.has(id)) known.set(id, before);
      throw new PlainError(`${file}, which holds where this machine has its libraries, cannot be written: ${messageOf(cause)}.`, { cause });
    }
  }

  async function seek(missing: string[], signal?: AbortSignal): Promise<string[]> {
    const places = await findRoots(missing, {
      ...(options.mounts ? { mounts: options.mounts } : {}),
      ...(signal ? { signal } : {}),
    });
    const taken = new Set<string>();
    for (const place of places) {
      try {
        await take(await adoptRoot(place.path, { dataDir, only: place.id }), 'marker');
        if (!taken.has(place.id)) options.log?.info({ root: place.id, path: place.path }, 'a library was found on a disk of this machine');
        taken.add(place.id);
      } catch (error) {
        options.log?.debug({ root: place.id, path: place.path, why: messageOf(error) }, 'a place with a marker was not taken');
      }
    }
    return [...taken];
  }
}

async function isSameDisk(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((root) => lstat(markerOf(root), { bigint: true }).catch(() => null)));
  return !!one && !!other && one.dev === other.dev && one.ino === other.ino;
}

function silent(where: string): PlainError {
  return new PlainError(`The disk of ${where} does not answer. Nothing is counted as deleted.`, {
    reason: { code: 'root-not-mounted', params: { path: where } },
    retry: true,
  });
}

/** Whatever failed on a disk that is away failed because of that, and is the fault of neither file. */
export async function rootTrouble(roots: KeeperRoots, root: string, error: unknown): Promise<unknown> {
  return roots.open(root).then(
    () => error,
    (trouble: unknown) => trouble,
  );
}

async function look(open: (id: string, where: string) => Promise<Root>, root: string, where: string): Promise<RootReport> {
  try {
    const opened = await open(root, where);
    return { root, path: where, writable: opened.writable, problem: opened.problem };
  } catch (error) {
    return { root, path: where, writable: false, problem: (error instanceof PlainError ? error.reason?.code : null) ?? 'unreadable' };
  }
}

/** A plain text is the path of a root that a person named. */
async function readMap(file: string): Promise<[string, Known][]> {
  try {
    const read = JSON.parse(await readFile(file, 'utf8')) as Record<string, string | Known>;
    return Object.entries(read).map(([id, at]) => [id, typeof at === 'string' ? { path: at, found: 'person' } : at]);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new PlainError(`${file} cannot be read; it holds where this machine has its libraries. Repair or remove it, then start again.`, {
      cause: error,
    });
  }
}

async function writeMap(file: string, known: Map<string, Known>): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.tmp`, JSON.stringify(Object.fromEntries(known), null, 2), { mode: 0o600, flush: true });
  await rename(`${file}.tmp`, file);
}
