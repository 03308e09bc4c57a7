import * as v from 'valibot';
import { priorities } from '../../core/job.ts';
import { readJob, readJobRow } from '../../db/job-lists.ts';
import { refuse } from '../errors.ts';
import { jobListNames, listJobs } from '../job-lists.ts';
import { readWhere } from '../pages/jobs.ts';
import type { Web } from '../web.ts';
import { done, pageOf } from './answers.ts';
import { route, type ApiRoute, type Call } from './declare.ts';
import { format, library, numberOf, oneOf, paged, search, wishOf } from './inputs.ts';
import { jobAnswer, jobDetailAnswer, jobDetailJson, jobJson } from './job-answer.ts';

const query = v.strictObject({
  state: v.optional(oneOf(jobListNames), 'waiting'),
  library,
  format,
  priority: v.optional(oneOf(priorities)),
  q: search,
  ...paged,
});

/** The queue and what came of it, file by file. */
export const jobsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/jobs',
    right: 'read',
    in: 'Queue',
    does: 'Jobs in the order in which they will be worked through, or the newest first where they are over.',
    query,
    answer: pageOf(jobAnswer),
    run: async ({ web, query }) => {
      const { library: libraryId = null, format: codec = null, priority = null, q } = query;
      const filter = { libraryId, codec, priority, search: q?.trim() || null };
      const { rows, before, after } = await listJobs(web.db, query.state, filter, wishOf(query));
      return { items: rows.map((row) => jobJson(row, web.live.progressOf(row.id))), before, after };
    },
  }),
  route({
    method: 'GET',
    path: '/jobs/:id',
    right: 'read',
    in: 'Queue',
    does: 'One job with its plan, its attempts, what was checked of them, and where it can run while it waits.',
    params: { id: numberOf('job') },
    answer: jobDetailAnswer,
    run: async ({ web, params: { id } }) => {
      const job = await readJob(web.db, id);
      if (!job) throw refuse('not-found', `There is no job ${id}.`);
      return jobDetailJson(job, web.live.progressOf(id), await readWhere(web, job));
    },
  }),
  plain('cancel', 'Takes a job out of the queue, or stops it. The original is untouched.', (web, id, by) => web.commands.cancelJob(id, by)),
  plain('pause', 'Pauses one job; a running encode stands still in place.', (web, id, by) => web.commands.pauseJob(id, by)),
  plain('resume', 'Lets a paused job go on where it was.', (web, id, by) => web.commands.resumeJob(id, by)),
  route({
    method: 'POST',
    path: '/jobs/:id/retry',
    right: 'queue',
    in: 'Queue',
    does: 'Looks at the file of a failed, cancelled or kept job again and queues it anew. Answers with the new job.',
    params: { id: numberOf('job') },
    answer: done,
    run: async (call) => ({ id: await call.web.commands.retryJob(await existing(call), call.by) }),
  }),
  ...(['top', 'end'] as const).map((where) =>
    route({
      method: 'POST',
      path: `/jobs/:id/${where}`,
      right: 'queue',
      in: 'Queue',
      does: where === 'top' ? 'Moves a waiting job to the top of the queue.' : 'Moves a waiting job to the end of the queue.',
      params: { id: numberOf('job') },
      answer: v.strictObject({ id: v.number(), changed: v.number() }),
      run: async (call) => {
        const id = await existing(call);
        return { id, changed: await call.web.commands.moveJobs({ ids: [id] }, where, call.by) };
      },
    }),
  ),
  route({
    method: 'POST',
    path: '/jobs/:id/priority',
    right: 'queue',
    in: 'Queue',
    does: 'Gives a waiting job another priority.',
    params: { id: numberOf('job') },
    body: v.strictObject({ priority: oneOf(priorities) }),
    answer: v.strictObject({ id: v.number(), changed: v.number() }),
    run: async (call) => {
      const id = await existing(call);
      return { id, changed: await call.web.commands.prioritise({ ids: [id] }, call.body.priority, call.by) };
    },
  }),
];

function plain(name: string, does: string, act: (web: Web, id: number, by: Call<never, never, never>['by']) => Promise<void>): ApiRoute {
  return route({
    method: 'POST',
    path: `/jobs/:id/${name}`,
    right: 'queue',
    in: 'Queue',
    does,
    params: { id: numberOf('job') },
    answer: done,
    run: async (call) => {
      const id = await existing(call);
      await act(call.web, id, call.by);
      return { id };
    },
  });
}

/** A command about a job that never was must not look as if it had been obeyed. */
async function existing({ web, params: { id } }: Pick<Call<{ id: number }, unknown, unknown>, 'web' | 'params'>): Promise<number> {
  if (!(await readJobRow(web.db, id))) throw refuse('not-found', `There is no job ${id}.`);
  return id;
}
