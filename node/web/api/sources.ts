import type * as v from 'valibot';
import type { PathRule } from '../../core/commands.ts';
import { isProved } from '../../core/source-proof.ts';
import { listSourceLibraries } from '../../db/source-libraries.ts';
import { listMessages, readMessage, type SourceMessage } from '../../db/source-messages.ts';
import { listSourcePaths } from '../../db/source-paths.ts';
import { sourceOverview, type SourceOverview } from '../../db/sources.ts';
import { refuse } from '../errors.ts';
import { shownAddress } from '../models/sources.ts';
import type { Web } from '../web.ts';
import { reasonJson } from './reason-json.ts';
import {
  bodyAs,
  messagesQuery,
  nothingBody,
  pathId,
  queryAs,
  removeSourceBody,
  rulesBody,
  signInBody,
  sourceBody,
  sourceChangeBody,
  trySourceBody,
  watchBody,
  type ApiContext,
} from './v1.ts';

type Route = (path: string, answer: (c: ApiContext) => Promise<Response>) => void;

/** Media servers: everything that the pages can do. A token goes in and never comes out. */
export function sourceRoutes(get: Route, post: Route, web: Web): void {
  const { commands, db } = web;
  const by = (c: ApiContext) => c.get('actor');

  get('/sources', async (c) => c.json({ items: (await sourceOverview(db)).map(sourceJson) }));
  post('/sources/try', async (c) => c.json(await commands.trySource(await bodyAs(c, trySourceBody), by(c))));
  post('/sources', async (c) => {
    const body = await bodyAs(c, sourceBody);
    const name = body.name === undefined ? {} : { name: body.name };
    if ('draft' in body) return c.json({ id: await commands.addSource({ draft: body.draft, ...name }, by(c)) }, 201);
    if ('signIn' in body)
      return c.json({ id: await commands.addSource({ signIn: body.signIn, server: body.server, ...name }, by(c)) }, 201);
    const { draft } = await commands.trySource({ kind: body.kind, url: body.url, credential: body.credential }, by(c));
    return c.json({ id: await commands.addSource({ draft, ...name }, by(c)) }, 201);
  });
  post('/sources/sign-in', async (c) => {
    const { flow } = await bodyAs(c, signInBody);
    return c.json(await commands.beginPlexSignIn({ returnTo: null, flow }, by(c)), 201);
  });
  get('/sources/sign-in/:id', async (c) => c.json(await commands.askPlexSignIn(c.req.param('id') ?? '', by(c))));
  post('/sources/messages/:id/tell-again', async (c) => {
    await bodyAs(c, nothingBody);
    const message = await readMessage(db, pathId(c, 'message'));
    if (!message) throw refuse('not-found', 'There is no such message. It may have gone with its server.');
    await commands.tellSourceAgain(message.id, by(c));
    return c.json({ id: message.id });
  });
  oneSource(get, post, web);
  pathRoutes(get, post, web);
}

function oneSource(get: Route, post: Route, web: Web): void {
  const { commands, db } = web;
  const by = (c: ApiContext) => c.get('actor');
  get('/sources/:id', async (c) => {
    const source = await sourceOf(web, c);
    return c.json({ ...sourceJson(source), items: await librariesOf(web, source.id), paths: await pathsOf(web, source.id) });
  });
  post('/sources/:id', async (c) => {
    const change = await bodyAs(c, sourceChangeBody);
    const { id } = await sourceOf(web, c);
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    await commands.changeSource(id, given, by(c));
    return c.json({ id });
  });
  post('/sources/:id/remove', async (c) => {
    await bodyAs(c, removeSourceBody);
    const { id } = await sourceOf(web, c);
    await commands.removeSource(id, by(c));
    return c.json({ id });
  });
  post('/sources/:id/refresh', async (c) => {
    await bodyAs(c, nothingBody);
    const { id } = await sourceOf(web, c);
    await commands.refreshSource(id, by(c));
    return c.json({ id, items: await librariesOf(web, id) });
  });
  get('/sources/:id/libraries', async (c) => c.json({ items: await librariesOf(web, (await sourceOf(web, c)).id) }));
  post('/sources/:id/watch', async (c) => {
    const { keys } = await bodyAs(c, watchBody);
    const { id } = await sourceOf(web, c);
    return c.json({ id, libraries: await commands.watchLibraries(id, keys, by(c)) });
  });
  get('/sources/:id/messages', async (c) => {
    const { open, after, before, limit } = queryAs(c, messagesQuery);
    const { id } = await sourceOf(web, c);
    const page = await listMessages(db, id, { after: after ?? null, before: before ?? null, size: limit, open: open === 'true' });
    return c.json({ items: page.rows.map(messageJson), before: page.before, after: page.after });
  });
  post('/sources/:id/hook', async (c) => {
    await bodyAs(c, nothingBody);
    const { id } = await sourceOf(web, c);
    c.header('Cache-Control', 'no-store');
    return c.json(await commands.makeHook(id, by(c)), 201);
  });
}

function pathRoutes(get: Route, post: Route, web: Web): void {
  const { commands } = web;
  const by = (c: ApiContext) => c.get('actor');
  get('/sources/:id/paths', async (c) => c.json({ items: await pathsOf(web, (await sourceOf(web, c)).id) }));
  post('/sources/:id/paths/propose', async (c) => {
    await bodyAs(c, nothingBody);
    const { id } = await sourceOf(web, c);
    return c.json({ items: (await commands.proposePaths(id, by(c))).map(({ rootId, ...rule }) => ({ ...rule, root: rootId })) });
  });
  post('/sources/:id/paths/prove', async (c) => {
    const { rules } = await bodyAs(c, rulesBody);
    const { id } = await sourceOf(web, c);
    const proofs = await commands.provePaths(id, rules.map(ruleOf), by(c));
    return c.json({ items: proofs.map(({ rootId, ...proof }) => ({ ...proof, root: rootId, proved: isProved(proof) })) });
  });
  post('/sources/:id/paths', async (c) => {
    const { rules, anyway } = await bodyAs(c, rulesBody);
    const { id } = await sourceOf(web, c);
    await commands.savePaths(id, rules.map(ruleOf), anyway, by(c));
    return c.json({ id, items: await pathsOf(web, id) });
  });
}

function ruleOf({ root, ...rule }: v.InferOutput<typeof rulesBody>['rules'][number]): PathRule {
  return { ...rule, rootId: root };
}

function sourceJson({ connections: _c, identity: _i, learnt: _l, problem, url, ...source }: SourceOverview): object {
  return { ...source, url: shownAddress(url), problem: reasonJson(problem) };
}

async function librariesOf({ db }: Web, id: number): Promise<object[]> {
  return (await listSourceLibraries(db, id)).map(({ sourceId: _s, changeMark: _m, libraryIds, ...library }) => ({
    ...library,
    libraries: libraryIds,
  }));
}

async function pathsOf({ db }: Web, id: number): Promise<object[]> {
  return (await listSourcePaths(db, id)).map(({ sourceId: _s, rootId, ...rule }) => ({ ...rule, root: rootId }));
}

function messageJson({ before: _b, after: _a, folder: _f, reason, ...message }: SourceMessage): object {
  return { ...message, reason: reasonJson(reason) };
}

async function sourceOf({ db }: Web, c: ApiContext): Promise<SourceOverview> {
  const id = pathId(c, 'media server');
  const source = (await sourceOverview(db)).find((s) => s.id === id);
  if (!source) throw refuse('not-found', 'There is no such media server.');
  return source;
}
