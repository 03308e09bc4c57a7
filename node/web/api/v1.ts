import type { Context } from 'hono';
import * as v from 'valibot';
import { fileStatusNames, priorities } from '../../core/job.ts';
import { reasonCodes } from '../../core/reasons.ts';
import type { Env } from '../web.ts';
import { refuse } from '../errors.ts';

/**
 * The JSON API, for the command line and scripts: /api/v1. The same Host and Origin gates as the pages stand before it;
 * a program shows `Authorization: Bearer cs_…`, a token with scopes, and the command line the secret of its node. There is no CORS: other web pages cannot read it.
 *
 *   GET    /api/v1/node                          where this machine stands and what is around it; also while nobody coordinates
 *   GET    /api/v1/status                        counts, what runs with its progress, paused, reclaimed
 *   GET    /api/v1/libraries                     every library with its counters and last scan
 *   POST   /api/v1/libraries                     {path, node?, name?, profile?, lookFirst?}    201 {id}
 *   POST   /api/v1/libraries/:id                 {name?, enabled?, priority?, profile?, schedule?: {} | {everyMinutes} | {atHour}, watch?}
 *   POST   /api/v1/libraries/:id/start · stop    its files are converted from now on; not any more
 *   GET    /api/v1/libraries/:id/forecast        space and time with ranges, by class of film
 *   GET    /api/v1/libraries/:id/plan?plan=&reason=&format=&q=&after=&before=&limit=      a dry run, file by file
 *   POST   /api/v1/libraries/:id/measure         pieces of a few films are tried, for a narrow forecast    202
 *   POST   /api/v1/libraries/:id/measure/cancel
 *   POST   /api/v1/scan                          {library?: id}                                202 {started}
 *   POST   /api/v1/pause · /resume               all work                                      {paused}
 *   GET    /api/v1/jobs?state=&library=&format=&priority=&q=&after=&before=&limit=
 *   GET    /api/v1/jobs/:id                      with plan, attempts, checks
 *   POST   /api/v1/jobs/:id/cancel · pause · resume · retry · top · end
 *   POST   /api/v1/jobs/:id/priority             {priority: "high" | "normal" | "low"}
 *   GET    /api/v1/files?library=&status=&format=&reason=&q=&sort=&after=&before=&limit=
 *   GET    /api/v1/files/:id                     with probe, jobs and originals
 *   POST   /api/v1/files/:id/retry               looked at anew and queued                     {id, job}
 *   POST   /api/v1/files/:id/exclude · include
 *   POST   /api/v1/originals/:id/restore         back from the trash; answers when it is done
 *   POST   /api/v1/originals/:id/accept          its new file, found bad or doubted, is good as it is
 *   GET    /api/v1/cleanups                      every root: who can look, its last clean-up, what its trash holds
 *   POST   /api/v1/cleanups                      {root?}: looks for leftovers, deletes nothing  202 {started: [ids]}
 *   GET    /api/v1/cleanups/:id                  with what is chosen
 *   GET    /api/v1/cleanups/:id/files?standing=dead|ask|live&after=&before=&limit=
 *   POST   /api/v1/cleanups/:id/choose           {files: [n], chosen: true | false}
 *   POST   /api/v1/cleanups/:id/delete           {asked?}: so many of the chosen are not provably ours   202
 *   POST   /api/v1/cleanups/:id/cancel
 *   POST   /api/v1/trash/empty                   {root, upTo, confirm: true}: for good; upTo as GET /cleanups gave it   202 {files, bytes}
 *   POST   /api/v1/clear                         {confirm: true}                               {removed}
 *   GET    /api/v1/nodes                         every machine, also those that ask or were rejected: roles, tests, paths, speeds
 *   POST   /api/v1/nodes/:id                     {slots?, mbps?, schedule?, paused?, draining?}; what is left out stays
 *   POST   /api/v1/nodes/:id/approve · reject · later · remove · pause · resume · drain · undrain · hand-over · detect
 *   POST   /api/v1/nodes/:id/try-again           {bench}: an encoder that is not used because of bad copies
 *   POST   /api/v1/nodes/:id/roots               {root, path}: where that machine has it
 *   GET    /api/v1/nodes/tokens                  those that may still be used; never the token itself
 *   POST   /api/v1/nodes/tokens                  {label?, uses?, hours?}                       201 {id, token}
 *   POST   /api/v1/nodes/tokens/:id/revoke
 *   GET    /api/v1/sources                       every media server: how it stands, what waits; never its token
 *   POST   /api/v1/sources/try                   {kind, url, credential}: who answers there; keeps nothing   {draft, name, version, libraries}
 *   POST   /api/v1/sources                       {kind, url, credential, name?}, {draft, name?} or {signIn, server, name?}   201 {id}
 *   POST   /api/v1/sources/sign-in               {flow?: "token" | "jwt"}                      201 {signIn, url, code, expiresAt}
 *   GET    /api/v1/sources/sign-in/:id           {state: "waiting" | "expired" | "signed-in", servers}
 *   GET    /api/v1/sources/:id                   with libraries and paths
 *   POST   /api/v1/sources/:id                   {name?, url?, enabled?, credential?}; what is left out stays
 *   POST   /api/v1/sources/:id/refresh           asks it now
 *   POST   /api/v1/sources/:id/remove            {confirm: true}: its libraries stay as plain folders
 *   GET    /api/v1/sources/:id/libraries
 *   POST   /api/v1/sources/:id/watch             {keys}: exactly these libraries of it         {libraries: [ids]}
 *   GET    /api/v1/sources/:id/paths             which root each of its folders is
 *   POST   /api/v1/sources/:id/paths/propose · /paths/prove {rules: [{prefix, root, folder}]}   save nothing
 *   POST   /api/v1/sources/:id/paths             {rules, anyway?}: all of them; refused while one is not proved
 *   GET    /api/v1/sources/:id/messages?open=true&after=&before=&limit=
 *   POST   /api/v1/sources/messages/:id/tell-again
 *   POST   /api/v1/sources/:id/hook              a new address for its webhook, shown once     201 {path, user, password}
 *   GET    /api/v1/settings                      every setting with value, version, override
 *   POST   /api/v1/settings                      {changes: [{key, value, version}]}            409 or 422 with problems
 *   POST   /api/v1/admin/reset                   {name?}: only by the command line of the coordinating machine  {name, password}
 *
 * A list answers {items, before, after}: give a cursor back to go on. Sizes are bytes, times are ISO 8601 in UTC or
 * milliseconds where the name ends in Ms. An error answers {error: {status, code, message, …}}; an input that does not
 * fit is 422 with `problems: [{path, problem}]`. Unknown parameters and fields are refused, so that a typing error is
 * not taken for a wish.
 */
