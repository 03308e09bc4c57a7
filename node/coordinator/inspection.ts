import { jobClass, savingRank } from '../core/job.ts';
import type { Fingerprint, Probe } from '../core/media.ts';
import { makePlan, type Plan } from '../core/plan.ts';
import { sentence, type Reason } from '../core/reasons.ts';
import { targetPath } from '../core/target.ts';
import { titleOf } from '../core/title.ts';
import type { ClusterSettings } from '../config/schema.ts';
import type { Database, Queryable } from '../db/connect.ts';
import { enqueue } from '../db/jobs.ts';
import { readLibrary, type Library } from '../db/libraries.ts';
import { readFile, saveInspected, takerOfName, type MediaFile } from '../db/media-files.ts';
import { itemRefusal } from '../db/source-files.ts';
import { findByMadeHash, findMoved, moveFile } from '../db/moved-files.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Mesh } from '../mesh/mesh.ts';

export interface InspectionParts {
  mesh: Mesh;
  db: Database;
  settings: () => ClusterSettings;
}

export type Inspected = 'queued' | 'skipped' | 'moved' | 'gone';

/**
 * Looks at one file through its keeper and decides about it: skipped with its reason, or a job. The keeper measures,
 * `core/plan` decides, one transaction writes file and job.
 */
export async function inspectFile(
  parts: InspectionParts,
  library: Library,
  keeper: string,
  fileId: number,
  signal: AbortSignal,
): Promise<Inspected> {
  const file = await readFile(parts.db, fileId);
  if (!file || file.status !== 'new') return 'gone';
  if (file.excludedBy) return decide(parts, library, file, null, { code: 'excluded-by-person', params: { by: file.excludedBy } });
  const refusal = await itemRefusal(parts.db, fileId);
  if (refusal) return decide(parts, library, file, null, refusal);
  const answer = await parts.mesh.request(keeper, 'inspect', { op: 'probe', root: library.rootId, path: file.path }, { signal });
  if (answer.op === 'refused') return refused(parts, library, file, answer.reason as Reason);
  if (answer.op !== 'probed') throw new PlainError(`The keeper answered "${answer.op}" where a probe was asked for.`);
  const fingerprint = answer.fingerprint as Fingerprint;
  const movedFrom = await takeOverHistory(parts.db, library, file, fingerprint);
  if (movedFrom !== null) {
    await inspectFile(parts, library, keeper, movedFrom, signal);
    return 'moved';
  }
  // a scan lasts for hours, and a person may have changed the rules since it began
  const now = (await readLibrary(parts.db, library.id)) ?? library;
  return plan(parts, now, file, fingerprint, answer.probe as unknown as Probe, answer.readOnly);
}

/** The same decision from what is already known, when a profile changed: no disk is touched. */
export async function planAgain(parts: InspectionParts, library: Library, file: MediaFile): Promise<Inspected> {
  if (!file.probe || !file.hash) return 'gone';
  const fingerprint: Fingerprint = {
    sizeBytes: file.sizeBytes,
    mtimeMs: file.mtimeMs,
    inode: file.inode,
    links: file.links,
    hash: file.hash,
  };
  if (file.excludedBy) return decide(parts, library, file, null, { code: 'excluded-by-person', params: { by: file.excludedBy } });
  const refusal = await itemRefusal(parts.db, file.id);
  if (refusal) return decide(parts, library, file, null, refusal);
  return plan(parts, library, file, fingerprint, file.probe, file.reason?.code === 'read-only');
}

async function plan(
  parts: InspectionParts,
  library: Library,
  file: MediaFile,
  fingerprint: Fingerprint,
  probe: Probe,
  readOnly: boolean,
): Promise<Inspected> {
  const made = await findByMadeHash(parts.db, fingerprint.hash);
  const taker = await takerOfName(parts.db, library.id, file.path, targetPath(file.path, '.mkv'));
  const facts = {
    path: inLibrary(library, file.path),
    fingerprint,
    madeByUs: made !== null,
    readOnly,
    ageMs: ageOf(file, library, Date.now()),
    inTheWay: taker && inLibrary(library, taker),
  };
  const made_plan = makePlan(probe, facts, library.profile);
  return decide(parts, library, file, { fingerprint, probe }, made_plan);
}

function inLibrary({ folder }: Library, path: string): string {
  return folder ? path.slice(folder.length + 1) : path;
}

const DAY = 86_400_000;

/**
 * Milliseconds since the file was added or last changed. What a first listing found was there before, so only its own time
 * counts; a time far in the future is a broken clock, and waiting for it would leave the file alone for ever.
 */
