import * as v from 'valibot';
import { whileMay } from '../auth/while-may.ts';
import { refuse } from '../errors.ts';
import type { Ctx } from '../web.ts';
import { route, type ApiRoute } from './declare.ts';
import { feedTypes } from './feed.ts';
import { words } from './inputs.ts';

/** What happens, as it happens: see feed.ts. */
export const eventsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/events',
    right: 'read',
    in: 'Status',
    does: 'What happens, as it happens: an event stream (text/event-stream). An event says what changed; how it is now is read from its own route. Events carry ids: with the header Last-Event-ID, or `after`, a reader goes on where it was. `resync` says that more happened than is remembered: read anew what you show. `types` narrows it, separated by commas.',
    query: v.strictObject({
      after: v.optional(words(60)),
      types: v.optional(
        v.pipe(
          words(400),
          v.check(
            (text) => text.split(',').every((type) => (feedTypes as readonly string[]).includes(type)),
            `must be of ${feedTypes.join(', ')}`,
          ),
        ),
      ),
    }),
    answer: {
      media: 'text/event-stream',
      says: `Events of the types ${feedTypes.join(', ')}; hello when it begins, resync when some were missed. A comment every 15 seconds says that it is still there.`,
    },
    run: async ({ web, c, query: { after, types } }) => {
      const valid = whileMay(web, c as Ctx, 'read');
      const stream = web.feed.open({
        key: keyOf(c as Ctx),
        after: after ?? c.req.header('last-event-id') ?? '',
        types: types === undefined ? null : new Set(types.split(',')),
        signal: AbortSignal.any([c.req.raw.signal, valid.signal]),
        onEnd: () => valid.release(),
      });
      if (!stream) {
        valid.release();
        throw refuse('too-many', 'More event streams are open than this node serves to one token.');
      }
      return c.body(stream, 200, {
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
    },
  }),
];

function keyOf(c: Ctx): string {
  const who = c.get('who');
  return who.kind === 'token' ? who.token.id : `${who.kind} ${c.env?.visitor?.address ?? ''}`;
}
