import * as v from 'valibot';
import { route, type ApiRoute } from './declare.ts';
import { confirmed, int4, whole } from './inputs.ts';

const isPaused = v.strictObject({ paused: v.boolean() });

/** What moves everything at once. */
export const workApi: ApiRoute[] = [
  route({
    method: 'POST',
    path: '/pause',
    right: 'queue',
    in: 'Work',
    does: 'Pauses all work: running files are finished, no new one begins.',
    answer: isPaused,
    run: async ({ web, by }) => (await web.commands.pauseAll(by), { paused: true }),
  }),
  route({
    method: 'POST',
    path: '/resume',
    right: 'queue',
    in: 'Work',
    does: 'Goes on with the work.',
    answer: isPaused,
    run: async ({ web, by }) => (await web.commands.resumeAll(by), { paused: false }),
  }),
  route({
    method: 'POST',
    path: '/scan',
    right: 'hook',
    in: 'Work',
    does: 'Looks through one library for new and changed files, or through all. Answers when the scans have begun.',
    body: v.strictObject({
      library: v.optional(v.nullable(whole(1, int4))),
    }),
    status: 202,
    answer: v.strictObject({ started: v.pipe(v.number(), v.description('how many scans began')) }),
    run: async ({ web, by, body }) => ({ started: await web.commands.scan(body.library ?? null, by) }),
  }),
  route({
    method: 'POST',
    path: '/clear',
    right: 'admin',
    in: 'Work',
    does: 'Takes every waiting file out of the queue. Running files go on; a scan that a person asks for brings them back.',
    body: v.strictObject({ confirm: confirmed('this takes every waiting file out of the queue') }),
    answer: v.strictObject({ removed: v.number() }),
    run: async ({ web, by }) => ({ removed: await web.commands.clearQueue(by) }),
  }),
];
