import { priorities } from '../../core/job.ts';
import { activityForJob } from '../../db/activity.ts';
import { readJob, readJobRow, type JobDetail } from '../../db/job-lists.ts';
import { listNodes } from '../../db/nodes.ts';
import { originalOfAttempt, readOriginal, type Original } from '../../db/originals.ts';
import { lastPictures } from '../../db/pictures.ts';
import { messagesOfJob } from '../../db/source-messages.ts';
import { schedulingFactsFor } from '../../db/schedule-facts.ts';
import { refuse } from '../errors.ts';
import { jobPage, type JobPage } from '../models/job-page.ts';
import { whereView, type WhereView } from '../models/job-where.ts';
import { liveNumbers } from '../models/queue-page.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';

/** One job with everything about it, and what a person can do with it. Every action states the wish, so twice does no harm. */
export const jobPages: PageModule = (app, web) => {
  app.get('/jobs/:id', async (c) => {
    const page = await readJobPage(web, jobId(c));
    return web.page(c, {
      title: [page.title, page.detail].filter(Boolean).join(' '),
      section: 'queue',
      view: 'jobs/show',
      model: page,
      live: { view: 'job', query: { id: page.id } },
    });
  });

  const actions: Record<string, (id: number, c: Ctx) => Promise<string>> = {
    pause: async (id, c) => (await web.commands.pauseJob(id, c.get('actor')), 'Paused. It goes on where it was when you resume it.'),
    resume: async (id, c) => (await web.commands.resumeJob(id, c.get('actor')), 'Going on.'),
    cancel: async (id, c) => {
      const running = (await readJobRow(web.db, id))?.state === 'running';
      await web.commands.cancelJob(id, c.get('actor'));
      return running ? 'It is being stopped. The original is untouched.' : 'Taken out of the queue. The original is untouched.';
    },
    top: async (id, c) => (await web.commands.moveJobs({ ids: [id] }, 'top', c.get('actor')), 'Moved to the top.'),
    end: async (id, c) => (await web.commands.moveJobs({ ids: [id] }, 'end', c.get('actor')), 'Moved to the end.'),
  };
  for (const [name, action] of Object.entries(actions)) {
    app.post(`/jobs/:id/${name}`, (c) => web.act(c, () => action(jobId(c), c)));
  }
  app.post('/jobs/:id/retry', async (c) => {
    const id = jobId(c);
    // on the old job's own page the new job is what a person wants to see; a list stays where it is
    const fromItsPage = (await readForm(c)).get('back') === url.job(id);
    let again = id;
    return web.act(
      c,
      async () => {
        again = await web.commands.retryJob(id, c.get('actor'));
        return 'The file was looked at again and is in the queue.';
      },
      { to: () => (fromItsPage ? url.job(again) : null) },
    );
  });
  app.post('/jobs/:id/priority/:priority', (c) =>
    web.act(c, async () => {
      const priority = priorities.find((p) => p === c.req.param('priority'));
      if (!priority) throw refuse('not-found', 'There is no such priority.');
      await web.commands.prioritise({ ids: [jobId(c)] }, priority, c.get('actor'));
      return `Now ${priority} priority.`;
    }),
  );
  app.post('/jobs/:id/restore', (c) =>
    web.act(c, async () => {
      const id = jobId(c);
      const original = await originalToRestore(web, id, idFrom((await readForm(c)).get('original') ?? undefined));
      await web.commands.restore(original.id, c.get('actor'));
      return 'The original is being put back.';
    }),
  );
  app.post('/jobs/:id/accept', (c) =>
    web.act(c, async () => {
      const id = jobId(c);
      const original = await originalToRestore(web, id, idFrom((await readForm(c)).get('original') ?? undefined));
      await web.commands.acceptCopy(original.id, c.get('actor'));
      return 'The new file stays. Its original goes when its time in the trash is over.';
    }),
  );

  const region =
    (view: string) =>
    async (params: URLSearchParams): Promise<string> => {
      const id = idFrom(params.get('id') ?? undefined);
      return id === null ? '' : web.views.render(view, await readJobPage(web, id));
    };
  const concerns = (_type: string, event: object, params: URLSearchParams): boolean =>
    !('jobId' in event) || String(event.jobId) === params.get('id');
  const on = ['job.changed', 'settings.changed'] as const;
  // progress comes every second; the words change only when it comes from another phase, or stands still for another reason
  const phases = new Map<string, string>();
  const movesOn = (type: string, event: object, params: URLSearchParams): boolean => {
    if (!concerns(type, event, params)) return false;
    if (!('phase' in event)) return true;
    const id = params.get('id') ?? '';
    const phase = `${event.phase} ${'why' in event ? JSON.stringify(event.why) : ''}`;
    const same = phases.get(id) === phase;
    if (phases.size > 500) phases.clear();
    phases.set(id, phase);
    return !same;
  };
  web.live.register('job', {
    params: ['id'],
    regions: {
      'job-state': { on: [...on, 'job.progressed'], when: movesOn, render: region('jobs/_state') },
      'job-steps': { on, when: concerns, render: region('jobs/_steps') },
      'job-facts': { on, when: concerns, render: region('jobs/_facts') },
      'job-frames': { on, when: concerns, render: region('jobs/_frames') },
      'job-more': { on, when: concerns, render: region('jobs/_more') },
      'job-side': { on, when: concerns, render: region('jobs/_side') },
      'job-servers': {
        on: [...on, 'source.changed'],
        when: (type, event, params) => type === 'source.changed' || concerns(type, event, params),
        everyMs: 2000,
        render: region('jobs/_servers'),
      },
      'job-where': {
        on: ['job.changed', 'node.changed', 'settings.changed'],
        everyMs: 3000,
        render: async (params) => {
          const id = idFrom(params.get('id') ?? undefined);
          const job = id === null ? null : await readJobRow(web.db, id);
          return job ? web.views.render('jobs/_where', await readWhere(web, job)) : '';
        },
      },
    },
    tick: (running, params) =>
      running
        .filter((p) => String(p.jobId) === params.get('id'))
        .map((p) => ({
          target: `job-${p.jobId}-live`,
          swap: 'innerMorph',
          html: web.views.render('jobs/_progress', { progress: liveNumbers(p, web.barcodes.of(p.jobId)) }),
        })),
  });
};

