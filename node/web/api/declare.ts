import type { Context } from 'hono';
import type * as v from 'valibot';
import type { Right } from '../../core/access.ts';
import type { Actor } from '../../core/commands.ts';
import type { Env, Web } from '../web.ts';

/**
 * The JSON API, for scripts, other programs and the command line: /api/v1.
 *
 * Each route is one declaration. Everything about it follows from there, so nothing can drift:
 *
 *   declaration ─┬─▶ register.ts   the route itself: input checked, answer sent, errors in one shape
 *                ├─▶ auth/rights.ts who may call it
 *                ├─▶ openapi.ts    /api/v1/openapi.json, and the page /api
 *                └─▶ tests         every answer of every test is held against its schema (`strict`, as with views)
 *
 * How to add routes:
 *
 *   1. `api/x.ts`    export const xApi: ApiRoute[] = [
 *                      route({
 *                        method: 'POST', path: '/x/:id/poke', right: 'admin', in: 'Machines',
 *                        does: 'Pokes it; answers when it moved.',
 *                        params: { id: numberOf('x') },            // a wrong one is "There is no such x.", 404
 *                        body: v.strictObject({ hard: … }),         // `query` alike; what is not declared is refused
 *                        answer: v.strictObject({ id: whole }),     // answers.ts has time, reason, listOf, …
 *                        status: 202,                               // 200 unless said
 *                        run: async ({ web, params, body, by }) => ({ … }),
 *                      }),
 *                    ]
 *                    listed in all.ts; of two patterns that fit, the first answers
 *   2. matrix        a line in auth/matrix.test.ts: the same right, written down a second time
 *   3. actions.test  a page's form has a route here as well, or a stated reason why it has none
 *   4. what deletes for good says so in its body: `confirm: confirmed('…')`
 *
 * A `PlainError` becomes a 409 with its sentence, `refuse('not-found', …)` a 404, and an `ApiProblem` what it says. A `Date` in
 * an answer is sent as ISO 8601 in UTC. A stream, a picture or a file is a `Response`, declared by its media type.
 *
 * Who may: a token with the scope of the route (core/access.ts), and never more than its person may today. The page asks an
 * admin for a fresh proof before what is dangerous. A program cannot prove who sits before it: that its token may do such things
 * was decided under such a proof, when it was given the scope `admin`; each is in the audit log with the token's name. What
 * would go on after the token was revoked (another admin, another token like it, how people sign in) it cannot do: `lasting.ts`.
 */
export interface ApiRoute {
  method: 'GET' | 'POST';
  /** below /api/v1, as Hono writes it */
  path: string;
  right: Right;
  /** the heading of the document that it stands under */
  in: Section;
  does: string;
  params: Readonly<Record<string, Param>>;
  query: Schema | null;
  body: Schema | null;
  status: 200 | 201 | 202;
  answer: Schema | Media;
  /** statuses beside those that every route of its kind may answer */
  errors: readonly ErrorStatus[];
  run(call: Call<never, never, never>): Promise<unknown>;
}

export type Section =
  | 'Status'
  | 'Work'
  | 'Libraries'
  | 'Queue'
  | 'Files'
  | 'History'
  | 'Clean-up'
  | 'Machines'
  | 'Media servers'
  | 'Settings'
  | 'Notifications'
  | 'Backups'
  | 'Logs'
  | 'People'
  | 'About';
export type ErrorStatus = 400 | 401 | 403 | 404 | 409 | 413 | 415 | 422 | 429 | 500 | 503 | 504;
export type Schema = v.GenericSchema<unknown, unknown>;
export type ApiContext = Context<Env>;

/** An answer that is no JSON. */
export interface Media {
  media: 'text/event-stream' | 'image/jpeg' | 'image/png' | 'text/csv' | 'text/plain' | 'application/gzip' | 'application/x-tar';
  says: string;
}

/** A part of the path. `what` is how a person calls it: "There is no such job." */
export interface Param<T extends string | number = string | number> {
  what: string;
  schema: v.GenericSchema<string, T>;
}

/** What a route works with. */
export interface Call<P, Q, B> {
  web: Web;
  /** who asks, for the books */
  by: Actor;
  params: P;
  query: Q;
  body: B;
  c: ApiContext;
}

interface Declared<P extends Record<string, Param>, Q extends Schema, B extends Schema, A extends Schema | Media> {
  method: 'GET' | 'POST';
  path: string;
  right: Right;
  in: Section;
  /** one or two sentences: what it does, and when it answers */
  does: string;
  params?: P;
  query?: Q;
  body?: B;
  status?: 200 | 201 | 202;
  answer: A;
  errors?: readonly ErrorStatus[];
  run(
    call: Call<{ [K in keyof P]: v.InferOutput<P[K]['schema']> }, v.InferOutput<Q>, v.InferOutput<B>>,
  ): Promise<A extends Schema ? Sent<v.InferInput<A>> : Response>;
}

/** What may be returned for an answer: times may still be dates, which JSON makes text of. */
export type Sent<T> = T extends string
  ? string extends T
    ? string | Date
    : T
  : T extends readonly (infer E)[]
    ? readonly Sent<E>[]
    : T extends object
      ? { readonly [K in keyof T]: Sent<T[K]> }
      : T;

export function route<
  P extends Record<string, Param> = Record<string, never>,
  Q extends Schema = v.GenericSchema<undefined>,
  B extends Schema = v.GenericSchema<undefined>,
  A extends Schema | Media = Schema,
>(declared: Declared<P, Q, B, A>): ApiRoute {
  const named = [...declared.path.matchAll(/:(\w+)/g)].map((match) => match[1]!);
  const params = declared.params ?? {};
  if (named.join() !== Object.keys(params).join()) throw new Error(`${declared.path}: its params are ${named.join() || 'none'}`);
  return {
    method: declared.method,
    path: declared.path,
    right: declared.right,
    in: declared.in,
    does: declared.does,
    params,
    query: declared.query ?? null,
    body: declared.body ?? null,
    status: declared.status ?? 200,
    answer: declared.answer,
    errors: declared.errors ?? [],
    run: declared.run as ApiRoute['run'],
  };
}

export function isMedia(answer: Schema | Media): answer is Media {
  return 'media' in answer;
}
