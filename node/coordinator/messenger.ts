import type { Reason } from '../core/reasons.ts';
import { askAgainIn, DAILY_SECONDS, noticed, PATIENCE_SECONDS, TOLD_FOR_SECONDS, type Noticed } from '../core/source-confirm.ts';
import { placeOf } from '../core/source-paths.ts';
import { addActivity } from '../db/activity.ts';
import { isStaleTerm, type Database } from '../db/connect.ts';
import { itemAtPath, libraryOfItem, replaceItem } from '../db/source-items.ts';
import {
  dueMessages,
  nextMessageIn,
  putOffAll,
  putOffMessages,
  stepMessage,
  waitingInFolder,
  type DueMessage,
  type MessageState,
} from '../db/source-messages.ts';
import { listSourcePaths } from '../db/source-paths.ts';
import { messageOf } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Source, SourceItem } from '../sources/source.ts';
import { problemOf } from './source-health.ts';
import { placed } from './source-listing.ts';
import type { Sources } from './sources.ts';
import { createTurns } from './turns.ts';

/**
 * Tells media servers and fetchers that files were exchanged, and does not believe that they know before they show it.
 * Everything it does follows from rows in `source_messages`, so the next coordinator goes on where this one ended.
 *
 *   waiting ── 10 s of quiet in its folder, told once for all of it ──▶ told
 *   told ── read back after 5, 15, 45, 120 s, … ──┬─ the old file ──▶ again; after half an hour: unconfirmed, a person hears of it
 *                                                  ├─ the new one, its format not read yet ──▶ analyze, once ──▶ analyzing
 *                                                  └─ the new one ──▶ confirmed; what it forgot of the film is said
 *   unconfirmed ── told again every day ──▶ confirmed
 *               └─ after a month: dropped; otherwise what no server ever shows would be asked for every day, more of it each year
 *
 * Nothing is ever deleted at a source: no trash of theirs is emptied, no entry removed.
 */
export interface Messenger {
  start(): void;
  stop(): Promise<void>;
  /** something may be due earlier than was known */
  hurry(): void;
}

export interface MessengerParts {
  db: Database;
  sources: Pick<Sources, 'open'>;
  events: Events;
  log: Log;
  /** another one leads by now */
  onStale: () => void;
  /** seconds of quiet in a folder before it is told */
  quietSeconds?: number;
}

const QUIET_SECONDS = 10;
/** A folder in which something changes all the time is told all the same. */
const MOST_QUIET_SECONDS = 120;
const CALL_MS = 150_000;

