import type * as v from 'valibot';
import { parseWindows } from '../../core/hours.ts';
import { conductOf } from '../../core/manners.ts';
import { mannersOf, parseManners } from '../../core/manner-wishes.ts';
import type { NodeChange } from '../../core/node-wishes.ts';
import { sentence } from '../../core/reasons.ts';
import { listCandidates } from '../../db/candidates.ts';
import { listBenched } from '../../db/benched.ts';
import { readLease } from '../../db/coordinator.ts';
import { runningJobs } from '../../db/job-lists.ts';
import { listJoinTokens } from '../../db/join-tokens.ts';
import { listLibraries } from '../../db/libraries.ts';
import { listSpeeds } from '../../db/node-speeds.ts';
import { listNodes, readNode, type NodeRow } from '../../db/nodes.ts';
import { listNodeRoots } from '../../db/roots.ts';
import { refuse } from '../errors.ts';
import { isAway } from '../models/node.ts';
import type { Web } from '../web.ts';
import { ApiProblem, benchBody, bodyAs, nodeBody, nothingBody, rootBody, tokenBody, type ApiContext } from './v1.ts';

type Route = (path: string, answer: (c: ApiContext) => Promise<Response>) => void;

/** Machines: all that is known about each, and everything a person can wish of one. */
export function nodeRoutes(get: Route, post: Route, web: Web): void {
  const { commands } = web;

  get('/nodes', async (c) => c.json({ items: await nodes(web) }));
  get('/nodes/tokens', async (c) => c.json({ items: await listJoinTokens(web.db) }));
  post('/nodes/tokens', async (c) => {
    const { label = '', uses = 1, hours = 24 } = await bodyAs(c, tokenBody);
    return c.json(await commands.createJoinToken({ label, uses, hours }, c.get('actor')), 201);
  });
  post('/nodes/tokens/:id/revoke', async (c) => {
    await bodyAs(c, nothingBody);
    const id = c.req.param('id') ?? '';
    if (!(await listJoinTokens(web.db)).some((token) => token.id === id)) throw refuse('not-found', 'There is no such token.');
    await commands.revokeJoinToken(id, c.get('actor'));
    return c.json({ id });
  });

  const act = (name: string, run: (node: NodeRow, c: ApiContext) => Promise<void>): void =>
    post(`/nodes/:id/${name}`, async (c) => {
      await bodyAs(c, nothingBody);
      const node = await nodeOf(web, c);
      await run(node, c);
      return c.json({ id: node.id });
    });
  act('approve', ({ id }, c) => commands.approveNode(id, c.get('actor')));
  act('reject', ({ id }, c) => commands.declineNode(id, 'reject', c.get('actor')));
  act('later', ({ id }, c) => commands.declineNode(id, 'later', c.get('actor')));
  act('remove', ({ id }, c) => commands.removeNode(id, c.get('actor')));
  act('hand-over', ({ id }, c) => commands.handOver(id, c.get('actor')));
  act('detect', ({ id }, c) => commands.detectEncoders(id, c.get('actor')));
  post('/nodes/:id/try-again', async (c) => {
    const { bench } = await bodyAs(c, benchBody);
    const node = await nodeOf(web, c);
    await commands.liftBench(bench, c.get('actor'));
    return c.json({ id: node.id, bench });
  });
  act('pause', ({ id }, c) => commands.changeNode(id, { paused: true }, c.get('actor')));
  act('resume', ({ id }, c) => commands.changeNode(id, { paused: false }, c.get('actor')));
  act('drain', ({ id }, c) => commands.changeNode(id, { draining: true }, c.get('actor')));
  act('undrain', ({ id }, c) => commands.changeNode(id, { draining: false }, c.get('actor')));

  post('/nodes/:id', async (c) => {
    const wishes = wishesFrom(await bodyAs(c, nodeBody));
    const node = await nodeOf(web, c);
    await commands.changeNode(node.id, wishes, c.get('actor'));
    return c.json({ id: node.id });
  });
  post('/nodes/:id/roots', async (c) => {
    const { root, path } = await bodyAs(c, rootBody);
    const node = await nodeOf(web, c);
    await commands.locateRoot({ node: node.id, root, path }, c.get('actor'));
    return c.json({ id: node.id, root, path });
  });
}

/** Only what was named; hours are checked as the page checks them. @throws ApiProblem 422 */
function wishesFrom({ schedule, manners, ...rest }: v.InferOutput<typeof nodeBody>): NodeChange {
  const wishes = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as NodeChange;
  const hours = schedule === undefined ? null : parseWindows(schedule);
  const polite = manners === undefined ? null : parseManners(manners);
  const problems = [
    ...(hours?.problems ?? []).map((problem) => ({ path: 'schedule', problem })),
    ...(polite?.problems ?? []).map(({ name, problem }) => ({ path: `manners.${name}`, problem })),
  ];
  if (problems.length > 0) throw new ApiProblem(422, 'invalid-input', problems.map((each) => each.problem).join(' '), problems);
  return { ...wishes, ...(hours ? { schedule: hours.windows } : {}), ...(polite ? { manners: polite.manners } : {}) };
}

async function nodes({ db, now: clock, node: self }: Web): Promise<object[]> {
  const [rows, running, lease, roots, libraries, candidates, speeds, benched] = await Promise.all([
    listNodes(db),
    runningJobs(db),
    readLease(db),
    listNodeRoots(db),
    listLibraries(db),
    listCandidates(db),
    listSpeeds(db),
    listBenched(db),
  ]);
  const leader = lease.held ? lease.holder : null;
  return rows.map(({ classes: _classes, ...node }) => ({
    ...node,
    manners: mannersOf(node.manners),
    conduct: conductJson(node.metrics['conduct']),
    away: isAway(node, [self.id, leader], clock()),
    coordinator: node.id === leader,
    candidate: candidates.some((c) => c.nodeId === node.id && c.fresh),
    running: running.filter((job) => job.nodeId === node.id).map((job) => job.id),
    speeds: speeds.filter((s) => s.nodeId === node.id).map(({ nodeId: _node, ...speed }) => speed),
    benched: benched
      .filter((b) => b.nodeId === node.id)
      .map(({ nodeId: _node, reason, ...bench }) => ({ ...bench, reason: { ...reason, sentence: sentence(reason) } })),
    roots: roots
      .filter((r) => r.nodeId === node.id)
      .map(({ nodeId: _node, problem, ...root }) => ({
        ...root,
        libraries: libraries.filter((l) => l.rootId === root.rootId).map((l) => l.id),
        problem: problem && { code: problem, sentence: sentence({ code: problem, params: { path: root.path } }) },
      })),
  }));
}

/** What it does out of consideration now, with the words for it. */
function conductJson(told: unknown): object {
  const { does, atOnce, reason } = conductOf(told);
  return { does, atOnce, reason: reason && { code: reason.code, params: reason.params ?? {}, sentence: sentence(reason) } };
}

async function nodeOf(web: Web, c: ApiContext): Promise<NodeRow> {
  const node = await readNode(web.db, c.req.param('id') ?? '');
  if (!node) throw refuse('not-found', 'There is no such node.');
  return node;
}
