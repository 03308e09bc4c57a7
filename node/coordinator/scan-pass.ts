import { randomUUID } from 'node:crypto';
import type { ClusterSettings } from '../config/schema.ts';
import type { Database } from '../db/connect.ts';
import type { Library } from '../db/libraries.ts';
import { filesToInspect, saveInspected } from '../db/media-files.ts';
import { keepersOf, listNodeRoots } from '../db/roots.ts';
import type { ScanCounts } from '../db/scans.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { inspectFile, inspectionProblem, isOfItsRoot } from './inspection.ts';
import { listLibrary } from './listing.ts';

/**
 * One pass over a library, or over some of its folders: the two halves of a scan, both by one keeper. What is found is
 * counted while it is found, so that a page can watch.
 */
export interface Pass {
  /**
   * Writes down what is below a folder of the library, by its path below the root; left out: all of it. The counts are
   * afterwards those of this listing alone, apart from what was inspected.
   * @param began when, by the database's clock
   * @returns the folders in which something is still being written
   * @throws PlainError when it could not be listed as a whole: then nothing counts as missing
   */
  list(began: Date, below?: string): Promise<ReadonlySet<string>>;
  /** Looks at every 'new' file. @throws PlainError when the root or its machine is gone; the rest waits for the next scan */
  inspectNew(): Promise<void>;
}

export interface PassParts {
  mesh: Mesh;
  db: Database;
  settings: () => ClusterSettings;
  /** new jobs are there: tell the nodes */
  offer: () => void;
  /** is this node connected to that one now? */
  reaches?: (node: string) => boolean;
  log: Log;
}

const INSPECT_AT_ONCE = 2;

/** @throws PlainError `root-not-mounted`, `ffmpeg-refused` when no machine can look now */
export async function beginPass(
  parts: PassParts,
  pass: { library: Library; counts: ScanCounts; progress: () => Promise<void>; signal: AbortSignal },
): Promise<Pass> {
  const { db, log } = parts;
  const { library, counts, progress, signal } = pass;
  const keeper = await pickKeeper(parts, library);

  return { list, inspectNew };

  async function list(began: Date, below: string = library.folder): Promise<ReadonlySet<string>> {
    const scanId = randomUUID();
    try {
      const found = await listLibrary(
        { mesh: parts.mesh, db, settleSeconds: parts.settings()['scan.settleSeconds'], began, onPage },
        library,
        keeper,
        scanId,
        signal,
        below,
      );
      counts.missing = found.missing;
      return found.settlingIn;
    } finally {
      await parts.mesh.request(keeper, 'inspect', { op: 'end-list', scan: scanId }).catch(() => {});
    }
  }

  async function onPage(now: Pick<ScanCounts, 'seen' | 'added' | 'changed' | 'problems'>): Promise<void> {
    Object.assign(counts, { seen: now.seen, added: now.added, changed: now.changed, problems: now.problems });
    await progress();
  }

  async function inspectNew(): Promise<void> {
    for (let after = 0; ;) {
      const page = await filesToInspect(db, library.id, after);
      const last = page.at(-1);
      if (!last) return;
      const queue = page.values();
      const lane = async (): Promise<void> => {
        for (const file of queue) {
          signal.throwIfAborted();
          await inspectOne(file.id);
          if (counts.inspected % 5 === 0) await progress();
        }
      };
      const lanes = await Promise.allSettled(Array.from({ length: INSPECT_AT_ONCE }, lane));
      for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason;
      await progress();
      after = last.id;
    }
  }

  /** One file that cannot be inspected never stops the others, unless the whole root or its machine is gone. */
  async function inspectOne(fileId: number): Promise<void> {
    try {
      const became = await inspectFile({ mesh: parts.mesh, db, settings: parts.settings }, library, keeper, fileId, signal);
      if (became === 'moved') counts.moved++;
      if (became === 'queued') parts.offer();
    } catch (error) {
      const code = error instanceof PlainError ? error.reason?.code : null;
      // a keeper that cannot be asked says nothing about the film: what is not looked at yet is left for the next scan
      const isAway = error instanceof PlainError && error.retry && !error.reason;
      if (signal.aborted || isAway || isOfItsRoot(code)) throw error;
      log.warn({ library: library.name, file: fileId, why: messageOf(error) }, 'a file could not be inspected');
      await saveInspected(db, [
        { id: fileId, fingerprint: null, probe: null, status: 'skipped', reason: inspectionProblem(error), expectedBytes: null },
      ]);
    }
    counts.inspected++;
  }
}

export function nothingCounted(): ScanCounts {
  return { seen: 0, added: 0, changed: 0, moved: 0, missing: 0, problems: 0, inspected: 0 };
}

async function pickKeeper({ db, reaches }: PassParts, library: Library): Promise<string> {
  const keepers = await keepersOf(db, library.rootId);
  // the books take a while to notice that a machine is away; the network knows at once
  const keeper = keepers.find(({ nodeId }) => reaches?.(nodeId) ?? true) ?? keepers[0];
  if (keeper) return keeper.nodeId;
  const refused = (await listNodeRoots(db)).some((root) => root.rootId === library.rootId && root.problem === 'ffmpeg-refused');
  throw new PlainError(`No machine has the folder of "${library.name}" mounted now.`, {
    reason: { code: refused ? 'ffmpeg-refused' : 'root-not-mounted' },
    retry: true,
  });
}
