import * as v from 'valibot';
import type { Actor, Commands } from '../../core/commands.ts';
import { parseWindows } from '../../core/hours.ts';
import { parseManners } from '../../core/manner-wishes.ts';
import type { NodeChange } from '../../core/node-wishes.ts';
import { listJoinTokens } from '../../db/join-tokens.ts';
import { readNode, type NodeRow } from '../../db/nodes.ts';
import { refuse } from '../errors.ts';
import type { Ctx, Web } from '../web.ts';
import { listOf, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { flag, nameOf, rootId, text, whole, words } from './inputs.ts';
import { needsAPerson } from './lasting.ts';
import { nodeAnswer, nodesJson } from './node-answer.ts';
import { ApiProblem } from './problem.ts';

const params = { id: nameOf('node') };
const named = v.strictObject({ id: v.string() });
const wishes = v.strictObject({
  slots: v.optional(v.nullable(whole(0, 64))),
  mbps: v.optional(v.nullable(whole(1, 100_000))),
  /** its shape is checked by core/hours.ts, which says what is wrong in words */
  schedule: v.optional(v.array(v.unknown(), 'must be a list of hours')),
  /** checked by core/manner-wishes.ts; what is left out stays */
  manners: v.optional(v.looseObject({}, 'must be an object')),
  paused: v.optional(flag),
  draining: v.optional(flag),
});

/** Machines: all that is known about each, and everything a person can wish of one. */
export const nodesApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/nodes',
    right: 'read',
    in: 'Machines',
    does: 'Every machine, also those that ask to join or were rejected: roles, tested encoders, paths, speeds.',
    answer: listOf(nodeAnswer),
    run: async ({ web }) => ({ items: await nodesJson(web) }),
  }),
  route({
    method: 'GET',
    path: '/nodes/tokens',
    right: 'admin',
    in: 'Machines',
    does: 'Tokens for joining that may still be used; never the token itself.',
    answer: listOf(
      v.strictObject({
        id: v.string(),
        label: v.string(),
        usesLeft: v.number(),
        expiresAt: time,
        createdBy: v.string(),
        createdAt: time,
      }),
    ),
    run: async ({ web }) => ({ items: await listJoinTokens(web.db) }),
  }),
  route({
    method: 'POST',
    path: '/nodes/tokens',
    right: 'admin',
    in: 'Machines',
    does: 'Makes a text that lets machines join without a click. It is told in this answer, and nowhere else ever again.',
    body: v.strictObject({ label: v.optional(words(100), ''), uses: v.optional(whole(1, 1000), 1), hours: v.optional(whole(1, 8760), 24) }),
    status: 201,
    answer: v.strictObject({ id: v.string(), token: v.string() }),
    run: async ({ web, body, by, c }) => {
      needsAPerson(c as Ctx, 'No token was made.');
      return web.commands.createJoinToken(body, by);
    },
  }),
  route({
    method: 'POST',
    path: '/nodes/tokens/:id/revoke',
    right: 'admin',
    in: 'Machines',
    does: 'Nobody joins with this token any more. Machines that joined with it stay members.',
    params: { id: nameOf('token') },
    answer: named,
    run: async ({ web, params: { id }, by }) => {
      if (!(await listJoinTokens(web.db)).some((token) => token.id === id)) throw refuse('not-found', 'There is no such token.');
      await web.commands.revokeJoinToken(id, by);
      return { id };
    },
  }),
  route({
    method: 'POST',
    path: '/nodes/cluster',
    right: 'admin',
    in: 'Machines',
    does: 'Gives the cluster another name.',
    body: v.strictObject({ name: text(63) }),
    answer: v.strictObject({ name: v.string() }),
    run: async ({ web, body, by }) => {
      const name = body.name.trim();
      if (name === '')
        throw new ApiProblem(422, 'invalid-input', 'name must not be empty.', [{ path: 'name', problem: 'must not be empty' }]);
      await web.commands.renameCluster(name, by);
      return { name };
    },
  }),
  act(
    'approve',
    'Makes a machine that asks a member, everywhere at once. Compare its six characters with those on its own console first.',
    (m, id, by) => m.approveNode(id, by),
    'The machine was not let in.',
  ),
  act('reject', 'Rejects a machine that asks, until somebody approves it after all.', (m, id, by) => m.declineNode(id, 'reject', by)),
  act('later', 'Not now: nobody is asked about this machine for an hour.', (m, id, by) => m.declineNode(id, 'later', by)),
  act('remove', 'A machine loses every right at once; its running files wait again. It may ask to join again.', (m, id, by) =>
    m.removeNode(id, by),
  ),
  act('hand-over', 'Asks another machine to coordinate. Running encodes go on.', (m, id, by) => m.handOver(id, by)),
  act('detect', 'Tests the encoders of a machine again by real encodes.', (m, id, by) => m.detectEncoders(id, by)),
  act('pause', 'What this machine runs stands still until it is resumed.', (m, id, by) => m.changeNode(id, { paused: true }, by)),
  act('resume', 'A paused machine goes on.', (m, id, by) => m.changeNode(id, { paused: false }, by)),
  act('drain', 'A machine finishes what it runs and begins nothing new.', (m, id, by) => m.changeNode(id, { draining: true }, by)),
  act('undrain', 'A machine takes work again.', (m, id, by) => m.changeNode(id, { draining: false }, by)),
  route({
    method: 'POST',
    path: '/nodes/:id/try-again',
    right: 'admin',
    in: 'Machines',
    does: 'An encoder that is not used because of bad copies gets another chance; `bench` is its number in `benched`.',
    params,
    body: v.strictObject({
      bench: v.pipe(v.number('must be a number'), v.safeInteger('must be a whole number'), v.minValue(1, 'must be 1 at least')),
    }),
    answer: v.strictObject({ id: v.string(), bench: v.number() }),
    run: async ({ web, params, body: { bench }, by }) => {
      const { id } = await nodeOf(web, params.id);
      await web.commands.liftBench(bench, by);
      return { id, bench };
    },
  }),
  route({
    method: 'POST',
    path: '/nodes/:id',
    right: 'admin',
    in: 'Machines',
    does: 'What a person wishes of a machine: encodes at once, hours, bandwidth, manners. What is left out stays; null is back to what the machine says.',
    params,
    body: wishes,
    answer: named,
    run: async ({ web, params, body, by }) => {
      const change = changeOf(body);
      const { id } = await nodeOf(web, params.id);
      await web.commands.changeNode(id, change, by);
      return { id };
    },
  }),
  route({
    method: 'POST',
    path: '/nodes/:id/roots',
    right: 'admin',
    in: 'Machines',
    does: 'Tells a machine where it has a library root. Nothing is replaced there before it is proved to be the same disk.',
    params,
    body: v.strictObject({ root: rootId, path: text(4096) }),
    answer: v.strictObject({ id: v.string(), root: v.string(), path: v.string() }),
    run: async ({ web, params, body: { root, path }, by }) => {
      const { id } = await nodeOf(web, params.id);
      await web.commands.locateRoot({ node: id, root, path }, by);
      return { id, root, path };
    },
  }),
];

