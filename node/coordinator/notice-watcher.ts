import type { ClusterSettings } from '../config/schema.ts';
import { localTime } from '../core/house-time.ts';
import type { NoticeFact } from '../core/notice-facts.ts';
import {
  batchStep,
  diskStep,
  nodeStep,
  summaryStep,
  type BatchWatch,
  type DiskWatch,
  type NodeWatch,
  type SummaryWatch,
} from '../core/notice-watch.ts';
import { isStaleTerm, type Database } from '../db/connect.ts';
import { countsByState } from '../db/counters.ts';
import { addNotice } from '../db/notices.ts';
import {
  finishedSince,
  forgetWatches,
  isBusy,
  librariesWithoutRoom,
  readWatches,
  watchedNodes,
  writeWatch,
  type WatchedNode,
} from '../db/notice-watches.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { timeZone } from './notifier.ts';

/**
 * Notices what no single row says: that a machine is silent, a disk fills up, the queue was worked off, a day is over. What was told
 * is remembered in `notice_watches`, written together with its notice, so that the next coordinator neither forgets nor repeats it.
 */
export interface NoticeWatcher {
  start(): void;
  stop(): Promise<void>;
  /** for tests: one look */
  look(): Promise<void>;
}

export interface NoticeWatcherParts {
  db: Database;
  settings: () => ClusterSettings;
  log: Log;
  onStale: () => void;
  /** milliseconds since 1970 */
  now?: () => number;
}

const EVERY_MS = 15_000;
/** Two looks that are further apart: this machine slept, and heard nobody meanwhile. */
const GAP_MS = 60_000;

export function createNoticeWatcher(parts: NoticeWatcherParts): NoticeWatcher {
  const { db, settings, log } = parts;
  const now = parts.now ?? Date.now;
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;
  let listeningSince = now();
  let lookedAt = now();

  return {
    start() {
      timer = setInterval(() => {
        turn = turn.then(round);
      }, EVERY_MS).unref();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await turn;
    },
    look,
  };

  async function round(): Promise<void> {
    if (stopped) return;
    try {
      await look();
    } catch (error) {
      if (stopped) return;
      if (isStaleTerm(error)) parts.onStale();
      else log.warn({ why: messageOf(error) }, 'machines and disks could not be looked at for notifications; it is tried again');
    }
  }

  async function look(): Promise<void> {
    if (now() - lookedAt > GAP_MS) listeningSince = now();
    lookedAt = now();
    const watches = await readWatches(db);
    const nodes = await watchedNodes(db);
    for (const node of nodes) await lookAtNode(node, watches);
    await lookAtRooms(watches);
    await lookAtQueue(watches.get('batch') as BatchWatch | undefined);
    await lookAtDay(watches.get('summary') as SummaryWatch | undefined);
    const known = new Set(nodes.flatMap(({ id }) => [`node ${id}`, `disk ${id}`]));
    await forgetWatches(
      db,
      [...watches.keys()].filter((key) => /^(node|disk) /.test(key) && !known.has(key)),
    );
  }

  async function lookAtNode(node: WatchedNode, watches: ReadonlyMap<string, unknown>): Promise<void> {
    const { id, name, silentSeconds, lastSeenAt, freeBytes } = node;
    const before = watches.get(`node ${id}`) as NodeWatch | undefined;
    const silence = nodeStep(before ?? null, { silentSeconds, lastSeenAt, watchedSeconds: (now() - listeningSince) / 1000 });
    const away = silence.tell === 'node.back' && before ? (lastSeenAt - before.since) / 1000 : silentSeconds;
    await keep(
      `node ${id}`,
      silence.state,
      silence.tell && { event: silence.tell, item: { name, nodeId: id, silentSeconds: Math.max(0, away) } },
    );
    const limitBytes = settings()['jobs.minFreeGb'] * 1e9;
    if (freeBytes === null || silentSeconds > 60 || limitBytes === 0) return;
    const space = diskStep((watches.get(`disk ${id}`) as DiskWatch | undefined) ?? null, { freeBytes, limitBytes });
    await keep(`disk ${id}`, space.state, space.tell && { event: space.tell, item: { name, nodeId: id, freeBytes, limitBytes } });
  }

  async function lookAtRooms(watches: ReadonlyMap<string, unknown>): Promise<void> {
    const full = await librariesWithoutRoom(db);
    for (const { id, name } of full)
      if (!watches.has(`room ${id}`)) await keep(`room ${id}`, { low: true }, { event: 'disk.low', item: { library: name } });
    const over = [...watches.keys()].filter((key) => key.startsWith('room ') && !full.some(({ id }) => key === `room ${id}`));
    await forgetWatches(db, over);
  }

  async function lookAtQueue(before: BatchWatch | undefined): Promise<void> {
    const busy = await isBusy(db);
    const since = before?.since ?? null;
    const done = !busy && since !== null ? await finishedSince(db, new Date(since)) : null;
    const step = batchStep(before ?? null, { busy, atMs: now(), finished: done ? done.done + done.kept + done.failed : 0 });
    await keep('batch', step.state, step.tell && { event: step.tell, item: { ...done } });
  }

  async function lookAtDay(before: SummaryWatch | undefined): Promise<void> {
    const local = localTime(now(), timeZone(settings()));
    const step = summaryStep(before ?? null, { ...local, hour: settings()['notifications.summaryHour'], atMs: now() });
    if (step.state === null) return;
    const facts =
      step.tell && before ? { ...(await finishedSince(db, new Date(before.at))), waiting: (await countsByState(db)).available } : {};
    await keep('summary', step.state, step.tell && { event: step.tell, item: facts, once: `summary ${local.day}` });
  }

  /** What is remembered and what is told are one transaction. */
  async function keep(key: string, state: object | null, fact: NoticeFact | null): Promise<void> {
    if (state === null) return;
    await db.tx(async (q) => {
      await writeWatch(q, key, state);
      if (fact) await addNotice(q, fact);
    });
  }
}
