import * as v from 'valibot';
import { overriddenBy } from '../../config/load.ts';
import { clusterKeys, doorKeys, isDoor, specOf } from '../../config/schema.ts';
import { readHistory, readSettings } from '../../db/settings.ts';
import { objectionsTo } from '../auth/objections.ts';
import { mayChange } from '../auth/who.ts';
import type { Ctx, Web } from '../web.ts';
import { listOf, maybe, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { id, text } from './inputs.ts';
import { needsAPerson } from './lasting.ts';
import { ApiProblem } from './problem.ts';

const settingAnswer = v.strictObject({
  key: v.string(),
  label: v.string(),
  help: v.string(),
  type: v.string(),
  unit: maybe.text,
  default: v.unknown(),
  value: v.unknown(),
  version: v.pipe(v.number(), v.description('to be sent back with a change; 0: never changed')),
  override: v.pipe(maybe.text, v.description('what of the environment or the command line stands over it')),
});

/** Every setting of the cluster, as the page has them. */
export const settingsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/settings',
    right: 'read',
    in: 'Settings',
    does: 'Every setting with its value, its default and its version. How people are let in is told to an admin only.',
    answer: listOf(settingAnswer),
    run: async ({ web, c }) => ({ items: await settings(web, c as Ctx) }),
  }),
  route({
    method: 'POST',
    path: '/settings',
    right: 'admin',
    in: 'Settings',
    does: 'Saves settings, all of them or none. Each change carries the version that it saw; `value: null` is back to the default. How people are let in is not changed by a token.',
    body: v.strictObject({
      changes: v.pipe(
        v.array(
          v.strictObject({ key: text(64), value: v.unknown(), version: v.pipe(v.number('must be a number'), v.integer(), v.minValue(0)) }),
          'must be a list',
        ),
        v.minLength(1, 'must hold at least one change'),
        v.maxLength(100, 'must hold at most 100 changes'),
      ),
    }),
    answer: v.strictObject({ saved: v.number() }),
    run: async ({ web, by, c, body: { changes } }) => {
      const wished = changes.map((change) => ({ ...change, value: change.value ?? null }));
      if (wished.some(({ key }) => isDoor(key))) needsAPerson(c as Ctx, 'Nothing was saved.');
      const objections = await objectionsTo(c as Ctx, web, wished);
      const problems = objections.length > 0 ? objections : await web.commands.saveSettings(wished, by);
      if (problems.length === 0) return { saved: changes.length };
      const conflict = problems.some((p) => 'current' in p);
      throw new ApiProblem(
        conflict ? 409 : 422,
        conflict ? 'changed-meanwhile' : 'invalid-input',
        problems.map((p) => `${p.key} ${p.problem}`).join('; '),
        problems.map((p) => ({ path: p.key, problem: p.problem, ...('current' in p ? { current: p.current } : {}) })),
      );
    },
  }),
  route({
    method: 'GET',
    path: '/settings/changes',
    right: 'read',
    in: 'Settings',
    does: 'Who changed which setting, newest first, 50 at a time: give the last `id` as `before` to go on.',
    query: v.strictObject({ before: v.optional(id) }),
    answer: listOf(
      v.strictObject({
        id: v.number(),
        key: v.string(),
        oldValue: v.unknown(),
        newValue: v.unknown(),
        at: time,
        by: v.string(),
        via: v.string(),
      }),
    ),
    run: async ({ web, query, c }) => {
      const keys = mayChange(c.get('who')) ? {} : { but: doorKeys };
      return { items: await readHistory(web.db, query.before ?? null, keys) };
    },
  }),
];

async function settings(web: Web, c: Ctx) {
  const stored = new Map((await readSettings(web.db)).map((row) => [row.key, row]));
  const effective = web.settings();
  return clusterKeys
    .filter((key) => !isDoor(key) || mayChange(c.get('who')))
    .map((key) => {
      const { label, help, type, unit } = specOf(key);
      return {
        key,
        label,
        help,
        type,
        unit: unit ?? null,
        default: specOf(key).default,
        value: effective[key] ?? specOf(key).default,
        version: stored.get(key)?.version ?? 0,
        override: overriddenBy(key),
      };
    });
}
