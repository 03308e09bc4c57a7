import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { staysFor } from '../core/found.ts';
import type { Fingerprint } from '../core/media.ts';
import type { ClusterSettings } from '../config/schema.ts';
import { addActivity } from '../db/activity.ts';
import { knownAttempts } from '../db/cleanups.ts';
import type { Database } from '../db/connect.ts';
import { addFound, fileInPlace, unknownPlaces, writeStrangers, type Stranger } from '../db/found-originals.ts';
import { listLibraries } from '../db/libraries.ts';
import { approvedNodes } from '../db/nodes.ts';
import type { Events } from '../events.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { FoundInTrash, InspectAnswer, ProtocolRequest } from '../mesh/messages.ts';
import { portions } from './portions.ts';

export interface TrashFindParts {
  mesh: Mesh;
  db: Database;
  events: Events;
  settings: () => ClusterSettings;
}

type Noted = FoundInTrash & { note: NonNullable<FoundInTrash['note']> };

const PORTION = { most: 50, bytes: 100_000 };
const ANSWER_MS = 120_000;

/**
 * Looks for what lies in a trash and is not in the books, because they were put back from an older time or begun anew.
 * What its note and the file itself tell of is taken in: it can be put back, and its time begins now. The rest is only shown.
 */
export async function findInTrash(parts: TrashFindParts, rootId: string, keeper: string, signal: AbortSignal): Promise<void> {
  const scan = randomUUID();
  const strangers: Stranger[] = [];
  let taken = { files: 0, bytes: 0 };
  try {
    for (let page = 0, last = false; !last; page++) {
      const listed = await ask(parts, keeper, 'trash-listed', { op: 'list-trash', root: rootId, scan, page }, signal);
      last = listed.last;
      const unknown = await unknownPlaces(parts.db, rootId, listed.paths);
      for (const portion of portions(
        unknown.map((place) => ({ path: place })),
        PORTION,
      )) {
        const paths = portion.map((one) => one.path);
        const { found } = await ask(parts, keeper, 'trash-found', { op: 'find-trash', root: rootId, paths }, signal);
        // a keeper speaks only of what it was asked about
        const asked = found.filter((one) => paths.includes(one.trashPath));
        strangers.push(...asked.filter((one) => one.note === null));
        taken = await takeIn(
          parts,
          rootId,
          asked.filter((one): one is Noted => one.note !== null),
          taken,
        );
      }
    }
  } finally {
    await parts.mesh.request(keeper, 'inspect', { op: 'end-list', scan }).catch(() => {});
  }
  await writeStrangers(parts.db, rootId, strangers);
  if (taken.files > 0) await tell(parts, rootId, taken);
}

async function takeIn(
  { db, settings }: TrashFindParts,
  rootId: string,
  noted: readonly Noted[],
  before: { files: number; bytes: number },
): Promise<{ files: number; bytes: number }> {
  const members = new Set((await approvedNodes(db)).map(({ id }) => id));
  const attempts = await knownAttempts(db, [...new Set(noted.map((one) => one.note.attempt))]);
  const alive = new Set(attempts.filter((one) => one.alive).map((one) => one.id));
  const taken = { ...before };
  // of a replacement that is not over the books hear from its keeper
  for (const { trashPath, note } of noted.filter((one) => !alive.has(one.note.attempt))) {
    const places = [note.path, ...(note.replacedBy ? [note.replacedBy.path] : [])];
    const file = await fileInPlace(db, rootId, places, note.replacedBy?.hash ?? null);
    const stays = staysFor({ inPlace: note.inPlace || file !== null, node: note.node, members });
    const id = await addFound(db, {
      ...{ rootId, trashPath, path: note.path, fileId: file?.id ?? null },
      title: file?.title ?? path.posix.basename(note.path),
      fingerprint: note.fingerprint as Fingerprint,
      found: { since: note.since, kind: note.kind, replacedBy: note.replacedBy?.path ?? null, stays },
      retentionSeconds: Math.round(settings()['trash.keepDays'] * 86_400),
    });
    if (id === null) continue;
    taken.files++;
    taken.bytes += note.fingerprint.sizeBytes;
  }
  return taken;
}

async function tell({ db, events }: TrashFindParts, rootId: string, taken: { files: number; bytes: number }): Promise<void> {
  const libraries = (await listLibraries(db)).filter((library) => library.rootId === rootId);
  const params = { libraries: libraries.map((l) => l.name).join(', '), count: taken.files, bytes: taken.bytes };
  await addActivity(db, { kind: 'trash-found', severity: 1, libraryId: libraries[0]?.id ?? null, params });
  events.emit('activity.added', { kind: 'trash-found', severity: 1 });
  events.emit('cleanup.changed', { rootId });
}

async function ask<O extends 'trash-listed' | 'trash-found'>(
  { mesh }: TrashFindParts,
  keeper: string,
  wanted: O,
  body: ProtocolRequest<'inspect'>,
  signal: AbortSignal,
): Promise<InspectAnswer<O>> {
  const answer = await mesh.request(keeper, 'inspect', body, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) });
  if (answer.op === wanted) return answer as InspectAnswer<O>;
  throw new Error(`the keeper answered ${answer.op}`);
}
