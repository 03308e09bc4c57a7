import type { ClusterSettings } from '../config/schema.ts';
import { forgetActivity } from '../db/activity.ts';
import { forgetOldAudit } from '../db/audit.ts';
import { isStaleTerm, type Database, type Queryable } from '../db/connect.ts';
import { forgetJoinTokens } from '../db/join-tokens.ts';
import { forgetPending } from '../db/nodes.ts';
import { forgetNotices } from '../db/notices.ts';
import {
  BATCH,
  forgetCancelledJobs,
  forgetEndedMessages,
  forgetEndedOriginals,
  forgetGoneFiles,
  forgetMeasures,
  forgetRunLogs,
  forgetScans,
  forgetSettingChanges,
  SMALL_BATCH,
} from '../db/retention.ts';
import { forgetOldSessions } from '../db/sessions.ts';
import { forgetThrottles } from '../db/throttles.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { createTurns } from './turns.ts';

/**
 * Keeps the books from growing for ever: whatever is written each time something happens is kept for a time, or so many of it, and
 * goes in small batches with pauses between them, so that neither a queue nor a page waits for it. What is not in this list grows
 * with the library or by a person's hand only (docs/backup.md says how large books become).
 */
export interface Retention {
  start(): void;
  stop(): Promise<void>;
  /** for tests: until nothing is left to go; how many rows went of what */
  run(): Promise<Record<string, number>>;
}

export interface RetentionParts {
  db: Database;
  settings: () => ClusterSettings;
  log: Log;
  /** another one leads by now */
  onStale: () => void;
}

interface Kind {
  what: string;
  /** one batch; resolves with how many rows went */
  batch: (q: Queryable, settings: ClusterSettings) => Promise<number>;
  /** so many rows went: there may be more */
  full: number;
}

/** A film that is gone for longer does not come back; a job that came to nothing is told of by nobody. */
const GONE_DAYS = 365;
const NOTICE_DAYS = 30;
/** More than any page shows. */
const KEPT_SCANS = 200;
const KEPT_MEASURES = 50;
const KEPT_SETTING_CHANGES = 10_000;

const kinds: readonly Kind[] = [
  { what: 'notes', full: BATCH, batch: (q, s) => forgetActivity(q, s['history.keepDays']) },
  { what: 'lines of the audit log', full: BATCH, batch: (q) => forgetOldAudit(q) },
  {
    what: 'sessions',
    full: BATCH,
    batch: (q, s) => forgetOldSessions(q, { idleHours: s['access.idleHours'], days: s['access.sessionDays'] }),
  },
  { what: 'counts of wrong passwords', full: BATCH, batch: forgetThrottles },
  { what: 'notifications', full: BATCH, batch: (q) => forgetNotices(q, NOTICE_DAYS) },
  { what: 'messages to media servers', full: BATCH, batch: (q, s) => forgetEndedMessages(q, s['history.keepDays']) },
  { what: 'logs of runs', full: BATCH, batch: (q, s) => forgetRunLogs(q, s['history.keepDays']) },
  { what: 'cancelled jobs', full: SMALL_BATCH, batch: (q) => forgetCancelledJobs(q, GONE_DAYS) },
  { what: 'files that are gone', full: SMALL_BATCH, batch: (q) => forgetGoneFiles(q, GONE_DAYS) },
  { what: 'originals that are gone', full: BATCH, batch: (q) => forgetEndedOriginals(q, GONE_DAYS) },
  { what: 'scans', full: BATCH, batch: (q) => forgetScans(q, KEPT_SCANS) },
  { what: 'measurements', full: BATCH, batch: (q) => forgetMeasures(q, KEPT_MEASURES) },
  { what: 'changes of settings', full: BATCH, batch: (q) => forgetSettingChanges(q, KEPT_SETTING_CHANGES) },
  { what: 'invitations', full: Infinity, batch: (q) => forgetJoinTokens(q, NOTICE_DAYS) },
  // only so many may ask at once: those that went away must not keep the others out for ever
  { what: 'machines that asked', full: Infinity, batch: (q) => forgetPending(q) },
];

/** What a new term has to do first has nothing to do with this. */
const FIRST_MS = 60_000;
const AGAIN_MS = 6 * 3_600_000;
const PAUSE_MS = 500;
const TROUBLE_MS = 600_000;

export function createRetention(parts: RetentionParts): Retention {
  const { db, settings, log } = parts;
  const ending = new AbortController();
  const turns = createTurns(ending.signal, turn);
  let at = 0;
  let went: Record<string, number> = {};

  return {
    start: () => turns.next(FIRST_MS),
    stop() {
      ending.abort();
      return turns.stop();
    },
    async run() {
      at = 0;
      went = {};
      while (!(await step()));
      return went;
    },
  };

  /** One batch of one kind. True: there is nothing more to go. */
  async function step(): Promise<boolean> {
    const kind = kinds[at]!;
    const rows = await kind.batch(db, settings());
    if (rows > 0) went[kind.what] = (went[kind.what] ?? 0) + rows;
    if (rows < kind.full) at++;
    return at >= kinds.length;
  }

  async function turn(): Promise<number | null> {
    try {
      if (!(await step())) return PAUSE_MS;
      if (Object.keys(went).length > 0) log.info({ went }, 'what was kept for long enough is gone from the database');
    } catch (error) {
      if (ending.signal.aborted) return null;
      if (isStaleTerm(error)) return (parts.onStale(), null);
      log.warn({ what: kinds[at]?.what, why: messageOf(error) }, 'the database could not be shortened; it is tried again');
      return TROUBLE_MS;
    }
    at = 0;
    went = {};
    return AGAIN_MS;
  }
}
