import type { Reason } from '../core/reasons.ts';
import { isScanDue } from '../core/scan-schedule.ts';
import { addActivity } from '../db/activity.ts';
import { isStaleTerm } from '../db/connect.ts';
import { listLibraries, readLibrary, setLibraryProblem, type Library } from '../db/libraries.ts';
import { bringBackDue, bringBackUnread } from '../db/file-standing.ts';
import {
  databaseTime,
  endAbandonedScans,
  endScan,
  lastScans,
  noteScan,
  progressScan,
  startScan,
  type Scan,
  type ScanCounts,
} from '../db/scans.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Events } from '../events.ts';
import { createChangedFolders, isWithin, outermost } from './changed-folders.ts';
import { inspectionProblem } from './inspection.ts';
import { beginPass, nothingCounted, type PassParts } from './scan-pass.ts';
import type { Listing } from './sources.ts';

/**
 * Finds out what is in the libraries. A scan has two halves:
 *
 *   listing     keeper walks the folder, pages of names ─▶ only the difference is written  (new · changed · missing)
 *   inspecting  every 'new' file: fingerprint + ffprobe by the keeper ─▶ core/plan ─▶ skipped with a reason, or a job
 *
 * Jobs become available while the scan still runs. One scan per library at a time, enforced by the database. Files
 * still being written are 'settling' and bring another look at their folders shortly after.
 *
 *   a folder changed (watched, a webhook, files that settle) ─▶ lookAt ─▶ that folder is listed, its new files inspected
 */
export interface Scanner {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** false when a scan of this library runs already */
  scan(libraryId: number): Promise<boolean>;
  cancel(libraryId: number): void;
  /** once new files have settled, and after a scan that runs now */
  scanSoon(libraryId: number): void;
  /**
   * Something changed in these folders (paths below the root): they alone are listed, within seconds, and after a scan that
   * runs now. None: what waits to be inspected is. Many become a scan of the whole library.
   */
  lookAt(libraryId: number, folders: readonly string[]): void;
  /** a keeper came back: what could not be read is looked at again, not only when its hour comes */
  keeperReturned(): void;
}

export interface ScannerParts extends PassParts {
  events: Events;
  /** what the media server of a library lists in it now; null: it is no server's. Left out: there are none */
  listing?: (library: Library, onItems: (count: number) => Promise<void>, signal: AbortSignal) => Promise<Listing | null>;
  /** names and standing of files follow from what is listed, before any of them is inspected */
  settle?: (library: Library) => Promise<void>;
}

interface Run {
  abort: AbortController;
  /** only some folders are looked at */
  part: boolean;
  ended: Promise<void>;
}

/** More folders than this at once: the whole library is listed, which is cheaper and misses nothing. */
const MOST_FOLDERS = 50;
/** What the next scan may find otherwise, although the file itself has not changed. */
const unread = ['probe-timeout', 'probe-failed', 'unreadable', 'no-permission', 'read-only', 'name-taken'] as const;

