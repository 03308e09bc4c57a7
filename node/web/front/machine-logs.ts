import type { Hono } from 'hono';
import * as v from 'valibot';
import { PlainError } from '../../errors.ts';
import { linesOf, linesQuery } from '../api/logs.ts';
import { refuse } from '../errors.ts';
import { logQuery, logsView, readLevels } from '../models/logs.ts';
import { url } from '../routes.ts';
import type { FrontCtx, FrontEnv, FrontWeb } from './app.ts';

/** `/node/logs`: the log of this very machine, also while nobody coordinates; and the same for its command line. */
export function registerMachineLogs(app: Hono<FrontEnv>, web: FrontWeb): void {
  const { parts, door } = web;

  app.get('/api/v1/node/logs', async (c) => {
    if ((await door.of(c)).may !== 'act') throw refuse('no-token', 'This needs the command line of this machine.');
    const query = v.safeParse(linesQuery, c.req.query());
    if (!query.success) {
      const [{ path, message }] = query.issues;
      throw new PlainError(`${String(path?.[0].key ?? 'The question')} ${message}.`);
    }
    return c.json(linesOf(book(), query.output));
  });
  app.post('/api/v1/node/log-levels', async (c) => {
    if (c.env.visitor?.asks !== 'cli') throw refuse('not-allowed', 'Only the command line of this machine may change that here.');
    const body = (await c.req.json().catch(() => ({}))) as { levels?: unknown; minutes?: unknown };
    const read = readLevels(String(body.levels ?? ''), Number(body.minutes ?? 30));
    if ('problem' in read) throw new PlainError(read.problem);
    book().setLevels(read.wish, read.forMs);
    return c.json(book().levels());
  });

  app.post('/api/v1/node/support-bundle', async (c) => {
    if (c.env.visitor?.asks !== 'cli') throw refuse('not-allowed', 'Only the command line of this machine may have that here.');
    if (!parts.supportBundle) throw refuse('not-found', 'No support bundle is made here.');
    const body = (await c.req.json().catch(() => ({}))) as { names?: unknown };
    const bytes = await parts.supportBundle({ names: body.names === true }, c.req.raw.signal);
    return new Response(Buffer.from(bytes), { headers: { 'Content-Type': 'application/gzip' } });
  });

  app.get('/node/logs', async (c) => {
    const now = await door.of(c);
    if (now.may === 'nothing') return c.redirect(now.reached ? url.signInPage(url.machineLogs()) : url.machineToken(), 303);
    if (now.may !== 'act') throw refuse('not-allowed');
    return show(c, {});
  });
  app.post('/node/logs', async (c) => {
    await door.mustAct(c);
    const form = await c.req.parseBody().catch(() => ({}) as Record<string, unknown>);
    const typed = String(form['levels'] ?? '').slice(0, 300);
    const read = readLevels(typed, Number(form['minutes'] ?? ''));
    if ('problem' in read) return show(c, { typed, problem: read.problem });
    book().setLevels(read.wish, read.forMs);
    return c.redirect(url.machineLogs(), 303);
  });

  function show(c: FrontCtx, form: { typed?: string; problem?: string }): Response {
    const query = logQuery((name) => c.req.query(name));
    const model = {
      logs: logsView(book(), query, { nodeName: parts.node.name, href: url.machineLogs, ...form }),
      listHref: url.machineLogs(),
      levelsHref: url.machineLogs(),
    };
    return web.page(c, { title: 'Log', view: 'front/logs', model, here: 'machine', live: null, status: form.problem ? 422 : 200 });
  }

  function book(): NonNullable<typeof parts.logs> {
    if (!parts.logs) throw refuse('not-found', 'This machine keeps no lines of its log.');
    return parts.logs;
  }
}
