import * as v from 'valibot';
import { chosenTotals, lastCleanups, listLeftovers, readCleanup, type Cleanup } from '../../db/cleanups.ts';
import { listFound, listStrangers } from '../../db/found-originals.ts';
import { listLibraries } from '../../db/libraries.ts';
import { listNodes } from '../../db/nodes.ts';
import { trashOfRoots } from '../../db/originals.ts';
import { keepersOf, listRoots } from '../../db/roots.ts';
import { refuse } from '../errors.ts';
import type { Web } from '../web.ts';
import { bytes, done, listOf, maybe, maybeReason, maybeTime, pageOf, reasonJson, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { confirmed, flag, numberOf, oneOf, paged, rootId, whole, wishOf } from './inputs.ts';

const cleanup = {
  id: v.number(),
  root: v.string(),
  nodeId: maybe.text,
  state: v.picklist(['listing', 'listed', 'deleting', 'done', 'failed', 'cancelled']),
  looked: v.number(),
  live: v.number(),
  dead: v.number(),
  deadBytes: bytes,
  ask: v.number(),
  askBytes: bytes,
  more: v.pipe(v.boolean(), v.description('the list was cut')),
  deleted: v.number(),
  deletedBytes: bytes,
  kept: v.number(),
  reason: maybeReason,
  askedBy: v.string(),
  deletedBy: maybe.text,
  startedAt: time,
  listedAt: maybeTime,
  endedAt: maybeTime,
};
const chosenAnswer = v.strictObject({
  files: v.number(),
  bytes,
  asked: v.pipe(v.number(), v.description('of these, so many are not provably ours')),
  askedBytes: bytes,
});
const trashAnswer = v.strictObject({
  files: v.number(),
  bytes,
  oldest: v.optional(time),
  held: v.optional(v.pipe(v.number(), v.description('these stay when the trash is emptied: their new files are looked at again'))),
  heldBytes: v.optional(bytes),
  stay: v.optional(v.pipe(v.number(), v.description('of those held, found in the trash and never deleted by themselves'))),
  found: v.optional(v.pipe(v.number(), v.description('learned of from the trash, because the books had not known them'))),
  upTo: v.optional(v.pipe(v.number(), v.description('the newest of them, for POST /trash/empty'))),
});
const foundOriginal = {
  id: v.number(),
  fileId: maybe.number,
  title: v.string(),
  path: v.string(),
  sizeBytes: bytes,
  expiresAt: time,
  since: v.pipe(v.string(), v.description('since when it waits there, by the note beside it')),
  kind: v.picklist(['original', 'output']),
  stays: v.pipe(v.nullable(v.picklist(['nothing-in-place', 'other-house'])), v.description('why it is never deleted by itself')),
};
const fromNumber = v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'must be a whole number'), v.transform(Number));
const params = { id: numberOf('clean-up') };

