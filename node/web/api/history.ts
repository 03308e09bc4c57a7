import * as v from 'valibot';
import { listActivity } from '../../db/activity.ts';
import { listAudit } from '../../db/audit.ts';
import { lastDays, totals } from '../../db/stats.ts';
import { activityText } from '../models/activity.ts';
import { maybe, pageOf, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { id, library, oneOf, paged, wishOf } from './inputs.ts';

const sums = {
  replaced: v.number(),
  kept: v.number(),
  failed: v.number(),
  bytesIn: v.number(),
  bytesOut: v.number(),
  mediaMs: v.pipe(v.number(), v.description('length of the films that were converted')),
  busyMs: v.pipe(v.number(), v.description('time that attempts took')),
};

/** What came of it, what happened, and who did it. */
export const historyApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/stats',
    right: 'read',
    in: 'History',
    does: 'What came of it since the beginning, and day by day.',
    query: v.strictObject({
      days: v.optional(v.pipe(v.string(), v.regex(/^([1-9]\d?|[1-3]\d\d)$/, 'must be 1 to 399'), v.transform(Number)), '30'),
    }),
    answer: v.strictObject({ total: v.strictObject(sums), days: v.array(v.strictObject({ day: v.string(), ...sums })) }),
    run: async ({ web, query: { days } }) => ({ total: await totals(web.db), days: await lastDays(web.db, days) }),
  }),
  route({
    method: 'GET',
    path: '/activity',
    right: 'read',
    in: 'History',
    does: 'What happened, newest first, each with its sentence.',
    query: v.strictObject({ library, severity: v.optional(oneOf(['0', '1', '2']), '0'), ...paged }),
    answer: pageOf(
      v.strictObject({
        id: v.number(),
        at: time,
        kind: v.string(),
        severity: v.pipe(v.picklist([0, 1, 2]), v.description('0 a note, 1 needs a look, 2 failed')),
        nodeId: maybe.text,
        libraryId: maybe.number,
        jobId: maybe.number,
        fileId: maybe.number,
        by: maybe.text,
        sentence: v.string(),
      }),
    ),
    run: async ({ web, query }) => {
      const filter = { libraryId: query.library ?? null, minSeverity: Number(query.severity) as 0 | 1 | 2 };
      const { rows, before, after } = await listActivity(web.db, filter, wishOf(query));
      return {
        items: rows.map(({ term: _term, params, ...event }) => ({ ...event, sentence: activityText({ kind: event.kind, params }) })),
        before,
        after,
      };
    },
  }),
  route({
    method: 'GET',
    path: '/audit',
    right: 'admin',
    in: 'History',
    does: 'Who did what from where, newest first, 50 at a time: give the last `id` as `before` to go on.',
    query: v.strictObject({ before: v.optional(id) }),
    answer: v.strictObject({
      items: v.array(
        v.strictObject({
          id: v.number(),
          at: time,
          actor: v.string(),
          userId: maybe.number,
          via: v.string(),
          address: v.string(),
          agent: v.string(),
          action: v.string(),
          object: v.string(),
          result: v.picklist(['ok', 'refused', 'failed']),
          says: v.string(),
        }),
      ),
    }),
    run: async ({ web, query: { before } }) => ({ items: await listAudit(web.db, before ?? null) }),
  }),
];
