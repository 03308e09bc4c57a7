import { clusterKeys, specOf } from '../../config/schema.ts';
import { overriddenBy } from '../../config/load.ts';
import type { Progress } from '../../events.ts';
import { priorities } from '../../core/job.ts';
import { sentence } from '../../core/reasons.ts';
import { countsByState } from '../../db/counters.ts';
import {
  listCancelled,
  listFailed,
  listFinished,
  listHeld,
  listHistory,
  listWaiting,
  readJob,
  readJobRow,
  runningJobs,
  type JobRow,
} from '../../db/job-lists.ts';
import { libraryOverview, readLibrary } from '../../db/libraries.ts';
import type { Page } from '../../db/page.ts';
import { readSettings } from '../../db/settings.ts';
import { objectionsTo } from '../auth/objections.ts';
import { totals } from '../../db/stats.ts';
import { PlainError } from '../../errors.ts';
import { explain, refuse } from '../errors.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import type * as v from 'valibot';
import { adminRoutes } from './admin.ts';
import { cleanupRoutes } from './cleanups.ts';
import { fileRoutes } from './files.ts';
import { forecastRoutes } from './forecasts.ts';
import { libraryRoutes } from './libraries.ts';
import { nodeRoutes } from './nodes.ts';
import { sourceRoutes } from './sources.ts';
import { reasonJson } from './reason-json.ts';
import {
  ApiProblem,
  bodyAs,
  clearBody,
  jobsQuery,
  nothingBody,
  pathId,
  priorityBody,
  queryAs,
  scanBody,
  settingsBody,
  type ApiContext,
} from './v1.ts';

const base = '/api/v1';

/** The routes of the API; what each takes and gives is written at the top of v1.ts. */
export const apiRoutes: PageModule = (app, web) => {
  const get = (path: string, answer: (c: ApiContext) => Promise<Response>): void =>
    void app.get(base + path, (c) => guarded(c, web, answer));
  const post = (path: string, answer: (c: ApiContext) => Promise<Response>): void =>
    void app.post(base + path, (c) => guarded(c, web, answer));

  get('/status', async (c) => c.json(await status(web)));
  post('/pause', async (c) => (await bodyAs(c, nothingBody), await web.commands.pauseAll(c.get('actor')), c.json({ paused: true })));
  post('/resume', async (c) => (await bodyAs(c, nothingBody), await web.commands.resumeAll(c.get('actor')), c.json({ paused: false })));
  post('/clear', async (c) => (await bodyAs(c, clearBody), c.json({ removed: await web.commands.clearQueue(c.get('actor')) })));
  post('/scan', async (c) => {
    const { library } = await bodyAs(c, scanBody);
    return c.json({ started: await web.commands.scan(library ?? null, c.get('actor')) }, 202);
  });

  for (const enabled of [true, false])
    post(`/libraries/:id/${enabled ? 'start' : 'stop'}`, async (c) => {
      const id = pathId(c, 'library');
      await bodyAs(c, nothingBody);
      if (!(await readLibrary(web.db, id))) throw refuse('not-found', `There is no library ${id}.`);
      await web.commands.changeLibrary(id, { enabled }, c.get('actor'));
      return c.json({ id, enabled });
    });

  get('/jobs', async (c) => {
    const page = await jobs(web, queryAs(c, jobsQuery));
    return c.json({ items: page.rows.map((row) => jobJson(row, web.live.progressOf(row.id))), before: page.before, after: page.after });
  });
  get('/jobs/:id', async (c) => c.json(await jobDetail(web, pathId(c, 'job'))));
  jobActions(post, web);
  fileRoutes(get, post, web);
  forecastRoutes(get, post, web);
  libraryRoutes(get, post, web);
  nodeRoutes(get, post, web);
  cleanupRoutes(get, post, web);
  adminRoutes(post, web);
  sourceRoutes(get, post, web);

  get('/settings', async (c) => c.json({ items: await settings(web) }));
  post('/settings', async (c) => {
    const { changes } = await bodyAs(c, settingsBody);
    const wished = changes.map((change) => ({ ...change, value: change.value ?? null }));
    const objections = await objectionsTo(c as Ctx, web, wished);
    const problems = objections.length > 0 ? objections : await web.commands.saveSettings(wished, c.get('actor'));
    if (problems.length === 0) return c.json({ saved: changes.length });
    const conflict = problems.some((p) => 'current' in p);
    return c.json(
      {
        error: {
          status: conflict ? 409 : 422,
          code: conflict ? 'changed-meanwhile' : 'invalid-input',
          message: problems.map((p) => `${p.key} ${p.problem}`).join('; '),
          problems: problems.map((p) => ({ path: p.key, problem: p.problem, ...('current' in p ? { current: p.current } : {}) })),
        },
      },
      conflict ? 409 : 422,
    );
  });

  app.all(`${base}/*`, (c) =>
    guarded(c, web, async () => {
      throw refuse('not-found', `There is no ${c.req.method} ${c.req.path.slice(0, 200)} in this API.`);
    }),
  );
};

