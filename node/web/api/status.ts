import * as v from 'valibot';
import { sentence } from '../../core/reasons.ts';
import { readCluster } from '../../db/cluster.ts';
import { readLease } from '../../db/coordinator.ts';
import { countsByState } from '../../db/counters.ts';
import { failedSince, runningJobs, type JobRow } from '../../db/job-lists.ts';
import { fileCounts, libraryOverview } from '../../db/libraries.ts';
import { listNodes, type NodeRow } from '../../db/nodes.ts';
import { newestRuns, totals } from '../../db/stats.ts';
import { isAway } from '../models/node.ts';
import { leftMs } from '../models/overview.ts';
import type { Web } from '../web.ts';
import { bytes, maybe, maybeTime } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { jobAnswer, jobJson } from './job-answer.ts';

const named = v.strictObject({ id: v.string(), name: v.string() });

const statusAnswer = v.strictObject({
  state: v.pipe(v.picklist(['running', 'paused', 'idle']), v.description('paused: no new file is begun, running ones may still be there')),
  version: v.string(),
  cluster: v.nullable(named),
  node: v.strictObject({ id: v.string(), name: v.string(), version: v.string() }),
  paused: v.boolean(),
  queued: v.number(),
  active: v.pipe(
    v.array(
      v.strictObject({
        id: v.number(),
        title: v.string(),
        node: maybe.text,
        phase: v.string(),
        percent: maybe.number,
        etaSeconds: maybe.number,
        speed: v.pipe(maybe.number, v.description('times the speed of the film')),
      }),
    ),
    v.description('what runs, short; `running` has all of it'),
  ),
  jobs: v.strictObject({
    waiting: v.number(),
    running: v.number(),
    held: v.number(),
    failed: v.number(),
    finished: v.number(),
    cancelled: v.number(),
  }),
  failed24h: v.pipe(v.number(), v.description('1000 means so many or more')),
  reclaimedBytes: bytes,
  replaced: v.number(),
  kept: v.number(),
  doneAt: v.pipe(maybeTime, v.description('when everything that waits will be done, as the last encodes went')),
  nodes: v.strictObject({ total: v.number(), online: v.number(), paused: v.number(), pending: v.number() }),
  disk: v.pipe(
    v.array(v.strictObject({ node: v.string(), name: v.string(), freeBytes: bytes })),
    v.description('free where each machine works'),
  ),
  libraries: v.array(
    v.strictObject({
      id: v.number(),
      name: v.string(),
      files: v.number(),
      bytes,
      enabled: v.boolean(),
      looking: v.boolean(),
      problem: v.nullable(v.string()),
    }),
  ),
  running: v.array(jobAnswer),
});

export const statusApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/status',
    right: 'read',
    in: 'Status',
    does: 'How things stand, in one answer, for a home automation or a start page: what waits, what runs with its progress, what was won, which machines are there.',
    answer: statusAnswer,
    run: ({ web }) => status(web),
  }),
];

async function status(web: Web) {
  const { db } = web;
  const [jobs, running, sums, overview, failed24h, nodes, lease, cluster, cells, paces] = await Promise.all([
    countsByState(db),
    runningJobs(db),
    totals(db),
    libraryOverview(db),
    failedSince(db, 24),
    listNodes(db),
    readLease(db),
    readCluster(db),
    fileCounts(db),
    newestRuns(db),
  ]);
  // what is switched off waits for a person, not for time
  const on = new Set(overview.filter((l) => l.enabled).map((l) => l.id));
  const waits = { cells: cells.filter((cell) => on.has(cell.libraryId)), paces, finishedEver: sums.replaced + sums.kept };
  const paused = web.settings()['queue.paused'] === true;
  const members = nodes.filter((node) => node.standing === 'approved');
  const present = [web.node.id, lease.held ? lease.holder : null];
  return {
    state: paused ? ('paused' as const) : running.length > 0 ? ('running' as const) : ('idle' as const),
    version: web.node.version,
    cluster: cluster && { id: cluster.id, name: cluster.name },
    node: web.node,
    paused,
    queued: jobs.available,
    active: running.map((row) => activeJson(row, web)),
    jobs: {
      waiting: jobs.available,
      running: jobs.running,
      held: jobs.held,
      failed: jobs.failed,
      finished: jobs.completed,
      cancelled: jobs.cancelled,
    },
    failed24h,
    reclaimedBytes: Math.max(0, sums.bytesIn - sums.bytesOut),
    replaced: sums.replaced,
    kept: sums.kept,
    doneAt: dateIn(leftMs(waits), web.now()),
    nodes: {
      total: members.length,
      online: members.filter((node) => !isAway(node, present, web.now())).length,
      paused: members.filter((node) => node.paused).length,
      pending: nodes.filter((node) => node.standing === 'pending').length,
    },
    disk: members.flatMap(diskJson),
    libraries: overview.map((l) => ({
      id: l.id,
      name: l.name,
      files: l.files,
      bytes: l.bytes,
      enabled: l.enabled,
      looking: l.looking,
      problem: l.problem ? sentence(l.problem) : null,
    })),
    running: running.map((row) => jobJson(row, web.live.progressOf(row.id))),
  };
}

function activeJson(row: JobRow, web: Web) {
  const progress = web.live.progressOf(row.id);
  return {
    id: row.id,
    title: [row.title, row.detail].filter(Boolean).join(' '),
    node: row.nodeName,
    phase: progress?.phase ?? 'waiting',
    percent: progress?.percent ?? null,
    etaSeconds: typeof progress?.leftMs === 'number' ? Math.round(progress.leftMs / 1000) : null,
    speed: progress?.speed ?? null,
  };
}

function diskJson({ id, name, tempBytes }: NodeRow) {
  return tempBytes === null ? [] : [{ node: id, name, freeBytes: tempBytes }];
}

/** Beyond ten years it says nothing, and a date has an end. */
function dateIn(ms: number | null, now: Date): Date | null {
  return ms === null || ms > 3650 * 86_400_000 ? null : new Date(now.getTime() + ms);
}
