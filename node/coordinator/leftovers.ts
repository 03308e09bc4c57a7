import { randomUUID } from 'node:crypto';
import { judgeLeftover, type KnownAttempt } from '../core/leftover.ts';
import type { Reason } from '../core/reasons.ts';
import {
  addLeftovers,
  knownAttempts,
  nextChosen,
  noteOutcomes,
  restartListing,
  type Cleanup,
  type LeftoverRow,
  type NewLeftover,
  type Outcome,
} from '../db/cleanups.ts';
import type { Database } from '../db/connect.ts';
import { approvedNodes } from '../db/nodes.ts';
import { PlainError } from '../errors.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { FoundLeftover, InspectAnswer, ProtocolRequest } from '../mesh/messages.ts';
import { portions } from './portions.ts';

export interface LeftoverParts {
  mesh: Mesh;
  db: Database;
  term: number;
  /** something was written */
  onPage: () => void;
}

/** A list that nobody would ever read is cut; what is deleted from it makes room for the rest. */
const MOST = 50_000;
/** A page comes within seconds, whatever was found; deleting a portion may wake a disk. */
const PAGE_MS = 60_000;
const PORTION = { most: 50, bytes: 100_000 };

/**
 * Asks a keeper for everything that looks left over below a root, judges it by the books, and writes it down.
 * @returns whether the list was cut
 * @throws PlainError as the keeper refused, with `retry` when it did not answer
 */
export async function listFound(parts: LeftoverParts, cleanup: Cleanup, keeper: string, signal: AbortSignal): Promise<boolean> {
  const scan = randomUUID();
  if (!(await restartListing(parts.db, cleanup.id, keeper))) throw new PlainError('The clean-up was ended.');
  try {
    for (let page = 0, n = 1; ; page++) {
      const answer = await ask(parts, keeper, 'left', { op: 'leftovers', root: cleanup.rootId, scan, page }, signal);
      const rows = await judged(parts.db, answer.found);
      if (!(await addLeftovers(parts.db, cleanup.id, n, rows, answer.looked))) throw new PlainError('The clean-up was ended.');
      parts.onPage();
      n += rows.length;
      if (answer.last) return false;
      if (n > MOST) return true;
    }
  } finally {
    await parts.mesh.request(keeper, 'inspect', { op: 'end-list', scan }).catch(() => {});
  }
}

/** Has everything that was chosen deleted, portion by portion; each portion's outcome is in the books before the next. */
export async function deleteChosen(parts: LeftoverParts, cleanup: Cleanup, keeper: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const page = await nextChosen(parts.db, cleanup.id, 200);
    if (page.length === 0) return;
    for (const standing of ['dead', 'ask'] as const)
      for (const portion of portions(
        page.filter((row) => row.standing === standing),
        PORTION,
      )) {
        signal.throwIfAborted();
        await noteOutcomes(parts.db, cleanup.id, await deletePortion(parts, cleanup, keeper, portion, signal));
        parts.onPage();
      }
  }
}

async function deletePortion(
  parts: LeftoverParts,
  cleanup: Cleanup,
  keeper: string,
  rows: readonly LeftoverRow[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  // what was over when it was listed is asked for again now
  const known = await booksOf(
    parts.db,
    rows.map((row) => row.attemptId),
  );
  const live = [...known].filter(([, attempt]) => attempt?.alive).map(([id]) => id);
  const files = rows.map(({ n, path, sizeBytes, mtimeMs, inode, attemptId }) => ({
    n,
    path,
    sizeBytes,
    mtimeMs,
    inode,
    attempt: attemptId,
  }));
  const asked = rows[0]?.standing === 'ask';
  const order = { op: 'delete-leftovers', term: parts.term, root: cleanup.rootId, files, live, asked } as const;
  const answer = await ask(parts, keeper, 'cleaned', order, signal);
  const outcomes = new Map<number, Outcome>();
  for (const n of answer.deleted) outcomes.set(n, { n, state: 'deleted', note: null });
  for (const n of answer.gone) outcomes.set(n, { n, state: 'gone', note: 'It was not there any more.' });
  for (const { n, why } of answer.kept) outcomes.set(n, { n, state: 'kept', note: why });
  // every file gets an outcome, or it would be asked for again without end
  return rows.map(({ n }) => outcomes.get(n) ?? { n, state: 'kept', note: 'The machine did not say what became of it.' });
}

async function ask<O extends 'left' | 'cleaned'>(
  { mesh }: LeftoverParts,
  keeper: string,
  wanted: O,
  body: ProtocolRequest<'inspect'>,
  signal: AbortSignal,
): Promise<InspectAnswer<O>> {
  const answer = await mesh.request(keeper, 'inspect', body, { signal: AbortSignal.any([signal, AbortSignal.timeout(PAGE_MS)]) });
  if (answer.op === wanted) return answer as InspectAnswer<O>;
  const reason: Reason = answer.op === 'refused' ? (answer.reason as Reason) : { code: 'cleanup-failed' };
  // a disk that is away is not back within seconds; anything else may be tried once more
  throw new PlainError('The machine with this library could not do it.', { reason, retry: !reason.code.startsWith('root-') });
}

async function judged(db: Database, found: readonly FoundLeftover[]): Promise<NewLeftover[]> {
  const known = await booksOf(
    db,
    found.map((one) => one.attempt),
  );
  const members = new Set((await approvedNodes(db)).map(({ id }) => id));
  return found.map((one) => ({
    path: one.path,
    sizeBytes: one.sizeBytes,
    mtimeMs: one.mtimeMs,
    inode: one.inode,
    attemptId: one.attempt,
    ...judgeLeftover(one, one.attempt === null ? null : (known.get(one.attempt) ?? null), members),
  }));
}

async function booksOf(db: Database, attempts: readonly (number | null)[]): Promise<Map<number, KnownAttempt>> {
  const ids = [...new Set(attempts.filter((id) => id !== null))];
  if (ids.length === 0) return new Map();
  return new Map((await knownAttempts(db, ids)).map(({ id, alive, nodes }) => [id, { alive, nodes }]));
}