export type ApiContext = Context<Env>;

export const jobStates = ['waiting', 'running', 'held', 'failed', 'finished', 'cancelled', 'history'] as const;

const id = v.pipe(v.string(), v.regex(/^[1-9]\d{0,14}$/, 'must be a whole number from 1 up'), v.transform(Number));
const cursor = v.pipe(v.string(), v.minLength(1), v.maxLength(2000), v.regex(/^[\w-]+$/, 'is not a cursor of this list'));

const library = v.optional(id);
const format = v.optional(v.pipe(v.string(), v.regex(/^[a-z0-9_.-]{1,64}$/i, 'must be a codec name such as h264')));
const q = v.optional(
  v.pipe(
    v.string(),
    v.maxLength(200, 'must have at most 200 characters'),
    v.check((text) => !text.includes('\0') && text.isWellFormed(), 'holds a character that no name can have'),
  ),
);
const limit = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^\d{1,3}$/, 'must be 1 to 200'),
    v.transform(Number),
    v.minValue(1, 'must be 1 to 200'),
    v.maxValue(200, 'must be 1 to 200'),
  ),
  '50',
);
const page = { after: v.optional(cursor), before: v.optional(cursor), limit };

export const jobsQuery = v.strictObject({
  state: v.optional(v.picklist(jobStates, `must be one of ${jobStates.join(', ')}`), 'waiting'),
  library,
  format,
  priority: v.optional(v.picklist(priorities, 'must be high, normal or low')),
  q,
  ...page,
});

export const filesQuery = v.strictObject({
  library,
  status: v.optional(v.picklist(fileStatusNames, `must be one of ${fileStatusNames.join(', ')}`)),
  format,
  reason: v.optional(v.picklist(reasonCodes, 'must be the code of a reason')),
  q,
  sort: v.optional(v.picklist(['recent', 'title', 'saving'], 'must be recent, title or saving'), 'recent'),
  ...page,
});

export const planQuery = v.strictObject({
  plan: v.optional(v.picklist(['convert', 'rewrap', 'done', 'leave', 'later'], 'must be convert, rewrap, done, leave or later')),
  format,
  reason: v.optional(v.picklist(reasonCodes, 'must be the code of a reason')),
  q,
  ...page,
});

