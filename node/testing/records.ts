import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import type { Fingerprint, Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import type { Reason } from '../core/reasons.ts';
import { claim, type ClaimedJob, type HeadWish } from '../db/claims.ts';
import { enqueue, type NewJob } from '../db/jobs.ts';
import { addLibrary } from '../db/libraries.ts';
import { saveInspected, upsertListed } from '../db/media-files.ts';
import { upsertNode } from '../db/nodes.ts';
import { listNodeRoots, setNodeRoots, setProved, upsertRoot } from '../db/roots.ts';
import type { Queryable } from '../db/connect.ts';
import { aVideoStream } from './video-stream.ts';

/** Rows for tests: a node that can do everything, a library it keeps, inspected files, waiting jobs. */
export const testNode = 'node-a';

export async function aNode(q: Queryable, id = testNode): Promise<string> {
  await upsertNode(
    q,
    {
      id,
      name: id,
      version: '0.1.0',
      platform: 'linux-x64',
      slots: 2,
      classes: [0, 1, 2],
      encoders: [],
      hardware: {},
      address: null,
      tempBytes: 1e12,
      clockMs: 0,
      utcOffset: 0,
    },
    'approved',
  );
  return id;
}

/** A library under a new root that the node can write to. */
export async function aLibrary(q: Queryable, name = 'Films', nodeId = testNode): Promise<{ id: number; rootId: string }> {
  const rootId = randomUUID();
  await aNode(q, nodeId);
  await upsertRoot(q, rootId);
  const others = (await listNodeRoots(q, nodeId)).map((r) => ({ root: r.rootId, path: r.path, writable: r.writable, problem: r.problem }));
  await setNodeRoots(q, nodeId, [...others, { root: rootId, path: `/films/${rootId}`, writable: true, problem: null }]);
  await q.query(`update node_roots set proved_at = now() where node_id = $1`, [nodeId]);
  await setProved(q, nodeId, rootId);
  const { library } = await addLibrary(q, { name, rootId, folder: '', profile: defaultProfile });
  return { id: library.id, rootId };
}

export const because = (code: string): Reason => ({ code }) as Reason;

export function aFingerprint(seed: string, sizeBytes = 1_000_000): Fingerprint {
  return { sizeBytes, mtimeMs: 1_700_000_000_000, inode: '42', links: 1, hash: createHash('sha256').update(seed).digest('hex') };
}

export function aProbe(codec = 'h264'): Probe {
  return {
    container: 'matroska',
    formatName: 'matroska,webm',
    durationMs: 60_000,
    sizeBytes: 1_000_000,
    bitrate: 133_333,
    startMs: 0,
    streams: [aVideoStream({ codec })],
    chapters: [],
    tags: {},
    warnings: [],
    probedBy: '5.1.9',
  };
}

export function aPlan(): WorkPlan {
  return {
    action: 'transcode',
    reason: because('transcode'),
    container: 'matroska',
    extension: '.mkv',
    streams: [{ index: 0, kind: 'video', action: 'encode', codec: 'hevc', note: null }],
    dropped: [],
    video: { bitDepth: 10, deinterlace: false },
    expectedBytes: 400_000,
  };
}

/** Inspected files, named film-00001.mkv and so on; returns their ids in that order. */
export async function someFiles(q: Queryable, libraryId: number, count: number, prefix = 'film'): Promise<number[]> {
  const names = Array.from({ length: count }, (_, i) => `${prefix}-${String(i + 1).padStart(5, '0')}.mkv`);
  const listed = names.map((path) => ({
    path,
    title: path.slice(0, -4),
    detail: '',
    sizeBytes: 1_000_000,
    mtimeMs: 1_700_000_000_000,
    inode: '42',
    links: 1,
    status: 'new' as const,
    reason: null,
  }));
  const written = await upsertListed(q, libraryId, listed, because('changed'));
  const idOf = new Map(written.map((w) => [w.path, w.id]));
  const ids = names.map((name) => idOf.get(name)!);
  await saveInspected(
    q,
    ids.map((id, i) => ({
      id,
      fingerprint: aFingerprint(`${libraryId}/${names[i]}`),
      probe: aProbe(),
      status: 'new',
      reason: null,
      expectedBytes: 400_000,
    })),
  );
  return ids;
}

export function aJob(fileId: number, change: Partial<NewJob> = {}): NewJob {
  return {
    fileId,
    class: 1,
    priority: 1,
    rank: -600_000,
    plan: aPlan(),
    profile: defaultProfile,
    inputBytes: 1_000_000,
    expectedBytes: 400_000,
    ...change,
  };
}

/** Files with a waiting job each; returns the jobs' ids in the order of the files. */
export async function someJobs(
  q: Queryable,
  libraryId: number,
  count: number,
  change: Partial<NewJob> = {},
  prefix = 'film',
): Promise<{ jobId: number; fileId: number }[]> {
  const files = await someFiles(q, libraryId, count, prefix);
  const made = await enqueue(
    q,
    files.map((id) => aJob(id, change)),
  );
  return made.toSorted((a, b) => a.fileId - b.fileId);
}

/** What the node of the tests wishes when it asks for work. */
export function aWish(change: Partial<HeadWish> = {}): HeadWish {
  return { node: testNode, classes: [0, 1, 2], term: 1, leaseSeconds: 60, keepers: [testNode], ...change };
}

/** The next waiting job, claimed. */
export async function claimed(q: Queryable, change: Partial<HeadWish> = {}): Promise<ClaimedJob> {
  const job = await claim(q, aWish(change));
  assert.ok(job, 'there is a job to claim');
  return job;
}