export function createScanner(parts: ScannerParts): Scanner {
  const { db, events, log } = parts;
  const running = new Map<number, Run>();
  const soon = new Map<number, NodeJS.Timeout>();
  const changed = createChangedFolders({ ready: (id, folders) => void lookNow(id, folders).catch(report), settings: parts.settings });
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  return {
    async start() {
      await endAbandonedScans(db, { code: 'interrupted' });
      timer = setInterval(() => void scanDue().catch(report), 20_000);
      timer.unref();
      await scanDue(true);
      await goOn();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      for (const t of soon.values()) clearTimeout(t);
      changed.stop();
      for (const run of running.values()) run.abort.abort();
      await Promise.all([...running.values()].map((run) => run.ended));
    },
    scan,
    scanSoon,
    lookAt: (libraryId, folders) => changed.note(libraryId, folders),
    keeperReturned: () => void scanTroubled().catch(report),
    cancel: (libraryId) =>
      running.get(libraryId)?.abort.abort(new PlainError('Cancelled on the page.', { reason: { code: 'cancelled-by-person' } })),
  };

  function report(error: unknown): void {
    // another one leads by now and scans on; its term ended this one
    if (stopped || isStaleTerm(error)) log.debug({ why: messageOf(error) }, 'scanning ended with the term');
    else log.error({ err: error }, 'scanning failed');
  }

  async function scanDue(atStart = false): Promise<void> {
    const now = Date.now();
    const clock = { now, offsetMs: -new Date(now).getTimezoneOffset() * 60_000, defaultMinutes: parts.settings()['scan.everyMinutes'] };
    for (const id of await bringBackDue(db)) changed.note(id, []);
    for (const library of await listLibraries(db)) {
      if (!(library.enabled || library.looking) || running.has(library.id)) continue;
      // what happened while nobody coordinated is looked for at once, but not where an hour was chosen for it
      const last = atStart && !('atHour' in library.schedule) ? library.lastScanAt && 0 : (library.lastScanAt?.getTime() ?? null);
      if (isScanDue(library.schedule, last, clock)) await scan(library.id);
    }
  }

  /** A scan that the end of a term cut off goes on under the next one, also where scans begin only when a person asks. */
  async function goOn(): Promise<void> {
    for (const { libraryId, state, reason } of await lastScans(db))
      if (state === 'cancelled' && reason?.code === 'interrupted') await scan(libraryId);
  }

  async function scanTroubled(): Promise<void> {
    for (const library of await listLibraries(db)) if (library.enabled && library.problem) scanSoon(library.id);
  }

  async function scan(libraryId: number): Promise<boolean> {
    // a look at some folders is part of this one
    const part = running.get(libraryId);
    if (part?.part) part.abort.abort();
    if (part?.part) await part.ended;
    if (stopped || running.has(libraryId)) return false;
    const library = await readLibrary(db, libraryId);
    if (!library) throw new PlainError('This library does not exist any more.');
    const abort = new AbortController();
    const entry: Run = { abort, part: false, ended: Promise.resolve() };
    running.set(libraryId, entry);
    const row = await startScan(db, libraryId).catch((error: unknown) => {
      running.delete(libraryId);
      throw error;
    });
    if (!row) {
      running.delete(libraryId);
      return false;
    }
    entry.ended = carryOut(library, row, abort.signal)
      .catch(report)
      .finally(() => running.delete(libraryId));
    return true;
  }

  async function lookNow(libraryId: number, folders: readonly string[]): Promise<void> {
    const busy = running.get(libraryId);
    if (busy) return void busy.ended.then(() => changed.note(libraryId, folders));
    const library = await readLibrary(db, libraryId);
    if (!library || stopped || running.has(libraryId)) return;
    if (folders.some((folder) => isWithin(library.folder, folder))) return void (await scan(libraryId));
    const inside = outermost(folders.filter((folder) => isWithin(folder, library.folder)));
    if (folders.length > 0 && inside.length === 0) return;
    if (inside.length > MOST_FOLDERS) return void (await scan(libraryId));
    const abort = new AbortController();
    const entry: Run = { abort, part: true, ended: Promise.resolve() };
    running.set(libraryId, entry);
    entry.ended = carryOutPart(library, inside, abort.signal)
      .catch((error: unknown) => {
        if (stopped || abort.signal.aborted || isStaleTerm(error)) return;
        log.info({ library: library.name, why: messageOf(error) }, 'changed folders could not be looked at; the whole library is scanned');
        scanSoon(libraryId);
      })
      .finally(() => running.delete(libraryId));
    await entry.ended;
  }

  async function carryOutPart(library: Library, folders: readonly string[], signal: AbortSignal): Promise<void> {
    const counts = nothingCounted();
    const pass = await beginPass(parts, { library, counts, progress: async () => {}, signal });
    for (const below of folders) {
      const before = { ...counts };
      changed.settling(library.id, await pass.list(await databaseTime(db), below));
      for (const key of ['seen', 'added', 'changed', 'missing', 'problems'] as const) counts[key] += before[key];
    }
    await parts.settle?.(library);
    await pass.inspectNew();
    const found = counts.added + counts.changed + counts.missing + counts.moved + counts.inspected;
    log.debug({ library: library.name, folders: folders.length, ...counts }, 'changed folders were looked at');
    if (found > 0) events.emit('library.changed', { libraryId: library.id });
  }

  async function carryOut(library: Library, row: Scan, signal: AbortSignal): Promise<void> {
    const counts = nothingCounted();
    const progress = async (done = false): Promise<void> => {
      await progressScan(db, row.id, counts);
      events.emit('scan.progressed', { libraryId: library.id, seen: counts.seen, inspected: counts.inspected, done });
    };
    let state: 'completed' | 'failed' | 'cancelled' = 'completed';
    let reason: Reason | null = null;
    try {
      const pass = await beginPass(parts, { library, counts, progress, signal });
      await askServer(library, row, signal);
      changed.settling(library.id, await pass.list(row.startedAt));
      await parts.settle?.(library);
      await bringBackUnread(db, library.id, unread);
      await pass.inspectNew();
    } catch (error) {
      state = signal.aborted ? 'cancelled' : 'failed';
      reason = signal.aborted ? { code: stopped ? 'interrupted' : 'cancelled-by-person' } : inspectionProblem(error);
      if (state === 'failed') log.warn({ library: library.name, why: messageOf(error) }, 'a scan failed');
    }
    await finish(library, row, state, counts, reason);
  }

  /** A media server says what it calls these files, and which of them are one film. */
  async function askServer(library: Library, row: Scan, signal: AbortSignal): Promise<void> {
    const onItems = async (listed: number): Promise<void> => {
      await noteScan(db, row.id, { listed, note: null });
      events.emit('scan.progressed', { libraryId: library.id, seen: 0, inspected: 0, done: false });
    };
    const said = await parts.listing?.(library, onItems, signal);
    if (said) await noteScan(db, row.id, said);
  }

  async function finish(
    library: Library,
    row: Scan,
    state: 'completed' | 'failed' | 'cancelled',
    counts: ScanCounts,
    reason: Reason | null,
  ): Promise<void> {
    await endScan(db, row.id, state, counts, reason);
    await setLibraryProblem(db, library.id, state === 'failed' ? reason : null);
    if (state === 'failed') {
      await addActivity(db, {
        kind: 'scan-failed',
        severity: 1,
        libraryId: library.id,
        params: { library: library.name, reason: reason?.code ?? '' },
      });
      events.emit('activity.added', { kind: 'scan-failed', severity: 1 });
    }
    events.emit('scan.progressed', { libraryId: library.id, seen: counts.seen, inspected: counts.inspected, done: true });
    events.emit('library.changed', { libraryId: library.id });
  }

  function scanSoon(libraryId: number): void {
    if (stopped || soon.has(libraryId)) return;
    const t = setTimeout(
      () => {
        soon.delete(libraryId);
        scan(libraryId).then((started) => started || scanSoon(libraryId), report);
      },
      (parts.settings()['scan.settleSeconds'] + 1) * 1000,
    );
    soon.set(libraryId, t.unref());
  }
}
