import * as v from 'valibot';
import { countsByState } from '../../db/counters.ts';
import { runningJobs } from '../../db/job-lists.ts';
import { libraryOverview } from '../../db/libraries.ts';
import { totals } from '../../db/stats.ts';
import type { Web } from '../web.ts';
import { bytes } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { jobAnswer, jobJson } from './job-answer.ts';
import { sentence } from '../../core/reasons.ts';

const statusAnswer = v.strictObject({
  node: v.strictObject({ id: v.string(), name: v.string(), version: v.string() }),
  paused: v.boolean(),
  jobs: v.strictObject({
    waiting: v.number(),
    running: v.number(),
    held: v.number(),
    failed: v.number(),
    finished: v.number(),
    cancelled: v.number(),
  }),
  reclaimedBytes: bytes,
  replaced: v.number(),
  kept: v.number(),
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
    does: 'How things stand, in one answer: what waits, what runs with its progress, what was won.',
    answer: statusAnswer,
    run: ({ web }) => status(web),
  }),
];

async function status(web: Web) {
  const [jobs, running, sums, overview] = await Promise.all([
    countsByState(web.db),
    runningJobs(web.db),
    totals(web.db),
    libraryOverview(web.db),
  ]);
  return {
    node: web.node,
    paused: web.settings()['queue.paused'] === true,
    jobs: {
      waiting: jobs.available,
      running: jobs.running,
      held: jobs.held,
      failed: jobs.failed,
      finished: jobs.completed,
      cancelled: jobs.cancelled,
    },
    reclaimedBytes: Math.max(0, sums.bytesIn - sums.bytesOut),
    replaced: sums.replaced,
    kept: sums.kept,
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