/** What was left lying about in the libraries, and their trashes: looked for, listed, and deleted where a person says so. */
export const cleanupsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/cleanups',
    right: 'read',
    in: 'Clean-up',
    does: 'Every library root: which machines can look there, its last clean-up, and what its trash holds.',
    answer: listOf(
      v.strictObject({
        root: v.string(),
        libraries: v.array(v.strictObject({ id: v.number(), name: v.string() })),
        keepers: v.array(v.strictObject({ id: v.string(), name: maybe.text, path: v.string() })),
        cleanup: v.nullable(v.strictObject(cleanup)),
        trash: trashAnswer,
      }),
    ),
    run: async ({ web }) => ({ items: await roots(web) }),
  }),
  route({
    method: 'POST',
    path: '/cleanups',
    right: 'admin',
    in: 'Clean-up',
    does: 'Looks for leftovers in one root, or in all. Nothing is deleted by that.',
    body: v.strictObject({ root: v.optional(v.nullable(rootId)) }),
    status: 202,
    answer: v.strictObject({ started: v.pipe(v.array(v.number()), v.description('the clean-ups that began')) }),
    run: async ({ web: { db, commands }, body: { root }, by }) => {
      if (root != null && !(await listRoots(db)).some(({ id }) => id === root)) throw refuse('not-found', 'There is no such library root.');
      return { started: await commands.lookForLeftovers(root ?? null, by) };
    },
  }),
  route({
    method: 'GET',
    path: '/cleanups/:id',
    right: 'read',
    in: 'Clean-up',
    does: 'One clean-up with what of it is chosen.',
    params,
    answer: v.strictObject({ ...cleanup, chosen: chosenAnswer }),
    run: async ({ web, params: { id } }) => {
      const found = await cleanupOf(web, id);
      return { ...cleanupJson(found), chosen: await chosenTotals(web.db, found.id) };
    },
  }),
  route({
    method: 'GET',
    path: '/cleanups/:id/files',
    right: 'read',
    in: 'Clean-up',
    does: 'What a clean-up found: files of attempts that are over (dead), files to ask a person about, and files in use (live).',
    params,
    query: v.strictObject({ standing: v.optional(oneOf(['dead', 'ask', 'live']), 'dead'), ...paged }),
    answer: pageOf(
      v.strictObject({
        n: v.pipe(v.number(), v.description('its number in this list, for choosing')),
        path: v.string(),
        sizeBytes: bytes,
        mtimeMs: v.number(),
        attemptId: maybe.number,
        standing: v.picklist(['dead', 'ask', 'live']),
        why: v.string(),
        state: v.picklist(['found', 'chosen', 'deleted', 'gone', 'kept']),
        note: maybe.text,
      }),
    ),
    run: async ({ web, params: { id }, query }) => {
      await cleanupOf(web, id);
      const { rows, before, after } = await listLeftovers(web.db, id, query.standing, wishOf(query));
      return { items: rows.map(({ inode: _inode, ...row }) => row), before, after };
    },
  }),
  route({
    method: 'POST',
    path: '/cleanups/:id/choose',
    right: 'admin',
    in: 'Clean-up',
    does: 'Chooses files of a clean-up for deletion, or takes that back. Nothing is deleted by it.',
    params,
    body: v.strictObject({
      files: v.pipe(
        v.array(whole(1, 1e9), 'must be a list'),
        v.minLength(1, 'must hold at least one number'),
        v.maxLength(200, 'must hold at most 200 numbers'),
      ),
      chosen: flag,
    }),
    answer: v.strictObject({ changed: v.number(), chosen: chosenAnswer }),
    run: async ({ web, params, body: { files, chosen }, by }) => {
      const { id } = await cleanupOf(web, params.id);
      const changed = await web.commands.chooseLeftovers(id, { shown: files, chosen: chosen ? files : [] }, by);
      return { changed, chosen: await chosenTotals(web.db, id) };
    },
  }),
  route({
    method: 'POST',
    path: '/cleanups/:id/choose-folder',
    right: 'admin',
    in: 'Clean-up',
    does: 'Chooses every file that lies in the folder of one of the list. Nothing is deleted by it.',
    params,
    body: v.strictObject({ file: whole(1, 1e9) }),
    answer: v.strictObject({ changed: v.number(), chosen: chosenAnswer }),
    run: async ({ web, params, body: { file }, by }) => {
      const { id } = await cleanupOf(web, params.id);
      const changed = await web.commands.chooseLeftovers(id, { folderOf: file }, by);
      return { changed, chosen: await chosenTotals(web.db, id) };
    },
  }),
  route({
    method: 'POST',
    path: '/cleanups/:id/delete',
    right: 'admin',
    in: 'Clean-up',
    does: 'Deletes what is chosen; each file is looked at once more first. `asked` says how many of it are known not to be provably ours: with another number nothing is deleted.',
    params,
    body: v.strictObject({ asked: v.optional(whole(0, 1e9), 0) }),
    status: 202,
    answer: v.strictObject({ id: v.number(), files: v.number(), bytes }),
    run: async ({ web, params, body: { asked }, by }) => {
      const { id } = await cleanupOf(web, params.id);
      return { id, ...(await web.commands.deleteLeftovers(id, asked, by)) };
    },
  }),
  route({
    method: 'POST',
    path: '/cleanups/:id/cancel',
    right: 'admin',
    in: 'Clean-up',
    does: 'Stops a clean-up. What was not deleted yet stays.',
    params,
    answer: done,
    run: async ({ web, params, by }) => {
      const { id } = await cleanupOf(web, params.id);
      await web.commands.cancelCleanup(id, by);
      return { id };
    },
  }),
  route({
    method: 'GET',
    path: '/trash/found',
    right: 'read',
    in: 'Clean-up',
    does: 'What lay in the trash of one root without being in the books: originals, at most 100 from `from` on, which POST /originals/:id/restore puts back; and files that nothing explains, which are never touched.',
    query: v.strictObject({ root: rootId, from: v.optional(fromNumber, '0') }),
    answer: v.strictObject({
      items: v.array(v.strictObject(foundOriginal)),
      strangers: v.array(v.strictObject({ path: v.string(), sizeBytes: bytes, why: v.string() })),
    }),
    run: async ({ web, query: { root, from } }) => {
      const [found, strangers] = await Promise.all([listFound(web.db, root, from - 1), listStrangers(web.db, root)]);
      return {
        items: found.map(({ found: { since, kind, stays }, expiresAt, ...original }) => ({
          ...original,
          ...{ expiresAt: expiresAt.toISOString(), since, kind, stays },
        })),
        strangers: strangers.map(({ trashPath, sizeBytes, why }) => ({ path: trashPath, sizeBytes, why })),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/trash/empty',
    right: 'admin',
    in: 'Clean-up',
    does: 'Deletes the originals in the trash of one root for good, up to the one that GET /cleanups named in `upTo`; those that wait for another look stay.',
    body: v.strictObject({ root: rootId, upTo: whole(1, 1e15), confirm: confirmed('these originals are deleted for good') }),
    status: 202,
    answer: v.strictObject({ files: v.number(), bytes }),
    errors: [404],
    run: async ({ web, body: { root, upTo }, by }) => {
      const trash = (await trashOfRoots(web.db)).find((t) => t.rootId === root);
      if (!trash) throw refuse('not-found', 'There is nothing in this trash.');
      return web.commands.emptyTrash(root, upTo, by);
    },
  }),
];

async function roots({ db }: Web) {
  const [all, libraries, nodes, last, trashes] = await Promise.all([
    listRoots(db),
    listLibraries(db),
    listNodes(db),
    lastCleanups(db),
    trashOfRoots(db),
  ]);
  const names = new Map(nodes.map((node) => [node.id, node.name]));
  return Promise.all(
    all.map(async ({ id }) => {
      const found = last.find((c) => c.rootId === id);
      const { rootId: _root, ...trash } = trashes.find((t) => t.rootId === id) ?? { rootId: id, files: 0, bytes: 0 };
      return {
        root: id,
        libraries: libraries.filter((l) => l.rootId === id).map((l) => ({ id: l.id, name: l.name })),
        keepers: (await keepersOf(db, id)).map((k) => ({ id: k.nodeId, name: names.get(k.nodeId) ?? null, path: k.path })),
        cleanup: found ? cleanupJson(found) : null,
        trash,
      };
    }),
  );
}

async function cleanupOf({ db }: Web, id: number): Promise<Cleanup> {
  const found = await readCleanup(db, id);
  if (!found) throw refuse('not-found', 'There is no such clean-up. Only the last ones of each library are remembered.');
  return found;
}

function cleanupJson({ reason, rootId: root, ...rest }: Cleanup) {
  return { ...rest, root, reason: reasonJson(reason) };
}