export function ageOf(file: Pick<MediaFile, 'mtimeMs' | 'createdAt'>, library: Pick<Library, 'knownSince'>, now: number): number {
  const added = library.knownSince && file.createdAt > library.knownSince ? file.createdAt.getTime() : -Infinity;
  const changed = file.mtimeMs - now > DAY ? -Infinity : file.mtimeMs;
  return Math.max(0, now - Math.max(added, changed));
}

/** Says nothing about the one file: the disk is away, or its machine may open no film. */
export function isOfItsRoot(code: string | null | undefined): boolean {
  return code === 'root-not-mounted' || code === 'root-is-another' || code === 'ffmpeg-refused';
}

async function refused(parts: InspectionParts, library: Library, file: MediaFile, reason: Reason): Promise<Inspected> {
  if (isOfItsRoot(reason.code)) {
    const why = reason.code === 'ffmpeg-refused' ? sentence(reason) : `The folder of "${library.name}" is not there any more.`;
    throw new PlainError(why, { reason, retry: true });
  }
  return decide(parts, library, file, null, reason);
}

async function decide(
  parts: InspectionParts,
  library: Library,
  file: MediaFile,
  facts: { fingerprint: Fingerprint; probe: Probe } | null,
  outcome: Plan | Reason,
): Promise<Inspected> {
  const work = 'action' in outcome && outcome.action !== 'skip' ? outcome : null;
  const reason = 'action' in outcome ? outcome.reason : outcome;
  // What stands there is what we made for this very row: it is done, also when only its time changed or a crash came between
  const ours = facts !== null && file.madeHash === facts.fingerprint.hash && reason.code === 'made-by-us';
  const known = facts ?? (file.probe && file.hash ? { probe: file.probe, fingerprint: null } : null);
  await parts.db.tx(async (q) => {
    const saved = await saveInspected(q, [
      {
        id: file.id,
        fingerprint: known?.fingerprint ?? null,
        probe: known?.probe ?? null,
        status: work ? 'queued' : ours ? 'done' : 'skipped',
        reason: ours ? { code: 'replaced', params: { saved: Math.max(0, (file.originalBytes ?? 0) - file.sizeBytes) } } : reason,
        expectedBytes: work?.expectedBytes ?? null,
        againInMs: 'action' in outcome && outcome.action === 'skip' ? (outcome.againInMs ?? null) : null,
      },
    ]);
    if (work && saved.length) await queue(q, parts.settings(), library, file, facts!.fingerprint, work);
  });
  return work ? 'queued' : 'skipped';
}

async function queue(
  q: Queryable,
  settings: ClusterSettings,
  library: Library,
  file: MediaFile,
  fingerprint: Fingerprint,
  work: Exclude<Plan, { action: 'skip' }>,
): Promise<void> {
  await enqueue(q, [
    {
      fileId: file.id,
      class: jobClass(work),
      priority: library.priority,
      rank: rankOf(settings['queue.order'], file, fingerprint.sizeBytes, work.expectedBytes),
      maxFailures: settings['jobs.maxFailures'],
      plan: work,
      profile: library.profile,
      inputBytes: fingerprint.sizeBytes,
      expectedBytes: work.expectedBytes,
    },
  ]);
}

/** Lower comes first. */
export function rankOf(order: ClusterSettings['queue.order'], file: { id: number }, inputBytes: number, expectedBytes: number): number {
  if (order === 'oldest') return file.id;
  if (order === 'smallest') return inputBytes;
  return savingRank(inputBytes, expectedBytes);
}

/** A file that seems new but has the content of one that is missing was moved: its row and history go with it. */
async function takeOverHistory(db: Database, library: Library, file: MediaFile, fingerprint: Fingerprint): Promise<number | null> {
  // it was this film before: what is missing elsewhere is a copy of it, not where it came from
  if (file.hash === fingerprint.hash) return null;
  const candidates = await findMoved(db, fingerprint.hash, fingerprint.sizeBytes);
  const from = candidates.find((c) => c.id !== file.id && c.libraryId === library.id) ?? candidates.find((c) => c.id !== file.id);
  if (!from) return null;
  const settled =
    from.madeHash === fingerprint.hash
      ? ({ status: 'done', reason: { code: 'converted' } } as const)
      : ({ status: 'new', reason: null } as const);
  const { title, detail } = titleOf(file.path);
  const moved = await moveFile(db, from.id, { libraryId: library.id, path: file.path, title, detail, fingerprint, ...settled });
  return moved ? from.id : null;
}

/** What to write about a file that could not be looked at this time. */
export function inspectionProblem(error: unknown): Reason {
  return (error instanceof PlainError ? error.reason : null) ?? { code: 'unreadable', params: { message: messageOf(error).slice(0, 500) } };
}
