import * as v from 'valibot';
import type { BackupLine } from '../../core/backups.ts';
import { refuse } from '../errors.ts';
import { desk, sendBackup } from '../pages/backup.ts';
import type { Ctx, Web } from '../web.ts';
import { bytes, maybe, maybeTime, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { confirmed, flag, nameOf, text } from './inputs.ts';
import { needsAPerson } from './lasting.ts';

const backup = v.strictObject({
  name: v.string(),
  bytes,
  takenAt: time,
  label: v.pipe(v.string(), v.description('why it was made: manual, nightly, uploaded, before-restore …')),
  encrypted: v.boolean(),
  keys: v.pipe(v.nullable(v.boolean()), v.description('with the keys of the house; null: not known')),
  rows: maybe.number,
  schema: maybe.number,
  verifiedAt: maybeTime,
});
const begun = v.strictObject({ begun: v.literal(true) });
const params = { name: nameOf('backup') };
const passphrase = v.optional(v.nullable(text(500)));

/** Backups of the machine that coordinates. One thing is done at a time; `GET /backups` tells how it goes and how it ended. */
export const backupsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/backups',
    right: 'admin',
    in: 'Backups',
    does: 'Every backup, what is being done with them now, and how the last thing ended.',
    answer: v.strictObject({
      items: v.array(backup),
      folder: v.string(),
      now: v.nullable(v.strictObject({ what: v.string(), says: v.string(), done: maybe.number, of: maybe.number, since: time })),
      last: v.nullable(v.strictObject({ what: v.string(), good: v.boolean(), says: v.array(v.string()), at: time })),
    }),
    run: async ({ web }) => {
      const backups = desk(web);
      return { items: await backups.list(), folder: backups.place().folder, now: backups.now(), last: backups.last() };
    },
  }),
  route({
    method: 'POST',
    path: '/backups',
    right: 'admin',
    in: 'Backups',
    does: 'Begins a backup. With `keys` it can put a burnt-down machine back, and whoever has it can be this house: a token makes none of these.',
    body: v.strictObject({ keys: v.optional(flag), passphrase }),
    status: 202,
    answer: begun,
    run: async ({ web, body, by, c }) => {
      // with a passphrase of its own choice it could open what it fetches, and keep it
      if (body.keys) needsAPerson(c as Ctx, 'No backup was made: with the keys of the house somebody can be this house.');
      await desk(web).begin({ keys: body.keys ?? false, passphrase: body.passphrase ?? null }, by);
      return { begun: true } as const;
    },
  }),
  route({
    method: 'POST',
    path: '/backups/cancel',
    right: 'admin',
    in: 'Backups',
    does: 'Stops what is being done with the backups; a backup that is not complete leaves nothing.',
    answer: v.strictObject({ stopping: v.literal(true) }),
    run: async ({ web, by }) => {
      await desk(web).cancel(by);
      return { stopping: true } as const;
    },
  }),
  route({
    method: 'POST',
    path: '/backups/:name/verify',
    right: 'admin',
    in: 'Backups',
    does: 'Begins to read a backup from its beginning to its end and to compare every digest.',
    params,
    body: v.strictObject({ passphrase }),
    status: 202,
    answer: begun,
    run: async ({ web, params: { name }, body, by }) => {
      await desk(web).verify((await wanted(web, name)).name, body.passphrase ?? null, by);
      return { begun: true } as const;
    },
  }),
  route({
    method: 'GET',
    path: '/backups/:name/file',
    right: 'admin',
    in: 'Backups',
    does: 'The file itself. One that holds the keys of the house without being encrypted is only given to a person, or to the command line.',
    params,
    answer: { media: 'application/gzip', says: 'the file; one that is encrypted looks like random bytes' },
    run: async ({ web, params: { name }, c }) => {
      const line = await wanted(web, name);
      if (!line.encrypted && line.keys !== false) needsAPerson(c as Ctx, 'This backup holds the keys of the house and is not encrypted.');
      return sendBackup(c as Ctx, web, line);
    },
  }),
  route({
    method: 'POST',
    path: '/backups/:name/restore',
    right: 'admin',
    in: 'Backups',
    does: 'Begins to put a backup back: it is read first; when it is whole, all work stops, the present state is backed up, and the machine starts into it.',
    params,
    body: v.strictObject({ passphrase, confirm: confirmed('what happened after the backup is forgotten') }),
    status: 202,
    answer: begun,
    run: async ({ web, params: { name }, body, by, c }) => {
      needsAPerson(c as Ctx, 'A restore brings back people and tokens as they were.');
      await desk(web).restore((await wanted(web, name)).name, body.passphrase ?? null, by);
      return { begun: true } as const;
    },
  }),
  route({
    method: 'POST',
    path: '/backups/:name/remove',
    right: 'admin',
    in: 'Backups',
    does: 'Deletes a backup for good.',
    params,
    body: v.strictObject({ confirm: confirmed('the backup is gone for good') }),
    answer: v.strictObject({ removed: v.string() }),
    run: async ({ web, params: { name }, by }) => {
      await desk(web).remove((await wanted(web, name)).name, by);
      return { removed: name };
    },
  }),
];

async function wanted(web: Web, name: string): Promise<BackupLine> {
  const line = (await desk(web).list()).find((each) => each.name === name);
  if (!line) throw refuse('not-found', 'There is no such backup.');
  return line;
}
