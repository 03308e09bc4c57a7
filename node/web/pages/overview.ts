import { setCookie } from 'hono/cookie';
import { runningJobs } from '../../db/job-lists.ts';
import { listLibraries } from '../../db/libraries.ts';
import { listSources } from '../../db/sources.ts';
import type { EventMap, Progress } from '../../events.ts';
import { typedToStart } from '../../program.ts';
import { refuse } from '../errors.ts';
import { runningNow, type RunningFacts } from '../models/running.ts';
import type { PageModule, Web } from '../web.ts';
import { readMachines } from './library-read.ts';
import { readFinished, readHero, readLook, readNext, readNodes, readOverview, readRunning, together } from './overview-read.ts';

/** The first page: is it working, what is it doing, how much did I win, when is it finished. */
export const overviewPages: PageModule = (app, web) => {
  registerLive(web);

  app.get('/', async (c) => {
    const libraries = await listLibraries(web.db);
    const live = { view: 'overview' };
    if (libraries.length === 0)
      return web.page(c, {
        title: 'Overview',
        section: 'overview',
        view: 'overview/welcome',
        model: { path: '', problem: '', machines: await readMachines(web), servers: await listSources(web.db), start: typedToStart },
        live: { view: 'welcome' },
      });
    return web.page(c, { title: 'Overview', section: 'overview', view: 'overview/index', model: await readOverview(web), live });
  });

  app.post('/pause', (c) =>
    web.act(c, async () => {
      await web.commands.pauseAll(c.get('actor'));
      return 'Paused. Running jobs finish, no new one begins.';
    }),
  );
  app.post('/resume', (c) =>
    web.act(c, async () => {
      await web.commands.resumeAll(c.get('actor'));
      return 'Going on.';
    }),
  );
  app.post('/scan', (c) =>
    web.act(c, async () => {
      const started = await web.commands.scan(null, c.get('actor'));
      return started === 0
        ? 'Already looking through every library.'
        : started === 1
          ? 'Looking through one library.'
          : `Looking through ${started} libraries.`;
    }),
  );
  app.post('/theme', async (c) => {
    const theme = (await c.req.parseBody())['theme'];
    if (theme !== 'light' && theme !== 'dark' && theme !== 'system') throw refuse('not-found', 'There is no such colour scheme.');
    return web.act(c, async () =>
      setCookie(c, 'codecshift_theme', theme, { path: '/', sameSite: 'Lax', httpOnly: true, maxAge: 400 * 86_400 }),
    );
  });
};

function registerLive(web: Web): void {
  const jobs: (keyof EventMap)[] = ['job.changed', 'queue.changed'];
  const files: (keyof EventMap)[] = [...jobs, 'library.changed', 'scan.progressed'];
  /** what the last rendering of the list showed, for the numbers that come every second */
  let shown = new Map<number, RunningFacts>();

  web.live.register('overview', {
    regions: {
      hero: { on: files, everyMs: 5000, render: async () => web.views.render('overview/_hero', await readHero(web)) },
      running: {
        on: [...files, 'settings.changed'],
        render: async () => {
          const rows = await runningJobs(web.db);
          shown = new Map(rows.map((row) => [row.id, row]));
          return web.views.render('overview/_running', await readRunning(web, rows));
        },
      },
      next: { on: files, everyMs: 2000, render: async () => web.views.render('overview/_next', await readNext(web)) },
      look: {
        on: ['job.changed', 'library.changed', 'node.changed', 'activity.added', 'source.changed'],
        everyMs: 2000,
        render: async () => web.views.render('overview/_look', await readLook(web)),
      },
      nodes: {
        on: ['node.changed', 'job.changed', 'coordinator.changed'],
        everyMs: 2000,
        render: async () => web.views.render('overview/_nodes', await readNodes(web)),
      },
      finished: { on: jobs, render: async () => web.views.render('overview/_finished', await readFinished(web)) },
    },
    tick: (running) => [
      ...running.flatMap((progress) => {
        const facts = shown.get(progress.jobId);
        return facts ? jobPartials(web, facts, progress) : [];
      }),
      { target: 'together', swap: 'innerMorph' as const, html: together(running.filter((p) => shown.has(p.jobId))) },
    ],
  });
  // The first library makes the page another one: the stream of the empty page says so by loading it again.
  web.live.register('welcome', {
    regions: {
      welcome: {
        on: ['library.changed'],
        render: async () => ((await listLibraries(web.db)).length > 0 ? web.views.render('overview/_begun', {}) : ''),
      },
    },
  });
}

/** The three places of a running job that move. */
function jobPartials(web: Pick<Web, 'views' | 'barcodes'>, facts: RunningFacts, progress: Progress) {
  const now = { ...runningNow(facts, progress), strip: web.barcodes.of(facts.id) };
  return [
    { target: `job-${facts.id}-now`, swap: 'innerMorph' as const, html: web.views.render('shared/_job-now', { now }) },
    { target: `job-${facts.id}-bar`, swap: 'innerMorph' as const, html: web.views.render('shared/_job-bar', { now }) },
    { target: `job-${facts.id}-rate`, swap: 'innerMorph' as const, html: web.views.render('shared/_job-rate', { now }) },
  ];
}
