import { setCookie } from 'hono/cookie';
import { listBenched } from '../../db/benched.ts';
import { readLease } from '../../db/coordinator.ts';
import { countsByState } from '../../db/counters.ts';
import { listFinished, listHeld, listNext, runningJobs } from '../../db/job-lists.ts';
import { fileCounts, listLibraries } from '../../db/libraries.ts';
import { listNodes } from '../../db/nodes.ts';
import { listNodeRoots } from '../../db/roots.ts';
import { lastScans } from '../../db/scans.ts';
import { trashTotals } from '../../db/originals.ts';
import { badCopies } from '../../db/rechecks.ts';
import { listSources, sourceOverview } from '../../db/sources.ts';
import { lastDays, newestRuns, totals } from '../../db/stats.ts';
import type { EventMap, Progress } from '../../events.ts';
import { typedToStart } from '../../program.ts';
import { codec, codecTone, fps, resolution, saving, savingPercent, size, sizeLike, sizeParts } from '../format.ts';
import { lookItems } from '../models/look.ts';
import { isAway, nodeCard } from '../models/node.ts';
import { refusedFfmpeg } from '../models/node-ffmpeg.ts';
import { askingViews } from '../models/nodes-page.ts';
import { sum, unseenFiles } from '../models/file-cells.ts';
import {
  heroView,
  type FinishedView,
  type HeroView,
  type LookView,
  type NextView,
  type NodesView,
  type OverviewView,
  type RunningView,
} from '../models/overview.ts';
import { sourceState } from '../models/sources.ts';
import { runningJob, runningNow, type RunningFacts } from '../models/running.ts';
import { refuse } from '../errors.ts';
import { readMachines } from './library.ts';
import type { PageModule, Web } from '../web.ts';

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
    return web.page(c, { title: 'Overview', section: 'overview', view: 'overview/index', model: await overview(web), live });
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

async function overview(web: Web): Promise<OverviewView> {
  const [hero, running, next, look, nodes, finished] = await Promise.all([
    readHero(web),
    readRunning(web),
    readNext(web),
    readLook(web),
    readNodes(web),
    readFinished(web),
  ]);
  return { hasLibraries: true, hero, running, next, look, nodes, finished };
}

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

/** The three places of a running job that move; also used by the queue and job pages. */
export function jobPartials(web: Pick<Web, 'views' | 'barcodes'>, facts: RunningFacts, progress: Progress) {
  const now = { ...runningNow(facts, progress), strip: web.barcodes.of(facts.id) };
  return [
    { target: `job-${facts.id}-now`, swap: 'innerMorph' as const, html: web.views.render('shared/_job-now', { now }) },
    { target: `job-${facts.id}-bar`, swap: 'innerMorph' as const, html: web.views.render('shared/_job-bar', { now }) },
    { target: `job-${facts.id}-rate`, swap: 'innerMorph' as const, html: web.views.render('shared/_job-rate', { now }) },
  ];
}

async function readHero({ db, now }: Web): Promise<HeroView> {
  const [counted, days, paces, ever, trash, scanning, resting] = await Promise.all([
    fileCounts(db),
    lastDays(db, 30),
    newestRuns(db),
    totals(db),
    trashTotals(db),
    readScanning(db),
    readResting(db),
  ]);
  const cells = counted.map((c) => (c.status === 'queued' && resting.libraries.has(c.libraryId) ? { ...c, status: 'resting' } : c));
  return heroView({ cells, days, paces, finishedEver: ever.replaced + ever.kept, trash, scanning: scanning !== null, now: now() });
}

async function readRunning(web: Web, rows?: Awaited<ReturnType<typeof runningJobs>>): Promise<RunningView> {
  const [jobs, counts, cells, scanning, resting] = await Promise.all([
    rows ?? runningJobs(web.db),
    countsByState(web.db),
    fileCounts(web.db),
    readScanning(web.db),
    readResting(web.db),
  ]);
  await web.barcodes.learn(jobs);
  const progress = jobs.flatMap((job) => web.live.progressOf(job.id) ?? []);
  return {
    jobs: jobs.map((job) => ({ ...runningJob(job, web.live.progressOf(job.id)), strip: web.barcodes.of(job.id) })),
    together: together(progress),
    waiting: Math.max(0, counts.available - resting.files),
    resting: resting.files,
    unseen: unseenFiles(cells),
    files: sum(
      cells.filter((c) => c.status !== 'missing'),
      (c) => c.files,
    ),
    scanning,
    paused: web.settings()['queue.paused'] === true,
  };
}

/** Files that would wait if their library were switched on. */
async function readResting(db: Web['db']): Promise<{ files: number; libraries: Set<number> }> {
  const libraries = new Set((await listLibraries(db)).filter((l) => !l.enabled).map((l) => l.id));
  if (libraries.size === 0) return { files: 0, libraries };
  const cells = (await fileCounts(db)).filter((c) => c.status === 'queued' && libraries.has(c.libraryId));
  return {
    files: Math.max(
      0,
      sum(cells, (c) => c.files),
    ),
    libraries,
  };
}