/** `person`: what a token is told, for what would go on after it is revoked. */
function act(
  name: string,
  does: string,
  work: (commands: Commands, id: string, by: Actor) => Promise<void>,
  person: string | null = null,
): ApiRoute {
  return route({
    method: 'POST',
    path: `/nodes/:id/${name}`,
    right: 'admin',
    in: 'Machines',
    does,
    params,
    answer: named,
    run: async ({ web, params, by, c }) => {
      const { id } = await nodeOf(web, params.id);
      if (person !== null) needsAPerson(c as Ctx, person);
      await work(web.commands, id, by);
      return { id };
    },
  });
}

/** Only what was named; hours are checked as the page checks them. @throws ApiProblem 422 */
function changeOf({ schedule, manners, ...rest }: v.InferOutput<typeof wishes>): NodeChange {
  const plain = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as NodeChange;
  const hours = schedule === undefined ? null : parseWindows(schedule);
  const polite = manners === undefined ? null : parseManners(manners);
  const problems = [
    ...(hours?.problems ?? []).map((problem) => ({ path: 'schedule', problem })),
    ...(polite?.problems ?? []).map(({ name, problem }) => ({ path: `manners.${name}`, problem })),
  ];
  if (problems.length > 0) throw new ApiProblem(422, 'invalid-input', problems.map((each) => each.problem).join(' '), problems);
  return { ...plain, ...(hours ? { schedule: hours.windows } : {}), ...(polite ? { manners: polite.manners } : {}) };
}

async function nodeOf(web: Web, id: string): Promise<NodeRow> {
  const node = await readNode(web.db, id);
  if (!node) throw refuse('not-found', 'There is no such node.');
  return node;
}
