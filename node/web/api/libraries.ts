import * as v from 'valibot';
import type { LibraryChange } from '../../core/commands.ts';
import { priorities } from '../../core/job.ts';
import { profileProblems } from '../../core/profile-fields.ts';
import type { Profile } from '../../core/profile.ts';
import { parseSchedule } from '../../core/scan-schedule.ts';
import { libraryOverview, readLibrary } from '../../db/libraries.ts';
import { lastScans, listScans, type Scan } from '../../db/scans.ts';
import { refuse } from '../errors.ts';
import type { Web } from '../web.ts';
import { bytes, done, listOf, maybe, maybeReason, maybeTime, open, reasonJson, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { confirmed, flag, int4, numberOf, oneOf, text } from './inputs.ts';
import { ApiProblem } from './problem.ts';

const scanAnswer = v.strictObject({
  id: v.number(),
  libraryId: v.number(),
  state: v.picklist(['running', 'completed', 'failed', 'cancelled']),
  startedAt: time,
  endedAt: maybeTime,
  reason: maybeReason,
  listed: v.pipe(maybe.number, v.description('items that the media server listed; null: it was not asked')),
  note: maybeReason,
  seen: v.number(),
  added: v.number(),
  changed: v.number(),
  moved: v.number(),
  missing: v.number(),
  problems: v.number(),
  inspected: v.number(),
});

const libraryAnswer = v.strictObject({
  id: v.number(),
  name: v.string(),
  source: v.picklist(['folder', 'plex', 'jellyfin', 'emby']),
  folder: v.string(),
  profile: open('the wishes that its files are converted by'),
  enabled: v.boolean(),
  looking: v.pipe(v.boolean(), v.description('added to be looked at first: not switched on before a person starts it')),
  knownSince: maybeTime,
  createdAt: time,
  lastScanAt: maybeTime,
  sourceLibraryId: maybe.number,
  schedule: open('how often it is scanned: {}, {everyMinutes} or {atHour}'),
  watch: v.boolean(),
  files: v.number(),
  bytes,
  expectedBytes: v.pipe(v.number(), v.description('what it will weigh when everything that waits has been converted')),
  reclaimedBytes: v.number(),
  byStatus: v.record(v.string(), v.number()),
  root: v.string(),
  priority: v.picklist(priorities),
  problem: maybeReason,
  scan: v.nullable(scanAnswer),
});

/** An object whose inside is checked by core/, which says what is wrong in words. */
const object = v.looseObject({}, 'must be an object');
const params = { id: numberOf('library', int4) };

/** Every library, adding one, and what a person may change of one; what is left out stays. */
export const librariesApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/libraries',
    right: 'read',
    in: 'Libraries',
    does: 'Every library with its counters and its last scan.',
    answer: listOf(libraryAnswer),
    run: async ({ web }) => ({ items: await libraries(web) }),
  }),
  route({
    method: 'POST',
    path: '/libraries',
    right: 'admin',
    in: 'Libraries',
    does: 'Adds a folder as a library; its first scan begins. `node` is the machine that has it, the coordinating one unless said. With `lookFirst` nothing of it is converted before it is started.',
    body: v.strictObject({
      path: text(4096),
      node: v.optional(text(128)),
      name: v.optional(text(200)),
      profile: v.optional(object),
      lookFirst: v.optional(flag),
    }),
    status: 201,
    answer: done,
    run: async ({ web, body, by }) => {
      const profile = body.profile && partialProfile(body.profile);
      const wish = {
        path: body.path,
        ...(body.node ? { node: body.node } : {}),
        ...(body.name ? { name: body.name } : {}),
        ...(profile ? { profile } : {}),
        ...(body.lookFirst ? { lookFirst: true } : {}),
      };
      return { id: await web.commands.addLibrary(wish, by) };
    },
  }),
  route({
    method: 'POST',
    path: '/libraries/:id',
    right: 'admin',
    in: 'Libraries',
    does: 'Changes a library: its name, rules, priority, how often it is scanned. What is left out stays.',
    params,
    body: v.strictObject({
      name: v.optional(text(200)),
      enabled: v.optional(flag),
      priority: v.optional(oneOf(priorities)),
      profile: v.optional(object),
      schedule: v.optional(object),
      watch: v.optional(flag),
    }),
    answer: done,
    run: async ({ web, params, body: { schedule, profile, ...rest }, by }) => {
      const id = await existing(web, params.id);
      const times = schedule === undefined ? null : scheduleOf(schedule);
      const change: LibraryChange = {
        ...(Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as LibraryChange),
        ...(times ? { schedule: times } : {}),
        ...(profile ? { profile: partialProfile(profile) } : {}),
      };
      await web.commands.changeLibrary(id, change, by);
      return { id };
    },
  }),
  ...[true, false].map((enabled) =>
    route({
      method: 'POST',
      path: `/libraries/:id/${enabled ? 'start' : 'stop'}`,
      right: 'admin',
      in: 'Libraries',
      does: enabled ? 'The files of this library are converted from now on.' : 'No file of this library is converted any more.',
      params,
      answer: v.strictObject({ id: v.number(), enabled: v.boolean() }),
      run: async ({ web, params, by }) => {
        const id = await existing(web, params.id);
        await web.commands.changeLibrary(id, { enabled }, by);
        return { id, enabled };
      },
    }),
  ),
  route({
    method: 'POST',
    path: '/libraries/:id/remove',
    right: 'admin',
    in: 'Libraries',
    does: 'Forgets a library with the history of its files and their place in the queue. No file is touched; originals stay in the trash until their time is over.',
    params,
    body: v.strictObject({ confirm: confirmed('its history is forgotten for good') }),
    answer: done,
    run: async ({ web, params, by }) => {
      const id = await existing(web, params.id);
      await web.commands.removeLibrary(id, by);
      return { id };
    },
  }),
  route({
    method: 'GET',
    path: '/libraries/:id/scans',
    right: 'read',
    in: 'Libraries',
    does: 'The last scans of a library, newest first.',
    params,
    answer: listOf(scanAnswer),
    run: async ({ web, params }) => ({ items: (await listScans(web.db, await existing(web, params.id))).map(scanJson) }),
  }),
  route({
    method: 'POST',
    path: '/libraries/:id/scan/cancel',
    right: 'admin',
    in: 'Libraries',
    does: 'Stops the scan of a library. What it found so far stays.',
    params,
    answer: done,
    run: async ({ web, params, by }) => {
      const id = await existing(web, params.id);
      await web.commands.cancelScan(id, by);
      return { id };
    },
  }),
];