async function readScanning(db: Web['db']): Promise<RunningView['scanning']> {
  const scans = (await lastScans(db)).filter((scan) => scan.state === 'running');
  return scans.length === 0 ? null : { seen: sum(scans, (s) => s.seen), inspected: sum(scans, (s) => s.inspected) };
}

function together(progress: readonly Progress[]): string {
  const encoding = progress.filter((p) => p.phase === 'encoding' && !p.paused && p.fps !== null);
  return encoding.length > 1 ? `${fps(sum(encoding, (p) => p.fps ?? 0))} together` : '';
}

const orders: Record<string, string> = {
  saving: 'biggest saving first',
  oldest: 'longest in the library first',
  smallest: 'smallest first',
};

async function readNext(web: Web): Promise<NextView> {
  const [jobs, counts, resting] = await Promise.all([listNext(web.db, 7), countsByState(web.db), readResting(web.db)]);
  return {
    waiting: Math.max(0, counts.available - resting.files),
    resting: resting.files,
    order: orders[String(web.settings()['queue.order'] ?? 'saving')] ?? '',
    jobs: jobs.map((job) => ({
      id: job.id,
      title: job.title,
      detail: job.detail,
      library: job.libraryName,
      format: [resolution(job.width, job.height), codec(job.codec)].filter(Boolean).join(' '),
      tone: codecTone(job.codec),
      size: size(job.inputBytes),
      saving: saving(job.inputBytes, job.expectedBytes),
    })),
  };
}

async function readLook({ db, now, node: self }: Web): Promise<LookView> {
  const [lease, libraries, held, counts, nodes, roots, bad, benched, sources] = await Promise.all([
    readLease(db),
    listLibraries(db),
    listHeld(db, undefined, { size: 3 }),
    countsByState(db),
    listNodes(db),
    listNodeRoots(db),
    badCopies(db),
    listBenched(db),
    sourceOverview(db),
  ]);
  const names = new Map(nodes.map((n) => [n.id, n.name]));
  // a missing disk is told once, by the name of its library
  const told = new Set(libraries.filter((l) => l.problem && l.enabled).map((l) => l.rootId));
  // a path that is only read is no fault while another machine can replace files there
  const kept = new Set(roots.filter((r) => r.writable && r.problem === null && r.provedAt !== null).map((r) => r.rootId));
  const inUse = new Set(libraries.map((l) => l.rootId).filter((root) => !told.has(root)));
  return {
    items: lookItems({
      libraries,
      held: held.rows,
      heldCount: counts.held,
      failedCount: counts.failed,
      badCopies: bad,
      benched,
      sources: sources.map((s) => ({ id: s.id, name: s.name, state: sourceState(s, now()), unconfirmed: s.unconfirmed })),
      nodes: nodes
        .filter((n) => n.standing === 'approved')
        .map((n) => ({
          name: n.name,
          away: isAway(n, [self.id, lease.held ? lease.holder : null], now()),
          draining: n.draining,
          working: n.encoders.filter((e) => e.works).length,
          tested: n.encoders.length,
          refused: refusedFfmpeg(n),
        })),
      roots: roots
        .filter((r) => inUse.has(r.rootId) && (r.problem !== null || r.writable || !kept.has(r.rootId)))
        .map((r) => ({ ...r, nodeName: names.get(r.nodeId) ?? 'a node' })),
    }),
  };
}

async function readNodes({ db, now, node: self }: Web): Promise<NodesView> {
  const [nodes, running, lease] = await Promise.all([listNodes(db), runningJobs(db), readLease(db)]);
  const leader = lease.held ? lease.holder : null;
  const busy = (id: string): number => running.filter((job) => job.nodeId === id).length;
  const members = nodes.filter((n) => n.standing === 'approved');
  return {
    pending: askingViews(nodes, now()).pending,
    nodes: members.map((node) => nodeCard(node, busy(node.id), leader === node.id, isAway(node, [self.id, leader], now()), now())),
  };
}

async function readFinished({ db }: Web): Promise<FinishedView> {
  const page = await listFinished(db, undefined, { size: 5 });
  return {
    jobs: page.rows.map((job) => {
      const kept = job.outcome !== 'replaced' || job.outputBytes === null;
      const after = job.outputBytes ?? job.inputBytes;
      return {
        id: job.id,
        title: job.title,
        detail: job.detail,
        kept,
        sizes: kept ? '' : pair(job.inputBytes, after),
        saving: job.outcome === 'restored' ? 'Restored' : kept ? 'Kept original' : savingPercent(job.inputBytes, after),
      };
    }),
  };
}

/** "22.7 → 8.9 GB": the unit once when both share it */
function pair(before: number, after: number): string {
  const unit = sizeParts(before).unit;
  const to = sizeLike(after, before);
  return to.endsWith(`\u00a0${unit}`) ? `${sizeParts(before).value} → ${to}` : `${size(before)} → ${to}`;
}