const text = (max: number) =>
  v.pipe(
    v.string('must be a text'),
    v.minLength(1, 'must not be empty'),
    v.maxLength(max, `must have at most ${max} characters`),
    v.check((t) => !t.includes('\0') && t.isWellFormed(), 'holds a character that no name can have'),
  );

export const libraryBody = v.strictObject({
  path: text(4096),
  node: v.optional(text(128)),
  name: v.optional(text(200)),
  profile: v.optional(v.record(v.string(), v.unknown())),
  lookFirst: v.optional(v.boolean('must be true or false')),
});
export const libraryChangeBody = v.strictObject({
  name: v.optional(text(200)),
  enabled: v.optional(v.boolean('must be true or false')),
  priority: v.optional(v.picklist(priorities, 'must be high, normal or low')),
  profile: v.optional(v.record(v.string(), v.unknown())),
  /** its shape is checked by core/scan-schedule.ts */
  schedule: v.optional(v.looseObject({}, 'must be an object')),
  watch: v.optional(v.boolean('must be true or false')),
});
export const scanBody = v.strictObject({
  library: v.optional(v.nullable(v.pipe(v.number('must be a number'), v.integer(), v.minValue(1)))),
});
export const priorityBody = v.strictObject({ priority: v.picklist(priorities, 'must be high, normal or low') });
export const clearBody = v.strictObject({ confirm: v.literal(true, 'must be true: this takes every waiting file out of the queue') });
const whole = (min: number, max: number) => {
  const words = `must be a whole number from ${min} to ${max}`;
  return v.pipe(v.number(words), v.integer(words), v.minValue(min, words), v.maxValue(max, words));
};
export const nodeBody = v.strictObject({
  slots: v.optional(v.nullable(whole(0, 64))),
  mbps: v.optional(v.nullable(whole(1, 100_000))),
  /** its shape is checked by core/hours.ts, which says what is wrong in words */
  schedule: v.optional(v.array(v.unknown(), 'must be a list of hours')),
  /** checked by core/manner-wishes.ts; what is left out stays */
  manners: v.optional(v.looseObject({}, 'must be an object')),
  paused: v.optional(v.boolean('must be true or false')),
  draining: v.optional(v.boolean('must be true or false')),
});
export const benchBody = v.strictObject({ bench: v.pipe(v.number(), v.safeInteger(), v.minValue(1)) });