async function libraries(web: Web) {
  const [overview, scans] = await Promise.all([libraryOverview(web.db), lastScans(web.db)]);
  return overview.map(({ problem, rootId, priority, ...library }) => {
    const scan = scans.find((s) => s.libraryId === library.id);
    return {
      ...library,
      root: rootId,
      priority: priorities[priority] ?? ('normal' as const),
      problem: reasonJson(problem),
      scan: scan ? scanJson(scan) : null,
    };
  });
}

function scanJson(scan: Scan) {
  return { ...scan, reason: reasonJson(scan.reason), note: reasonJson(scan.note) };
}

async function existing(web: Web, id: number): Promise<number> {
  if (!(await readLibrary(web.db, id))) throw refuse('not-found', `There is no library ${id}.`);
  return id;
}

/** @throws ApiProblem 422 */
function scheduleOf(given: unknown): NonNullable<ReturnType<typeof parseSchedule>> {
  const times = parseSchedule(given);
  const problem = 'must be {}, {everyMinutes: 0 to 10080} or {atHour: 0 to 23}';
  if (!times) throw new ApiProblem(422, 'invalid-input', `schedule ${problem}.`, [{ path: 'schedule', problem }]);
  return times;
}

/** Only what was named, each part checked. @throws ApiProblem 422 */
function partialProfile(wish: Record<string, unknown>): Partial<Profile> {
  const problems = profileProblems(wish).map(({ key, problem }) => ({ path: `profile.${key}`, problem }));
  if (problems.length) throw new ApiProblem(422, 'invalid-input', `${problems.map((p) => `${p.path} ${p.problem}`).join('; ')}.`, problems);
  return wish as Partial<Profile>;
}
