import type { LogsPage } from '../models/access.ts';
import type { SaidLine } from '../../core/commands.ts';
import { approvedNodes } from '../../db/nodes.ts';
import { PlainError } from '../../errors.ts';
import type { LogQuery } from '../../log-book.ts';
import { logQuery, logsView, readLevels, remoteLogsView } from '../models/logs.ts';
import { editableGroups } from '../models/settings.ts';
import { refuse } from '../errors.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';

/**
 * The log of the machine that coordinates, which can be followed, and the newest lines of the others. Each machine shows its own at
 * `/node/logs` too, also when nobody coordinates.
 */
export const logPages: PageModule = (app, web) => {
  followable(web);
  app.get('/logs', (c) => show(c, web, {}));
  app.post('/logs/levels', async (c) => {
    const form = await readForm(c);
    const typed = (form.get('levels') ?? '').slice(0, 300);
    const read = readLevels(typed, Number(form.get('minutes') ?? ''));
    if ('problem' in read) return show(c, web, { typed, problem: read.problem });
    return web.act(
      c,
      async () => {
        bookOf(web).setLevels(read.wish, read.forMs);
        return read.wish ? 'The log is written so for a while.' : 'The log is written as usual.';
      },
      { back: url.logs() },
    );
  });
  app.post('/logs/support-bundle', async (c) => {
    const form = await readForm(c);
    return bundleAnswer(web, form.get('names') === 'yes', c.req.raw.signal);
  });
};

/** The newest lines as they come, once a second at most; a slow browser gets the latest of them. */
function followable(web: Web): void {
  if (!web.logs) return;
  web.logs.follow(() => web.events.emit('log.grew', { lines: 'some' }));
  web.live.register('logs', {
    forAdmins: true,
    params: ['level', 'room', 'words'],
    regions: {
      'log-list': {
        on: ['log.grew'],
        everyMs: 1000,
        render: (params) => {
          const query = logQuery((name) => params.get(name) ?? undefined);
          return web.views.render('logs/_list', { logs: logsView(bookOf(web), query, { ...hereOf(web), following: true }) });
        },
      },
    },
  });
}

/** @throws PlainError or the signal's reason */
export async function bundleAnswer(web: Web, names: boolean, signal: AbortSignal): Promise<Response> {
  if (!web.supportBundle) throw refuse('not-found', 'No support bundle is made here.');
  const bytes = await web.supportBundle({ names }, signal);
  const name = `codecshift-support-${web.now().toISOString().slice(0, 10)}.tar.gz`;
  return new Response(Buffer.from(bytes), {
    headers: { 'Content-Type': 'application/gzip', 'Content-Disposition': `attachment; filename="${name}"`, 'Cache-Control': 'no-store' },
  });
}

async function show(c: Ctx, web: Web, form: { typed?: string; problem?: string }): Promise<Response> {
  const query = logQuery((name) => c.req.query(name));
  const here = logsView(bookOf(web), query, { ...hereOf(web), following: c.req.query('follow') === '1', ...form });
  const others = (await approvedNodes(web.db)).filter(({ id }) => id !== web.node.id);
  const chosen = others.find(({ id }) => id === c.req.query('machine'));
  const logs = chosen ? remoteLogsView(here, chosen, await linesOf(c, web, chosen.id, query)) : here;
  const model: LogsPage = {
    groups: editableGroups(),
    group: 'logs',
    logs: { ...logs, machines: machinesOf(web, others) },
    listHref: url.logs(),
    levelsHref: url.logLevels(),
    bundle: web.supportBundle !== undefined,
  };
  const status = form.problem ? 422 : 200;
  const { level, room, words } = query;
  const live = logs.following ? { view: 'logs', query: { level, room, words } } : { view: 'shell' };
  return web.page(c, { title: 'Log', section: 'settings', view: 'logs/index', model, live: { ...live, refresh: false }, status });
}

function hereOf(web: Web): { nodeName: string; href: typeof url.logs } {
  return { nodeName: web.node.name, href: url.logs };
}

function machinesOf(web: Web, others: readonly { id: string; name: string }[]): { value: string; label: string }[] {
  if (others.length === 0) return [];
  return [{ value: '', label: `${web.node.name} (coordinates)` }, ...others.map(({ id, name }) => ({ value: id, label: name }))];
}

/** Whatever keeps a machine from answering is a sentence on the page, and no page that fails. */
async function linesOf(c: Ctx, web: Web, nodeId: string, query: LogQuery): Promise<SaidLine[] | PlainError> {
  try {
    const wish = { nodeId, level: query.level ?? ('info' as const), room: query.room ?? null, words: query.words ?? '' };
    return await web.commands.readLog(wish, c.get('actor'));
  } catch (error) {
    return error instanceof PlainError ? error : new PlainError('The machine did not answer in time.', { cause: error });
  }
}

function bookOf(web: Web): NonNullable<Web['logs']> {
  if (!web.logs) throw refuse('not-found', 'This machine keeps no lines of its log.');
  return web.logs;
}
