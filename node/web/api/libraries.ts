import type { LibraryChange } from '../../core/commands.ts';
import { priorities } from '../../core/job.ts';
import { profileProblems } from '../../core/profile-fields.ts';
import type { Profile } from '../../core/profile.ts';
import { parseSchedule } from '../../core/scan-schedule.ts';
import { libraryOverview, readLibrary } from '../../db/libraries.ts';
import { lastScans } from '../../db/scans.ts';
import { refuse } from '../errors.ts';
import type { Web } from '../web.ts';
import { reasonJson } from './reason-json.ts';
import { ApiProblem, bodyAs, libraryBody, libraryChangeBody, pathId, type ApiContext } from './v1.ts';

type Route = (path: string, answer: (c: ApiContext) => Promise<Response>) => void;

/** Every library, adding one, and what a person may change of one; what is left out stays. */
export function libraryRoutes(get: Route, post: Route, web: Web): void {
  get('/libraries', async (c) => c.json({ items: await libraries(web) }));
  post('/libraries', async (c) => {
    const body = await bodyAs(c, libraryBody);
    const profile = body.profile && partialProfile(body.profile);
    const id = await web.commands.addLibrary(
      {
        path: body.path,
        ...(body.node ? { node: body.node } : {}),
        ...(body.name ? { name: body.name } : {}),
        ...(profile ? { profile } : {}),
        ...(body.lookFirst ? { lookFirst: true } : {}),
      },
      c.get('actor'),
    );
    return c.json({ id }, 201);
  });
  post('/libraries/:id', async (c) => {
    const { schedule, profile, ...rest } = await bodyAs(c, libraryChangeBody);
    const id = pathId(c, 'library');
    if (id > 2 ** 31 - 1 || !(await readLibrary(web.db, id))) throw refuse('not-found', 'There is no such library.');
    const times = schedule === undefined ? undefined : parseSchedule(schedule);
    if (times === null)
      throw new ApiProblem(422, 'invalid-input', 'schedule must be {}, {everyMinutes: 0 to 10080} or {atHour: 0 to 23}.', [
        { path: 'schedule', problem: 'must be {}, {everyMinutes: 0 to 10080} or {atHour: 0 to 23}' },
      ]);
    const change: LibraryChange = {
      ...(Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as LibraryChange),
      ...(times ? { schedule: times } : {}),
      ...(profile ? { profile: partialProfile(profile) } : {}),
    };
    await web.commands.changeLibrary(id, change, c.get('actor'));
    return c.json({ id });
  });
}

async function libraries(web: Web): Promise<object[]> {
  const [overview, scans] = await Promise.all([libraryOverview(web.db), lastScans(web.db)]);
  return overview.map(({ problem, rootId, priority, ...library }) => {
    const scan = scans.find((s) => s.libraryId === library.id);
    return {
      ...library,
      root: rootId,
      priority: priorities[priority] ?? 'normal',
      problem: reasonJson(problem),
      scan: scan ? { ...scan, reason: reasonJson(scan.reason) } : null,
    };
  });
}

/** Only what was named, each part checked. @throws ApiProblem 422 */
function partialProfile(wish: Record<string, unknown>): Partial<Profile> {
  const problems = profileProblems(wish).map(({ key, problem }) => ({ path: `profile.${key}`, problem }));
  if (problems.length) throw new ApiProblem(422, 'invalid-input', `${problems.map((p) => `${p.path} ${p.problem}`).join('; ')}.`, problems);
  return wish as Partial<Profile>;
}
