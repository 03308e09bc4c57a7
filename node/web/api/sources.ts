import * as v from 'valibot';
import { listMessages, readMessage } from '../../db/source-messages.ts';
import { sourceOverview } from '../../db/sources.ts';
import { refuse } from '../errors.ts';
import type { Ctx } from '../web.ts';
import { done, listOf, pageOf } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { confirmed, flag, numberOf, oneOf, paged, text, wishOf } from './inputs.ts';
import { needsAPerson } from './lasting.ts';
import {
  librariesOf,
  messageAnswer,
  messageJson,
  pathAnswer,
  pathsOf,
  sourceEntries,
  sourceJson,
  sourceLibraryAnswer,
  sourceOf,
} from './source-answer.ts';

const params = { id: numberOf('media server') };
const { items: _count, ...withoutCount } = sourceEntries;

/** Media servers: everything that the pages can do with one. */
export const sourcesApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/sources',
    right: 'read',
    in: 'Media servers',
    does: 'Every media server: how it stands and what waits to be confirmed; never its token.',
    answer: listOf(v.strictObject(sourceEntries)),
    run: async ({ web }) => ({ items: (await sourceOverview(web.db)).map(sourceJson) }),
  }),
  route({
    method: 'POST',
    path: '/sources/messages/:id/tell-again',
    right: 'admin',
    in: 'Media servers',
    does: 'Tells a server once more what it did not confirm.',
    params: { id: numberOf('message') },
    answer: done,
    run: async ({ web, params: { id }, by }) => {
      const message = await readMessage(web.db, id);
      if (!message) throw refuse('not-found', 'There is no such message. It may have gone with its server.');
      await web.commands.tellSourceAgain(message.id, by);
      return { id: message.id };
    },
  }),
  route({
    method: 'GET',
    path: '/sources/:id',
    right: 'read',
    in: 'Media servers',
    does: 'One media server with its libraries (`items`) and which root each of its folders is.',
    params,
    answer: v.strictObject({ ...withoutCount, items: v.array(sourceLibraryAnswer), paths: v.array(pathAnswer) }),
    run: async ({ web, params }) => {
      const source = await sourceOf(web, params.id);
      return { ...sourceJson(source), items: await librariesOf(web, source.id), paths: await pathsOf(web, source.id) };
    },
  }),
  route({
    method: 'POST',
    path: '/sources/:id',
    right: 'admin',
    in: 'Media servers',
    does: 'Changes a media server: its name, address, token, or whether it is asked at all. What is left out stays; but to another address a token does not send the stored sign-in, so it gives `credential` as well.',
    params,
    body: v.strictObject({
      name: v.optional(text(100)),
      url: v.optional(text(500)),
      enabled: v.optional(flag),
      renames: v.optional(
        v.pipe(flag, v.description('Sonarr and Radarr: they rename a film after its conversion, if their rules call it otherwise now')),
      ),
      credential: v.optional(text(2000)),
    }),
    answer: done,
    run: async ({ web, params, body, by, c }) => {
      // whoever listens there would keep it
      if (body.url !== undefined && body.credential === undefined)
        needsAPerson(c as Ctx, 'Nothing was changed: the stored sign-in would go to another address.');
      const { id } = await sourceOf(web, params.id);
      await web.commands.changeSource(id, Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)), by);
      return { id };
    },
  }),
  route({
    method: 'POST',
    path: '/sources/:id/remove',
    right: 'admin',
    in: 'Media servers',
    does: 'Forgets a media server. Its libraries stay as plain folders, no file is touched, and the server is told nothing.',
    params,
    body: v.strictObject({ confirm: confirmed('its sign-in and its paths are forgotten') }),
    answer: done,
    run: async ({ web, params, by }) => {
      const { id } = await sourceOf(web, params.id);
      await web.commands.removeSource(id, by);
      return { id };
    },
  }),
  route({
    method: 'POST',
    path: '/sources/:id/refresh',
    right: 'admin',
    in: 'Media servers',
    does: 'Asks a server now: who it is, its libraries, counts and sizes.',
    params,
    answer: v.strictObject({ id: v.number(), items: v.array(sourceLibraryAnswer) }),
    run: async ({ web, params, by }) => {
      const { id } = await sourceOf(web, params.id);
      await web.commands.refreshSource(id, by);
      return { id, items: await librariesOf(web, id) };
    },
  }),
  route({
    method: 'GET',
    path: '/sources/:id/libraries',
    right: 'read',
    in: 'Media servers',
    does: 'The libraries of a media server.',
    params,
    answer: listOf(sourceLibraryAnswer),
    run: async ({ web, params }) => ({ items: await librariesOf(web, (await sourceOf(web, params.id)).id) }),
  }),
  route({
    method: 'POST',
    path: '/sources/:id/watch',
    right: 'admin',
    in: 'Media servers',
    does: 'Watches exactly these libraries of a server, and no other. With `lookFirst` nothing of those that are new here is converted before somebody starts them. Answers with the libraries that they are here.',
    params,
    body: v.strictObject({
      keys: v.pipe(v.array(text(200), 'must be a list'), v.maxLength(200, 'must hold at most 200 keys')),
      lookFirst: v.optional(flag, false),
    }),
    answer: v.strictObject({ id: v.number(), libraries: v.array(v.number()) }),
    run: async ({ web, params, body: { keys, lookFirst }, by }) => {
      const { id } = await sourceOf(web, params.id);
      return { id, libraries: await web.commands.watchLibraries(id, keys, { lookFirst }, by) };
    },
  }),
  route({
    method: 'GET',
    path: '/sources/:id/messages',
    right: 'read',
    in: 'Media servers',
    does: 'What a server was told after films changed, and whether it confirmed.',
    params,
    query: v.strictObject({ open: v.optional(oneOf(['true', 'false']), 'false'), ...paged }),
    answer: pageOf(messageAnswer),
    run: async ({ web, params, query }) => {
      const { id } = await sourceOf(web, params.id);
      const { rows, before, after } = await listMessages(web.db, id, { ...wishOf(query), open: query.open === 'true' });
      return { items: rows.map(messageJson), before, after };
    },
  }),
  route({
    method: 'POST',
    path: '/sources/:id/hook',
    right: 'admin',
    in: 'Media servers',
    does: 'Makes a new address for the webhook of a server. It is told in this answer, and nowhere else ever again; the one before is over.',
    params,
    status: 201,
    answer: v.strictObject({ path: v.string(), user: v.string(), password: v.string() }),
    run: async ({ web, params, by }) => web.commands.makeHook((await sourceOf(web, params.id)).id, by),
  }),
];
