import type { LogsPage } from '../models/access.ts';
import { logQuery, logsView, readLevels } from '../models/logs.ts';
import { editableGroups } from '../models/settings.ts';
import { refuse } from '../errors.ts';
import { url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { readForm } from './form.ts';

/** The log of the machine that coordinates. The other machines show theirs at `/node/logs` themselves. */
export const logPages: PageModule = (app, web) => {
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

/** @throws PlainError or the signal's reason */
export async function bundleAnswer(web: Web, names: boolean, signal: AbortSignal): Promise<Response> {
  if (!web.supportBundle) throw refuse('not-found', 'No support bundle is made here.');
  const bytes = await web.supportBundle({ names }, signal);
  const name = `codecshift-support-${web.now().toISOString().slice(0, 10)}.tar.gz`;
  return new Response(Buffer.from(bytes), {
    headers: { 'Content-Type': 'application/gzip', 'Content-Disposition': `attachment; filename="${name}"`, 'Cache-Control': 'no-store' },
  });
}

function show(c: Ctx, web: Web, form: { typed?: string; problem?: string }): Promise<Response> {
  const query = logQuery((name) => c.req.query(name));
  const model: LogsPage = {
    groups: editableGroups(),
    group: 'logs',
    logs: logsView(bookOf(web), query, { nodeName: web.node.name, href: url.logs, ...form }),
    listHref: url.logs(),
    levelsHref: url.logLevels(),
    bundle: web.supportBundle !== undefined,
  };
  const status = form.problem ? 422 : 200;
  return web.page(c, { title: 'Log', section: 'settings', view: 'logs/index', model, live: { view: 'shell', refresh: false }, status });
}

function bookOf(web: Web): NonNullable<Web['logs']> {
  if (!web.logs) throw refuse('not-found', 'This machine keeps no lines of its log.');
  return web.logs;
}
