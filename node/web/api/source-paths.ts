import * as v from 'valibot';
import type { PathRule } from '../../core/commands.ts';
import { isProved } from '../../core/source-proof.ts';
import { listOf, maybe } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { flag, numberOf, rootId, text, words } from './inputs.ts';
import { pathAnswer, pathsOf, sourceOf } from './source-answer.ts';

const params = { id: numberOf('media server') };
const rules = v.pipe(
  v.array(v.strictObject({ prefix: text(1000), root: rootId, folder: v.optional(words(1000), '') }), 'must be a list'),
  v.maxLength(200, 'must hold at most 200 rules'),
);
const rule = { prefix: v.string(), root: v.string(), folder: v.string() };

const proofAnswer = v.strictObject({
  ...rule,
  nodes: v.array(
    v.strictObject({
      nodeId: v.string(),
      name: v.string(),
      found: v.number(),
      otherSize: v.number(),
      of: v.number(),
      problem: maybe.text,
    }),
  ),
  samples: v.array(v.strictObject({ path: v.string(), file: v.string(), state: v.picklist(['found', 'other-size', 'missing']) })),
  proved: v.boolean(),
});

/** Which root each folder of a media server is. */
export const sourcePathsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/sources/:id/paths',
    right: 'read',
    in: 'Media servers',
    does: 'Which library root each folder of a media server is.',
    params,
    answer: listOf(pathAnswer),
    run: async ({ web, params }) => ({ items: await pathsOf(web, (await sourceOf(web, params.id)).id) }),
  }),
  route({
    method: 'POST',
    path: '/sources/:id/paths/propose',
    right: 'admin',
    in: 'Media servers',
    does: 'Guesses from sample files which root each folder is. Saves nothing.',
    params,
    answer: listOf(v.strictObject({ ...rule, matched: v.number(), of: v.number() })),
    run: async ({ web, params, by }) => {
      const { id } = await sourceOf(web, params.id);
      return { items: (await web.commands.proposePaths(id, by)).map(({ rootId, ...proposal }) => ({ ...proposal, root: rootId })) };
    },
  }),
  route({
    method: 'POST',
    path: '/sources/:id/paths/prove',
    right: 'admin',
    in: 'Media servers',
    does: 'Looks for sample files on every machine that has the root. Saves nothing.',
    params,
    body: v.strictObject({ rules, anyway: v.optional(flag, false) }),
    answer: listOf(proofAnswer),
    run: async ({ web, params, body, by }) => {
      const { id } = await sourceOf(web, params.id);
      const proofs = await web.commands.provePaths(id, body.rules.map(ruleOf), by);
      return { items: proofs.map(({ rootId, ...proof }) => ({ ...proof, root: rootId, proved: isProved(proof) })) };
    },
  }),
  route({
    method: 'POST',
    path: '/sources/:id/paths',
    right: 'admin',
    in: 'Media servers',
    does: 'Saves all rules of a server. Refused while one of them is not proved, unless `anyway` is true.',
    params,
    body: v.strictObject({ rules, anyway: v.optional(flag, false) }),
    answer: v.strictObject({ id: v.number(), items: v.array(pathAnswer) }),
    run: async ({ web, params, body, by }) => {
      const { id } = await sourceOf(web, params.id);
      await web.commands.savePaths(id, body.rules.map(ruleOf), body.anyway, by);
      return { id, items: await pathsOf(web, id) };
    },
  }),
];

function ruleOf({ root, ...given }: v.InferOutput<typeof rules>[number]): PathRule {
  return { ...given, rootId: root };
}
