import * as v from 'valibot';
import { scopes } from '../../core/access.ts';
import { listApiTokens, readApiToken } from '../../db/api-tokens.ts';
import { makeApiToken } from '../auth/api-token.ts';
import { refuse } from '../errors.ts';
import type { Ctx } from '../web.ts';
import { listOf, maybe, maybeTime, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { nameOf, oneOf, text, whole } from './inputs.ts';
import { needsAPerson } from './lasting.ts';
import { ApiProblem } from './problem.ts';

/** Tokens for programs: told once, kept as a hash. */
export const tokensApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/tokens',
    right: 'admin',
    in: 'People',
    does: 'The tokens of programs, with what each may do; never the token itself.',
    answer: listOf(
      v.strictObject({
        id: v.string(),
        name: v.string(),
        scopes: v.array(v.picklist(scopes)),
        userId: maybe.number,
        createdBy: v.string(),
        createdAt: time,
        expiresAt: maybeTime,
        lastUsedAt: maybeTime,
      }),
    ),
    run: async ({ web }) => ({ items: await listApiTokens(web.db) }),
  }),
  route({
    method: 'POST',
    path: '/tokens',
    right: 'admin',
    in: 'People',
    does: 'Makes a token, told in this answer only. It lasts 365 days unless said; `days: null` is for ever. A token makes none with the scope admin, and none that lasts longer than itself.',
    body: v.strictObject({
      name: v.pipe(
        text(100),
        v.check((name) => name.trim() !== '', 'must not be empty'),
      ),
      scopes: v.pipe(v.array(oneOf(scopes), 'must be a list'), v.minLength(1, 'must hold at least one scope'), v.maxLength(scopes.length)),
      days: v.optional(v.nullable(whole(1, 3650)), 365),
    }),
    status: 201,
    answer: v.strictObject({ id: v.string(), token: v.string() }),
    run: async ({ web, body, by, c }) => {
      if (body.scopes.includes('admin')) needsAPerson(c as Ctx, 'No token was made.');
      mustEndBefore(c as Ctx, body.days, web.now());
      const { id, hash, token } = makeApiToken();
      const wish = { id, hash, name: body.name.trim(), scopes: [...new Set(body.scopes)], userId: by.user ?? null, days: body.days };
      await web.auth.access.addToken(wish, by, web.auth.from(c as Ctx));
      c.set('noted', true);
      return { id, token };
    },
  }),
  route({
    method: 'POST',
    path: '/tokens/:id/revoke',
    right: 'admin',
    in: 'People',
    does: 'A token opens nothing any more.',
    params: { id: nameOf('token') },
    answer: v.strictObject({ id: v.string() }),
    run: async ({ web, params: { id }, by, c }) => {
      if (!/^[a-z0-9]{10}$/.test(id) || !(await readApiToken(web.db, id))) throw refuse('not-found', 'There is no such token.');
      await web.auth.access.revokeToken(id, by, web.auth.from(c as Ctx));
      c.set('noted', true);
      return { id };
    },
  }),
];

function mustEndBefore(c: Ctx, days: number | null, now: Date): void {
  const who = c.get('who');
  const until = who.kind === 'token' ? who.token.expiresAt : null;
  if (!until || (days !== null && now.getTime() + days * 86_400_000 <= until.getTime())) return;
  const problem = `must be so few that it ends before the token that makes it, which is on ${until.toISOString().slice(0, 10)}`;
  throw new ApiProblem(422, 'invalid-input', `days ${problem}.`, [{ path: 'days', problem }]);
}
