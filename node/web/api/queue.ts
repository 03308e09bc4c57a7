import * as v from 'valibot';
import type { JobSelection } from '../../core/commands.ts';
import { priorities } from '../../core/job.ts';
import { route, type ApiRoute } from './declare.ts';
import { flag, oneOf, text, whole } from './inputs.ts';
import { ApiProblem } from './problem.ts';

const body = v.strictObject({
  do: oneOf(['high', 'normal', 'low', 'top', 'end', 'remove', 'exclude']),
  ids: v.optional(
    v.pipe(
      v.array(whole(1, 1e15), 'must be a list'),
      v.minLength(1, 'must hold at least one number'),
      v.maxLength(1000, 'must hold at most 1000 numbers'),
    ),
  ),
  filter: v.optional(
    v.strictObject({
      library: v.optional(whole(1, 2 ** 31 - 1)),
      q: v.optional(text(200)),
      format: v.optional(text(64)),
      priority: v.optional(oneOf(priorities)),
    }),
  ),
  confirm: v.optional(flag),
});
type Body = v.InferOutput<typeof body>;

/** Many waiting files at once, as the ticks and the filter of the page do. */
export const queueApi: ApiRoute[] = [
  route({
    method: 'POST',
    path: '/queue',
    right: 'admin',
    in: 'Queue',
    does: 'Changes many waiting files at once: those with the numbers in `ids`, or everything that `filter` matches ({} is all). `remove` takes them out of the queue, `exclude` also leaves them alone from then on; both want `confirm: true`.',
    body,
    answer: v.strictObject({ changed: v.number() }),
    run: async ({ web: { commands }, body, by }) => {
      const which = selectionOf(body);
      switch (body.do) {
        case 'top':
        case 'end':
          return { changed: await commands.moveJobs(which, body.do, by) };
        case 'remove':
        case 'exclude':
          if (body.confirm !== true) throw wrong('confirm', 'must be true: these files leave the queue');
          return { changed: await commands.removeJobs(which, body.do === 'exclude', by) };
        default:
          return { changed: await commands.prioritise(which, body.do, by) };
      }
    },
  }),
];

function selectionOf({ ids, filter }: Body): JobSelection {
  if (ids && !filter) return { ids };
  if (!filter || ids) throw wrong('ids', 'must be there, or filter, and not both');
  const { library, q, format, priority } = filter;
  return { filter: { libraryId: library ?? null, search: q?.trim() || null, codec: format ?? null, priority: priority ?? null } };
}

function wrong(path: string, problem: string): ApiProblem {
  return new ApiProblem(422, 'invalid-input', `${path} ${problem}.`, [{ path, problem }]);
}
