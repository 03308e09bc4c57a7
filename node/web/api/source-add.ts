import * as v from 'valibot';
import { maybe } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { nameOf, oneOf, text } from './inputs.ts';
import { sourceKinds } from './source-answer.ts';

const name = v.optional(text(100));
const reached = { kind: oneOf(sourceKinds), url: text(500), credential: text(2000) };

/** How a media server comes in: tried by its address, or chosen after a sign-in. */
export const sourceAddApi: ApiRoute[] = [
  route({
    method: 'POST',
    path: '/sources/try',
    right: 'admin',
    in: 'Media servers',
    does: 'Asks who answers at an address, and which libraries it has. Keeps nothing; `draft` names it for POST /sources.',
    body: v.strictObject(reached),
    answer: v.strictObject({
      draft: v.string(),
      identity: v.string(),
      name: v.string(),
      version: v.string(),
      libraries: v.array(
        v.strictObject({ key: v.string(), title: v.string(), kind: v.string(), folders: v.array(v.string()), items: maybe.number }),
      ),
    }),
    run: ({ web, body, by }) => web.commands.trySource(body, by),
  }),
  route({
    method: 'POST',
    path: '/sources',
    right: 'admin',
    in: 'Media servers',
    does: 'Keeps a media server: by kind, address and token, by the draft of a try, or one of a sign-in.',
    body: v.union(
      [
        v.strictObject({ ...reached, name }),
        v.strictObject({ draft: text(200), name }),
        v.strictObject({ signIn: text(200), server: text(200), name }),
      ],
      'must hold kind, url and credential, or a draft, or signIn and server',
    ),
    status: 201,
    answer: v.strictObject({ id: v.number() }),
    run: async ({ web: { commands }, body, by }) => {
      const called = body.name === undefined ? {} : { name: body.name };
      if ('draft' in body) return { id: await commands.addSource({ draft: body.draft, ...called }, by) };
      if ('signIn' in body) return { id: await commands.addSource({ signIn: body.signIn, server: body.server, ...called }, by) };
      const { draft } = await commands.trySource({ kind: body.kind, url: body.url, credential: body.credential }, by);
      return { id: await commands.addSource({ draft, ...called }, by) };
    },
  }),
  route({
    method: 'POST',
    path: '/sources/sign-in',
    right: 'admin',
    in: 'Media servers',
    does: 'Begins a sign-in at plex.tv: a person opens `url` and signs in there.',
    body: v.strictObject({ flow: v.optional(oneOf(['token', 'jwt']), 'token') }),
    status: 201,
    answer: v.strictObject({
      signIn: v.string(),
      url: v.string(),
      code: v.string(),
      expiresAt: v.pipe(v.number(), v.description('milliseconds since 1970')),
    }),
    run: ({ web, body: { flow }, by }) => web.commands.beginPlexSignIn({ returnTo: null, flow }, by),
  }),
  route({
    method: 'GET',
    path: '/sources/sign-in/:id',
    right: 'admin',
    in: 'Media servers',
    does: 'Whether the person signed in meanwhile, and which servers can be chosen then.',
    params: { id: nameOf('sign-in') },
    answer: v.union([
      v.strictObject({ state: v.picklist(['waiting', 'expired']) }),
      v.strictObject({
        state: v.literal('signed-in'),
        account: v.string(),
        servers: v.array(
          v.strictObject({ id: v.string(), name: v.string(), version: v.string(), owned: v.boolean(), addresses: v.array(v.string()) }),
        ),
      }),
    ]),
    run: ({ web, params: { id }, by }) => web.commands.askPlexSignIn(id, by),
  }),
];
