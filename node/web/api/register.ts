import type { Hono } from 'hono';
import * as v from 'valibot';
import { refuse } from '../errors.ts';
import type { Env, Web } from '../web.ts';
import { base } from './all.ts';
import { isMedia, type ApiContext, type ApiRoute, type Schema } from './declare.ts';
import { ApiProblem, fitting, problemJson } from './problem.ts';

const nothing = v.strictObject({});

/** Makes the routes of the declarations. Every error that leaves one is JSON in the shape of `errorAnswer`. */
export function register(app: Hono<Env>, web: Web, routes: readonly ApiRoute[]): void {
  for (const route of routes) {
    const answer = (c: ApiContext): Promise<Response> => guarded(c, web, () => call(c, web, route));
    if (route.method === 'GET') app.get(base + route.path, answer);
    else app.post(base + route.path, answer);
  }
  app.all(`${base}/*`, (c) =>
    guarded(c, web, async () => {
      throw refuse('not-found', `There is no ${c.req.method} ${c.req.path.slice(0, 200)} in this API.`);
    }),
  );
}

async function call(c: ApiContext, web: Web, route: ApiRoute): Promise<Response> {
  const params = paramsOf(c, route);
  const query = route.method === 'GET' || route.query ? queryAs(c, route.query ?? nothing) : undefined;
  const body = route.method === 'POST' ? await bodyAs(c, route.body ?? nothing) : undefined;
  // the declaration gave `run` exactly these types (declare.ts, `route`)
  const given = await route.run({ c, web, by: c.get('actor'), params, query, body } as unknown as Parameters<ApiRoute['run']>[0]);
  if (isMedia(route.answer)) return given as Response;
  const text = JSON.stringify(given);
  if (web.strict) mustFit(route, route.answer, text);
  return c.body(text, route.status, { 'Content-Type': 'application/json' });
}

/** In tests and development: what is sent is what the document says. */
function mustFit(route: ApiRoute, schema: Schema, text: string): void {
  const result = v.safeParse(schema, JSON.parse(text));
  if (result.success) return;
  const wrong = result.issues.map((issue) => `${v.getDotPath(issue) ?? ''}: ${issue.message}`);
  throw new Error(`The answer of ${route.method} ${route.path} is not what it declares. ${wrong.slice(0, 8).join('; ')}`);
}

function paramsOf(c: ApiContext, route: ApiRoute): Record<string, string | number> {
  const params: Record<string, string | number> = {};
  for (const [name, { what, schema }] of Object.entries(route.params)) {
    const result = v.safeParse(schema, c.req.param(name) ?? '');
    if (!result.success) throw refuse('not-found', `There is no such ${what}.`);
    params[name] = result.output;
  }
  return params;
}

/** The query as the schema wants it. @throws ApiProblem 422 naming every parameter that does not fit */
function queryAs<S extends Schema>(c: ApiContext, schema: S): v.InferOutput<S> {
  const given: Record<string, string> = {};
  for (const [name, value] of new URL(c.req.url).searchParams) {
    if (Object.hasOwn(given, name))
      throw new ApiProblem(422, 'invalid-input', `The parameter ${name.slice(0, 200)} is given twice.`, [
        { path: name.slice(0, 200), problem: 'is given twice' },
      ]);
    given[name] = value;
  }
  return fitting(schema, given);
}

/** The JSON body as the schema wants it; no body counts as {}. @throws ApiProblem 400, 415 or 422 */
async function bodyAs<S extends Schema>(c: ApiContext, schema: S): Promise<v.InferOutput<S>> {
  const raw = await c.req.text();
  if (raw.trim() === '') return fitting(schema, {});
  if (!/^application\/json\b/i.test(c.req.header('content-type') ?? ''))
    throw new ApiProblem(415, 'not-json', 'The body must be JSON, with Content-Type: application/json.');
  let body: unknown;
  try {
    body = JSON.parse(raw);
  } catch {
    throw new ApiProblem(400, 'not-json', 'The body is not valid JSON.');
  }
  // a list would pass for an object without fields
  if (Array.isArray(body))
    throw new ApiProblem(422, 'invalid-input', 'The body must be an object.', [{ path: '', problem: 'must be an object' }]);
  return fitting(schema, body);
}

async function guarded(c: ApiContext, web: Web, answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    const requestId = c.get('requestId');
    const told = problemJson(error, requestId);
    const { status } = told.error;
    if (status >= 500) web.log.error({ err: error, requestId, path: c.req.path }, 'an API request failed');
    return c.json(told, status as 500);
  }
}
