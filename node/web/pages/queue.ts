import { randomBytes } from 'node:crypto';
import type { JobSelection, QueueFilter } from '../../core/commands.ts';
import { priorities } from '../../core/job.ts';
import { countsByState } from '../../db/counters.ts';
import { listFiles } from '../../db/file-lists.ts';
import { countWaiting, lastJobsOf } from '../../db/job-lists.ts';
import { fileCounts, listLibraries, type FileCount } from '../../db/libraries.ts';
import { count, plural } from '../format.ts';
import { listJobs } from '../job-lists.ts';
import { differences } from '../models/differences.ts';
import { listQuery, readListState, type ListState } from '../models/list-state.ts';
import { liveNumbers, queueView, removeQuestion, type ConfirmView, type QueueFacts } from '../models/queue-page.ts';
import { tabLinks, tabs, tabStates, type TabLink } from '../models/queue.ts';
import { idFrom, safeBack, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { queryOf, readForm } from './form.ts';

/**
 * The queue: one list, seven tabs, its whole state in the URL. The order a person looks at never jumps: the stream
 * moves numbers and bars in place, and says how many rows of this page would change; new rows come when asked for.
 */
export const queuePages: PageModule = (app, web) => {
  const seen = createSeenPages();

  app.get('/queue', async (c) => {
    const state = readListState(queryOf(c), tabStates);
    const facts = await readQueue(web, state);
    const page = seen.remember(rowIds(facts), state, c.req.header('x-page') ?? null);
    const view = queueView({ ...facts, page });
    // the address bar gets the short form, not every empty field of the filter
    if (c.req.header('hx-request') === 'true') c.header('HX-Push-Url', view.here);
    return web.page(c, {
      title: 'Queue',
      section: 'queue',
      view: 'queue/index',
      model: view,
      live: { view: 'queue', query: { state: state.state, page }, refresh: false },
    });
  });

  app.get('/queue/clear', async (c) => {
    const jobs = await countsByState(web.db);
    return web.page(c, { title: 'Clear queue', section: 'queue', view: 'queue/confirm', model: clearQuestion(jobs.available) });
  });
  app.post('/queue/clear', (c) =>
    web.act(
      c,
      async () => {
        const n = await web.commands.clearQueue(c.get('actor'));
        return `${plural(n, 'file')} left the queue. Running files go on.`;
      },
      { back: url.queue() },
    ),
  );

  app.post('/queue/bulk', (c) => bulk(c, web));

  web.live.register('queue', {
    params: ['state', 'page'],
    regions: {
      'queue-tabs': {
        on: ['job.changed', 'queue.changed', 'library.changed'],
        everyMs: 2000,
        render: async (params) => web.views.render('queue/_tabs', { tabs: await readTabs(web, params.get('state') ?? 'waiting') }),
      },
      'queue-changes': {
        on: ['job.changed', 'queue.changed'],
        everyMs: 3000,
        render: async (params) => web.views.render('queue/_changes', await changesOf(web, seen, params.get('page'))),
      },
    },
    tick: (running) =>
      running.map((p) => ({
        target: `job-${p.jobId}-live`,
        swap: 'innerMorph' as const,
        html: web.views.render('queue/_progress', { progress: liveNumbers(p, web.barcodes.of(p.jobId)) }),
      })),
  });
};

function clearQuestion(n: number): ConfirmView {
  return {
    question: n === 0 ? 'The queue is empty' : `Take all ${plural(n, 'waiting file')} out of the queue?`,
    text: 'Running files go on. Every file stays as it is, and “Scan now” brings back those that are worth converting.',
    action: '/queue/clear',
    confirmed: '1',
    button: `Clear ${count(n)}`,
    back: url.queue(),
    hidden: [],
    typed: null,
    problem: null,
  };
}

export async function readQueue(web: Web, state: ListState): Promise<QueueFacts> {
  const [links, libraries, counts] = await Promise.all([
    readTabs(web, state.state),
    listLibraries(web.db),
    fileCounts(web.db, state.libraryId),
  ]);
  const tab = tabs.find((t) => t.state === state.state) ?? tabs[0];
  const base = {
    state,
    tabs: links,
    libraries,
    codecs: codecsOf(counts),
    progress: [],
    stripOf: web.barcodes.of,
    queuePaused: web.settings()['queue.paused'] === true,
    now: web.now(),
    page: '',
    jobs: [],
    files: [],
    before: null,
    after: null,
  };
  if (tab.of === 'files') {
    const page = await listFiles(
      web.db,
      {
        status: tab.state === 'failed' ? 'failed' : 'skipped',
        libraryId: state.libraryId,
        codec: state.codec,
        search: state.search,
        reason: state.reason,
      },
      state,
    );
    const last = new Map(
      (
        await lastJobsOf(
          web.db,
          page.rows.map((f) => f.id),
        )
      ).map((j) => [j.fileId, j.jobId]),
    );
    const names = new Map(libraries.map((l) => [l.id, l.name]));
    return {
      ...base,
      files: page.rows.map((f) => ({ ...f, libraryName: names.get(f.libraryId) ?? '', jobId: last.get(f.id) ?? null })),
      before: page.before,
      after: page.after,
    };
  }
  const page = await listJobs(web.db, tab.state, filterOf(state), state);
  if (tab.state === 'running') await web.barcodes.learn(page.rows);
  const progress = page.rows.flatMap((job) => web.live.progressOf(job.id) ?? []);
  return { ...base, jobs: page.rows, before: page.before, after: page.after, progress };
}

export function filterOf(state: ListState): QueueFilter {
  return { libraryId: state.libraryId, search: state.search, codec: state.codec, priority: state.priority };
}

async function readTabs(web: Web, current: string): Promise<TabLink[]> {
  const [jobs, files] = await Promise.all([countsByState(web.db), fileCounts(web.db)]);
  const byStatus: Record<string, number> = {};
  for (const cell of files) byStatus[cell.status] = (byStatus[cell.status] ?? 0) + cell.files;
  return tabLinks(current, jobs, byStatus);
}

function codecsOf(counts: readonly FileCount[]): string[] {
  return [...new Set(counts.filter((c) => c.files > 0 && c.codec !== '').map((c) => c.codec))].sort();
}

/** One form around the table: chosen rows, or everything that the filter of the form matches. */
async function bulk(c: Ctx, web: Web): Promise<Response> {
  const form = await readForm(c);
  const state = readListState(form, tabStates);
  const back = safeBack(form.get('back'), url.queue());
  const ids = form
    .getAll('id')
    .flatMap((text) => idFrom(text) ?? [])
    .slice(0, 1000);
  const all = form.get('scope') === 'all';
  const which: JobSelection = all ? { filter: filterOf(state) } : { ids };
  const wish = form.get('do') ?? '';
  const actor = c.get('actor');
  if (!all && ids.length === 0) return web.act(c, async () => 'No file was chosen, so nothing was changed.', { back });
  if ((wish === 'remove' || wish === 'exclude') && form.get('confirmed') !== '1') return askRemove(c, web, form, state, back, which, wish);
  return web.act(
    c,
    async () => {
      const priority = priorities.find((p) => p === wish);
      if (priority)
        return `${plural(await web.commands.prioritise(which, priority, actor), 'file')} now ${priority === 'normal' ? 'normal' : priority} priority.`;
      if (wish === 'top' || wish === 'end')
        return `${plural(await web.commands.moveJobs(which, wish, actor), 'file')} moved to the ${wish}.`;
      if (wish === 'remove' || wish === 'exclude') {
        const n = await web.commands.removeJobs(which, wish === 'exclude', actor);
        return wish === 'exclude' ? `${plural(n, 'file')} left alone from now on.` : `${plural(n, 'file')} left the queue.`;
      }
      return 'Nothing was changed.';
    },
    { back },
  );
}

async function askRemove(
  c: Ctx,
  web: Web,
  form: URLSearchParams,
  state: ListState,
  back: string,
  which: JobSelection,
  wish: string,
): Promise<Response> {
  const most = 100_000;
  const n = 'ids' in which ? which.ids.length : await countWaiting(web.db, which.filter, most);
  const library = state.libraryId === null ? null : ((await listLibraries(web.db)).find((l) => l.id === state.libraryId)?.name ?? null);
  const hidden = [...form].filter(([name]) => !['csrf', 'confirmed'].includes(name));
  const words = 'ids' in which ? { ...state, search: null, codec: null, priority: null } : state;
  const model = removeQuestion(n, n < most, words, 'ids' in which ? null : library, wish === 'exclude', '/queue/bulk', back, hidden);
  return web.page(c, { title: 'Remove from the queue', section: 'queue', view: 'queue/confirm', model });
}

interface SeenPage {
  ids: string[];
  state: ListState;
}

type SeenPages = ReturnType<typeof createSeenPages>;

/** What the last pages that were sent out showed, so that their streams can tell how much is different now. */
function createSeenPages(most = 300) {
  const pages = new Map<string, SeenPage>();
  return {
    /** `known` is the name that an open page already has: after a filter its stream looks at the new rows */
    remember(ids: string[], state: ListState, known: string | null): string {
      const token = known !== null && pages.has(known) ? known : randomBytes(9).toString('base64url');
      pages.set(token, { ids, state });
      if (pages.size > most) pages.delete(pages.keys().next().value!);
      return token;
    },
    get: (token: string | null): SeenPage | null => (token === null ? null : (pages.get(token) ?? null)),
  };
}

function rowIds(facts: QueueFacts): string[] {
  return [...facts.jobs.map((job) => `j${job.id}`), ...facts.files.map((file) => `f${file.id}`)];
}

async function changesOf(web: Web, seen: SeenPages, token: string | null): Promise<{ changes: number; href: string }> {
  const page = seen.get(token);
  if (!page) return { changes: 0, href: url.queue() };
  const now = rowIds(await readQueue(web, page.state));
  const here = url.queue(listQuery(page.state, tabStates[0]!));
  return { changes: differences(page.ids, now), href: here };
}