function jobId(c: Ctx): number {
  const id = idFrom(c.req.param('id'));
  if (id === null) throw refuse('not-found', 'There is no such job.');
  return id;
}

async function readJobPage(web: Web, id: number): Promise<JobPage> {
  const job = await readJob(web.db, id);
  if (!job) throw refuse('not-found', `There is no job ${id}. It may have gone with its library.`);
  const [original, activity, messages, nodes, where, pictures] = await Promise.all([
    originalOf(web, job),
    activityForJob(web.db, id),
    messagesOfJob(web.db, id),
    listNodes(web.db),
    readWhere(web, job),
    lastPictures(web.db, id),
    web.barcodes.learn([job]),
  ]);
  return jobPage({
    job,
    original,
    activity,
    messages,
    progress: web.live.progressOf(id),
    nodeNames: new Map(nodes.map((n) => [n.id, n.name])),
    queuePaused: web.settings()['queue.paused'] === true,
    ...where,
    pictures,
    strip: web.barcodes.of(id),
    now: web.now(),
  });
}

/** Only what waits is asked about: anything else runs somewhere, or is over. */
export async function readWhere(web: Web, job: { id: number; state: string }): Promise<WhereView> {
  if (job.state !== 'available') return { where: [] };
  const settings = web.settings();
  const number = (key: string): number => (typeof settings[key] === 'number' ? settings[key] : 0);
  const limits = { slots: number('jobs.atOnce'), mbps: number('network.mbps'), minFreeBytes: number('jobs.minFreeGb') * 1e9 };
  return whereView(await schedulingFactsFor(web.db, job.id, limits, web.now().getTime()));
}

async function originalOf(web: Web, job: JobDetail): Promise<Original | null> {
  const winner = job.attempts.find((a) => a.state === 'succeeded');
  return winner ? originalOfAttempt(web.db, winner.id) : null;
}

/** The original that the form names, or that of the job; never one of another job. */
async function originalToRestore(web: Web, jobId: number, wanted: number | null): Promise<Original> {
  const job = await readJob(web.db, jobId);
  const original = wanted === null ? job && (await originalOf(web, job)) : await readOriginal(web.db, wanted);
  if (!original || original.jobId !== jobId || original.state !== 'kept')
    throw refuse('not-found', 'Its original is no longer in the trash.');
  return original;
}