export const rootBody = v.strictObject({
  root: v.pipe(v.string('must be a text'), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be the id of a root')),
  path: text(4096),
});
export const tokenBody = v.strictObject({
  label: v.optional(v.pipe(v.string('must be a text'), v.maxLength(100, 'must have at most 100 characters'))),
  uses: v.optional(whole(1, 1000)),
  hours: v.optional(whole(1, 8760)),
});
const uuid = v.pipe(v.string('must be a text'), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be the id of a library root'));
export const leftoversQuery = v.strictObject({
  standing: v.optional(v.picklist(['dead', 'ask', 'live'], 'must be dead, ask or live'), 'dead'),
  ...page,
});
export const cleanupBody = v.strictObject({ root: v.optional(v.nullable(uuid)) });
export const cleanupChoiceBody = v.strictObject({
  files: v.pipe(v.array(whole(1, 1e9)), v.minLength(1, 'must hold at least one number'), v.maxLength(200, 'must hold at most 200 numbers')),
  chosen: v.boolean('must be true or false'),
});
export const cleanupDeleteBody = v.strictObject({ asked: v.optional(whole(0, 1e9), 0) });
export const trashBody = v.strictObject({
  root: uuid,
  upTo: whole(1, 1e15),
  confirm: v.literal(true, 'must be true: these originals are deleted for good'),
});
export const nothingBody = v.strictObject({});

const sourceKinds = ['plex', 'jellyfin', 'emby', 'sonarr', 'radarr'] as const;
const sourceName = v.optional(text(100));
const reached = { kind: v.picklist(sourceKinds, `must be one of ${sourceKinds.join(', ')}`), url: text(500), credential: text(2000) };
export const trySourceBody = v.strictObject(reached);
export const sourceBody = v.union(
  [
    v.strictObject({ ...reached, name: sourceName }),
    v.strictObject({ draft: text(200), name: sourceName }),
    v.strictObject({ signIn: text(200), server: text(200), name: sourceName }),
  ],
  'must hold kind, url and credential, or a draft, or signIn and server',
);
export const signInBody = v.strictObject({ flow: v.optional(v.picklist(['token', 'jwt'], 'must be token or jwt'), 'token') });
export const sourceChangeBody = v.strictObject({
  name: sourceName,
  url: v.optional(text(500)),
  enabled: v.optional(v.boolean('must be true or false')),
  credential: v.optional(text(2000)),
});
export const removeSourceBody = v.strictObject({ confirm: v.literal(true, 'must be true: its sign-in and its paths are forgotten') });
export const watchBody = v.strictObject({
  keys: v.pipe(v.array(text(200), 'must be a list'), v.maxLength(200, 'must hold at most 200 keys')),
});
export const rulesBody = v.strictObject({
  rules: v.pipe(
    v.array(
      v.strictObject({ prefix: text(1000), root: uuid, folder: v.optional(v.pipe(v.string('must be a text'), v.maxLength(1000)), '') }),
      'must be a list',
    ),
    v.maxLength(200, 'must hold at most 200 rules'),
  ),
  anyway: v.optional(v.boolean('must be true or false'), false),
});
export const messagesQuery = v.strictObject({ open: v.optional(v.picklist(['true', 'false'], 'must be true or false'), 'false'), ...page });
export const settingsBody = v.strictObject({
  changes: v.pipe(
    v.array(
      v.strictObject({ key: text(64), value: v.unknown(), version: v.pipe(v.number('must be a number'), v.integer(), v.minValue(0)) }),
    ),
    v.minLength(1, 'must hold at least one change'),
    v.maxLength(100, 'must hold at most 100 changes'),
  ),
});

export class ApiProblem extends Error {
  override name = 'ApiProblem';
  readonly status: 400 | 404 | 409 | 415 | 422;
  readonly code: string;
  readonly problems: { path: string; problem: string }[];

  constructor(status: ApiProblem['status'], code: string, message: string, problems: ApiProblem['problems'] = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.problems = problems;
  }
}

/** The query as the schema wants it. @throws ApiProblem 422 naming every parameter that does not fit */
export function queryAs<S extends v.GenericSchema<unknown, unknown>>(c: ApiContext, schema: S): v.InferOutput<S> {
  const given: Record<string, string> = {};
  for (const [name, value] of new URL(c.req.url).searchParams) {
    if (Object.hasOwn(given, name))
      throw new ApiProblem(422, 'invalid-input', `The parameter ${name} is given twice.`, [{ path: name, problem: 'is given twice' }]);
    given[name] = value;
  }
  return checked(schema, given);
}

/** The JSON body as the schema wants it; no body counts as {}. @throws ApiProblem 400, 415 or 422 */
export async function bodyAs<S extends v.GenericSchema<unknown, unknown>>(c: ApiContext, schema: S): Promise<v.InferOutput<S>> {
  const raw = await c.req.text();
  if (raw.trim() === '') return checked(schema, {});
  if (!/^application\/json\b/i.test(c.req.header('content-type') ?? ''))
    throw new ApiProblem(415, 'not-json', 'The body must be JSON, with Content-Type: application/json.');
  let body: unknown;
  try {
    body = JSON.parse(raw);
  } catch {
    throw new ApiProblem(400, 'not-json', 'The body is not valid JSON.');
  }
  return checked(schema, body);
}

function checked<S extends v.GenericSchema<unknown, unknown>>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const problems = result.issues.slice(0, 20).map((issue) => {
    const path = (issue.path ?? [])
      .map((part: { key?: unknown }) => String(part.key))
      .join('.')
      .slice(0, 200);
    // valibot's own sentences quote the value; ours say what is wanted
    const unknownField = issue.type === 'strict_object' && issue.expected === 'never';
    const missing = issue.type === 'strict_object' && !unknownField && path !== '';
    return { path, problem: unknownField ? 'is not known' : missing ? 'is missing' : issue.message.slice(0, 300) };
  });
  throw new ApiProblem(422, 'invalid-input', problems.map((p) => `${p.path || 'The input'} ${p.problem}`).join('; ') + '.', problems);
}

export function pathId(c: ApiContext, what: string): number {
  const text = c.req.param('id') ?? '';
  if (!/^[1-9]\d{0,14}$/.test(text)) throw refuse('not-found', `There is no such ${what}.`);
  return Number(text);
}