export function createMessenger(parts: MessengerParts): Messenger {
  const { db, events, log } = parts;
  const ending = new AbortController();
  const quietSeconds = parts.quietSeconds ?? QUIET_SECONDS;
  const lines = new Map<number, Promise<void>>();
  const turns = createTurns(ending.signal, round);

  return {
    start: () => turns.next(0),
    async stop() {
      ending.abort();
      await turns.stop();
      await Promise.all(lines.values());
    },
    hurry: turns.hurry,
  };

  async function round(): Promise<number | null> {
    try {
      begin(await dueMessages(db, [...lines.keys()]));
      const seconds = await nextMessageIn(db, [...lines.keys()]);
      return seconds === null ? 60_000 : Math.min(60_000, Math.max(200, seconds * 1000));
    } catch (error) {
      return troubled(error);
    }
  }

  /** A line for each source that has none: one that hangs delays no other. */
  function begin(due: DueMessage[]): void {
    for (const [sourceId, messages] of Map.groupBy(due, (message) => message.sourceId)) {
      const line = deliver(messages)
        .finally(() => lines.delete(sourceId))
        .then(turns.hurry, (error: unknown) => {
          const again = troubled(error);
          if (again !== null) turns.next(again);
        });
      lines.set(sourceId, line);
    }
  }

  /** How soon it is tried again; null: not at all. */
  function troubled(error: unknown): number | null {
    if (ending.signal.aborted) return null;
    if (isStaleTerm(error)) return (parts.onStale(), null);
    log.warn({ why: messageOf(error) }, 'messages to media servers could not be looked after; it is tried again');
    return 10_000;
  }

  /** One after the other; when the source cannot be asked, the rest of its messages waits with this one. */
  async function deliver(messages: DueMessage[]): Promise<void> {
    const told = new Set<string>();
    let sourceId = 0;
    try {
      for (const message of messages) {
        if (ending.signal.aborted) return;
        sourceId = message.sourceId;
        const { source } = await parts.sources.open(sourceId);
        if (message.state !== 'waiting') await readBack(message, source);
        else if (!told.has(message.folder)) await tellFolder(message, source, messages, told);
      }
    } catch (error) {
      if (ending.signal.aborted || isStaleTerm(error)) throw error;
      const reason = problemOf({ name: messages[0]!.source }, error);
      if (reason.code === 'source-unmapped') await drop(messages, reason);
      else await putOff(messages, reason);
    } finally {
      if (sourceId) events.emit('source.changed', { sourceId });
    }
  }

  async function putOff(messages: DueMessage[], reason: Reason): Promise<void> {
    const oldest = Math.max(...messages.map((message) => message.secondsOld));
    // all that it is behind with, not only these: else each portion of thousands would find out anew that it is away
    await putOffAll(db, messages[0]!.sourceId, { seconds: Math.min(900, Math.max(30, oldest)), unconfirmedSeconds: 3600 }, reason);
  }

  async function drop(messages: DueMessage[], reason: Reason): Promise<void> {
    for (const { id } of messages.filter(({ state }) => state === 'waiting'))
      await stepMessage(db, id, { from: ['waiting'], to: 'dropped', tries: 0, nextSeconds: null, reason });
  }

  /** What came for one folder within seconds is one message to it: scanning a folder twice helps nobody. */
  async function tellFolder(message: DueMessage, source: Source, all: DueMessage[], told: Set<string>): Promise<void> {
    const { ids, quietSeconds: quiet } = await waitingInFolder(db, message.sourceId, message.folder);
    if (quiet < quietSeconds && message.secondsOld < MOST_QUIET_SECONDS) {
      told.add(message.folder);
      return putOffMessages(db, ids, quietSeconds - quiet + 0.1, null);
    }
    const here = all.filter(({ state, folder }) => state === 'waiting' && folder === message.folder);
    // those that name files want every name; for all others the folder says it all
    const calls = message.sourceKind === 'jellyfin' || message.sourceKind === 'emby' ? here : [message];
    const names = here.map(({ after }) => after.path);
    for (const call of calls) await tell(call, source, names);
    told.add(message.folder);
    for (const id of ids) await stepMessage(db, id, { from: ['waiting'], to: 'told', tries: 0, nextSeconds: askAgainIn(0), told: true });
    for (const { jobId, fileId } of here) if (jobId !== null) events.emit('job.changed', { jobId, fileId, libraryId: null });
  }

  function tell({ libraryKey, folder, before, after, ref }: DueMessage, source: Source, names?: readonly string[]): Promise<void> {
    return source.tellChanged({ libraryKey, folder, before: before.path, after: after.path, ref, ...(names ? { names } : {}) }, within());
  }

  async function readBack(message: DueMessage, source: Source): Promise<void> {
    // a fetcher, or a server that had no entry of the file
    if (message.ref === null) return end(message, 'confirmed', { code: 'source-told-only', params: { source: message.source } });
    const files = await source.readItem(message.ref, within());
    const seen = noticed(files, message);
    if (seen.as === 'seen') return confirm(message, files, seen.differs);
    if (seen.as === 'unread' && message.state === 'told') return analyze(message, source);
    if (seen.as === 'gone' && (await hasNewEntry(message)))
      return end(message, 'confirmed', { code: 'source-new-entry', params: { source: message.source } });
    await goOn(message, source, seen);
  }

  async function analyze(message: DueMessage, source: Source): Promise<void> {
    if (!(await stepMessage(db, message.id, { from: ['told'], to: 'analyzing', tries: 0, nextSeconds: askAgainIn(0) }))) return;
    await source.analyze(message.ref!, within());
  }

  async function confirm(message: DueMessage, files: SourceItem[], differs: string | null): Promise<void> {
    const library = await libraryOfItem(db, message.sourceId, message.ref!);
    const rules = await listSourcePaths(db, message.sourceId);
    if (library !== null)
      await replaceItem(
        db,
        library,
        message.ref!,
        files.map((file) => placed(file, rules)),
      );
    await end(
      message,
      'confirmed',
      differs === null ? null : { code: 'source-entry-changed', params: { source: message.source, message: differs } },
    );
  }

  /** The server took the new file for another film: seen under another entry by its listing or its news. */
  async function hasNewEntry(message: DueMessage): Promise<boolean> {
    const place = placeOf(message.after.path, await listSourcePaths(db, message.sourceId));
    const known = place ? await itemAtPath(db, message.sourceId, place.rootId, place.path) : [];
    return known.some(({ ref, path }) => ref !== message.ref && path === message.after.path);
  }

  async function goOn(message: DueMessage, source: Source, seen: Noticed): Promise<void> {
    const { id, state, tries } = message;
    const sinceTold = message.secondsTold ?? Infinity;
    if (state === 'unconfirmed') {
      if (message.secondsOld > TOLD_FOR_SECONDS) return end(message, 'dropped', message.reason);
      const again = sinceTold > DAILY_SECONDS - 60;
      if (again && seen.as === 'unread') await source.analyze(message.ref!, within());
      else if (again) await tell(message, source);
      const nextSeconds = again ? 120 : Math.max(60, DAILY_SECONDS - sinceTold);
      return void (await stepMessage(db, id, {
        from: [state],
        to: state,
        tries: tries + 1,
        nextSeconds,
        reason: message.reason,
        told: again,
      }));
    }
    if (sinceTold < PATIENCE_SECONDS)
      return void (await stepMessage(db, id, { from: [state], to: state, tries: tries + 1, nextSeconds: askAgainIn(tries + 1) }));
    const reason: Reason = { code: 'source-unconfirmed', params: { source: message.source } };
    const nextSeconds = Math.max(60, DAILY_SECONDS - sinceTold);
    if (!(await stepMessage(db, id, { from: [state], to: 'unconfirmed', tries: 0, nextSeconds, reason }))) return;
    await note(message, 'source-unconfirmed', reason);
  }

  async function end(message: DueMessage, to: MessageState, reason: Reason | null): Promise<void> {
    if (!(await stepMessage(db, message.id, { from: [message.state], to, tries: message.tries, nextSeconds: null, reason }))) return;
    if (message.jobId !== null) events.emit('job.changed', { jobId: message.jobId, fileId: message.fileId, libraryId: null });
    if (reason?.code === 'source-entry-changed' || reason?.code === 'source-new-entry') await note(message, 'source-entry', reason);
  }

  async function note(message: DueMessage, kind: string, reason: Reason): Promise<void> {
    const { fileId, jobId, source } = message;
    await addActivity(db, { kind, severity: 1, fileId, jobId, params: { source, reason } });
    events.emit('activity.added', { kind, severity: 1 });
  }

  function within(): AbortSignal {
    return AbortSignal.any([ending.signal, AbortSignal.timeout(CALL_MS)]);
  }
}