function jobActions(post: (path: string, answer: (c: ApiContext) => Promise<Response>) => void, web: Web): void {
  const act = (name: string, run: (id: number, c: ApiContext) => Promise<object>): void =>
    post(`/jobs/:id/${name}`, async (c) => {
      const id = pathId(c, 'job');
      if (name !== 'priority') await bodyAs(c, nothingBody);
      // a command about a job that never was must not look as if it had been obeyed
      if (!(await readJobRow(web.db, id))) throw refuse('not-found', `There is no job ${id}.`);
      return c.json(await run(id, c));
    });
  const { commands } = web;
  act('cancel', async (id, c) => (await commands.cancelJob(id, c.get('actor')), { id }));
  act('pause', async (id, c) => (await commands.pauseJob(id, c.get('actor')), { id }));
  act('resume', async (id, c) => (await commands.resumeJob(id, c.get('actor')), { id }));
  act('retry', async (id, c) => ({ id: await commands.retryJob(id, c.get('actor')) }));
  act('top', async (id, c) => ({ id, changed: await commands.moveJobs({ ids: [id] }, 'top', c.get('actor')) }));
  act('end', async (id, c) => ({ id, changed: await commands.moveJobs({ ids: [id] }, 'end', c.get('actor')) }));
  act('priority', async (id, c) => ({
    id,
    changed: await commands.prioritise({ ids: [id] }, (await bodyAs(c, priorityBody)).priority, c.get('actor')),
  }));
}

/** Every error of the API is JSON with a code that a script can tell apart and a sentence that a person can read. */
async function guarded(c: ApiContext, web: Web, answer: (c: ApiContext) => Promise<Response>): Promise<Response> {
  try {
    return await answer(c);
  } catch (error) {
    const requestId = c.get('requestId');
    if (error instanceof ApiProblem)
      return c.json(
        {
          error: {
            status: error.status,
            code: error.code,
            message: error.message,
            ...(error.problems.length ? { problems: error.problems } : {}),
            requestId,
          },
        },
        error.status,
      );
    const told = explain(error, requestId);
    if (told.status >= 500) web.log.error({ err: error, requestId, path: c.req.path }, 'an API request failed');
    const code =
      told.status === 404
        ? 'not-found'
        : told.status === 503
          ? 'database-away'
          : error instanceof PlainError
            ? (error.reason?.code ?? 'refused')
            : 'broken';
    return c.json({ error: { status: told.status, code, message: told.message, todo: told.todo, requestId } }, told.status as 500);
  }
}

async function status(web: Web): Promise<object> {
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

async function jobs(web: Web, query: v.InferOutput<typeof jobsQuery>): Promise<Page<JobRow>> {
  const filter = {
    libraryId: query.library ?? null,
    search: query.q?.trim() || null,
    codec: query.format ?? null,
    priority: query.priority ?? null,
  };
  const wish = { after: query.after ?? null, before: query.before ?? null, size: query.limit };
  switch (query.state) {
    case 'waiting':
      return listWaiting(web.db, filter, wish);
    case 'running':
      return {
        rows: (await runningJobs(web.db)).filter(
          (row) => (filter.libraryId ?? row.libraryId) === row.libraryId && (filter.codec ?? row.codec) === row.codec,
        ),
        before: null,
        after: null,
      };
    case 'held':
      return listHeld(web.db, filter, wish);
    case 'failed':
      return listFailed(web.db, filter, wish);
    case 'finished':
      return listFinished(web.db, filter, wish);
    case 'cancelled':
      return listCancelled(web.db, filter, wish);
    case 'history':
      return listHistory(web.db, filter, wish);
  }
}

async function jobDetail(web: Web, id: number): Promise<object> {
  const job = await readJob(web.db, id);
  if (!job) throw refuse('not-found', `There is no job ${id}.`);
  const { file: _file, attempts, plan, profile, ...row } = job;
  return {
    ...jobJson(row, web.live.progressOf(id)),
    plan,
    profile,
    attempts: attempts.map(({ term: _term, outputProbe: _probe, stats: _stats, ...attempt }) => ({
      ...attempt,
      reason: reasonJson(attempt.reason),
    })),
  };
}

function jobJson(job: JobRow, progress: Progress | null): object {
  const { class: _class, rank: _rank, leaseUntil: _lease, attemptId: _attempt, priority, reason, planReason, ...rest } = job;
  const live =
    progress && job.state === 'running'
      ? {
          phase: progress.phase,
          percent: progress.percent,
          fps: progress.fps,
          speed: progress.speed,
          leftMs: progress.leftMs,
          heldBack: reasonJson(progress.why ?? null),
        }
      : null;
  return { ...rest, priority: priorities[priority] ?? 'normal', reason: reasonJson(reason), why: reasonJson(planReason), progress: live };
}

async function settings(web: Web): Promise<object[]> {
  const stored = new Map((await readSettings(web.db)).map((row) => [row.key, row]));
  const effective = web.settings();
  return clusterKeys.map((key) => {
    const { label, help, type, unit } = specOf(key);
    return {
      key,
      label,
      help,
      type,
      unit: unit ?? null,
      default: specOf(key).default,
      value: effective[key] ?? specOf(key).default,
      version: stored.get(key)?.version ?? 0,
      override: overriddenBy(key),
    };
  });
}
