import * as v from 'valibot';
import { logLevels, logRooms } from '../../core/log-levels.ts';
import { approvedNodes } from '../../db/nodes.ts';
import { PlainError } from '../../errors.ts';
import type { LogBook } from '../../log-book.ts';
import { refuse } from '../errors.ts';
import { readLevels } from '../models/logs.ts';
import type { Web } from '../web.ts';
import { listOf, open } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { bundleAnswer } from '../pages/logs.ts';
import { flag, nameOf, whole, words } from './inputs.ts';

const number = v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'must be a whole number'), v.transform(Number));
export const linesAnswer = v.strictObject({
  items: v.array(
    v.strictObject({
      seq: v.pipe(v.number(), v.description('grows by one with each line of the process')),
      time: v.string(),
      level: v.string(),
      room: v.string(),
      msg: v.string(),
      fields: open('everything else that the line says'),
    }),
  ),
  levels: v.strictObject({
    now: v.pipe(v.string(), v.description('how much is written out, for example info,mesh=debug')),
    usual: v.string(),
    until: v.pipe(v.nullable(v.string()), v.description('when that ends; null: it is the usual')),
  }),
});
export const linesQuery = v.strictObject({
  level: v.optional(v.picklist(logLevels, `must be one of ${logLevels.join(', ')}`)),
  room: v.optional(v.picklist(logRooms, `must be one of ${logRooms.join(', ')}`)),
  words: v.optional(words(200)),
  before: v.optional(number),
  after: v.optional(number),
  limit: v.optional(v.pipe(number, v.minValue(1, 'must be 1 to 1000'), v.maxValue(1000, 'must be 1 to 1000'))),
});

/** Of another machine its newest lines only, as its page shows them. */
const newestQuery = v.strictObject({ level: linesQuery.entries.level, room: linesQuery.entries.room, words: linesQuery.entries.words });
const saidLine = v.strictObject({
  seq: v.number(),
  time: v.string(),
  level: v.string(),
  room: v.string(),
  msg: v.string(),
  rest: v.pipe(v.string(), v.description('everything else that the line says, as text')),
});

export const levelsBody = v.strictObject({ levels: words(300), minutes: v.optional(whole(1, 1440)) });
export const bundleBody = v.strictObject({
  names: v.optional(v.pipe(flag, v.description('keep the real names of films, folders, people and machines'))),
});

/** The log of the coordinating machine. Every machine answers the same at /api/v1/node/logs for its own command line. */
export const logsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/logs',
    right: 'admin',
    in: 'Logs',
    does: 'The newest lines of the log of the machine that coordinates, newest first; with `after`, oldest first. Secrets are left out.',
    query: linesQuery,
    answer: linesAnswer,
    run: async ({ web, query }) => linesOf(bookOf(web), query),
  }),
  route({
    method: 'GET',
    path: '/nodes/:id/logs',
    right: 'admin',
    in: 'Logs',
    does: 'The newest lines of the log of another machine, newest first, as far as it answers now. Secrets are left out there.',
    params: { id: nameOf('node') },
    query: newestQuery,
    answer: listOf(saidLine),
    run: async ({ web, params: { id }, query: { level = 'info', room = null, words: said = '' }, by }) => {
      const other = (await approvedNodes(web.db)).find((node) => node.id === id && id !== web.node.id);
      if (!other) throw refuse('not-found', 'There is no such other machine.');
      return { items: await web.commands.readLog({ nodeId: other.id, level, room, words: said }, by) };
    },
  }),
  route({
    method: 'POST',
    path: '/logs/levels',
    right: 'admin',
    in: 'Logs',
    does: 'How much of the log is written out on the machine that coordinates, for some minutes. Empty levels: the usual at once.',
    body: levelsBody,
    answer: linesAnswer.entries.levels,
    run: async ({ web, body }) => {
      const read = readLevels(body.levels, body.minutes ?? 30);
      if ('problem' in read) throw new PlainError(read.problem);
      bookOf(web).setLevels(read.wish, read.forMs);
      return bookOf(web).levels();
    },
  }),
  route({
    method: 'POST',
    path: '/logs/support-bundle',
    right: 'admin',
    in: 'Logs',
    does: 'Makes a support bundle of the machine that coordinates, a .tar.gz without secrets; answers when it is whole, which takes up to a minute.',
    body: bundleBody,
    answer: { media: 'application/gzip', says: 'The bundle.' },
    run: ({ web, body, c }) => bundleAnswer(web, body.names ?? false, c.req.raw.signal),
  }),
];

/** What `/logs` answers; the front of each machine answers the same of its own book. */
export function linesOf(book: LogBook, { level, room, words: said, before, after, limit = 200 }: v.InferOutput<typeof linesQuery>) {
  const asked = { ...(level ? { level } : {}), ...(room ? { room } : {}), ...(said ? { words: said } : {}) };
  const items = book.lines({ ...asked, ...(before ? { before } : {}), ...(after === undefined ? {} : { after }), limit });
  return { items, levels: book.levels() };
}

function bookOf(web: Web): NonNullable<Web['logs']> {
  if (!web.logs) throw refuse('not-found', 'This machine keeps no lines of its log.');
  return web.logs;
}
