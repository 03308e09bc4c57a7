import * as v from 'valibot';
import { nameProblem } from '../../core/access.ts';
import { listUsers } from '../../db/users.ts';
import { PlainError } from '../../errors.ts';
import { givenPassword } from '../auth/given-password.ts';
import type { Ctx, Web } from '../web.ts';
import { route, type ApiRoute } from './declare.ts';
import { words } from './inputs.ts';

/** For the command line of the coordinating machine itself (core/access.ts: `host`), and nobody else. */
export const adminApi: ApiRoute[] = [
  route({
    method: 'POST',
    path: '/admin/reset',
    right: 'host',
    in: 'People',
    does: 'Makes an admin, or puts one right, with a password for one day. Only for the command line of the machine that coordinates.',
    body: v.strictObject({ name: v.optional(words(60)) }),
    answer: v.strictObject({ name: v.string(), password: v.string() }),
    run: async ({ web, body, by, c }) => {
      const name = body.name ?? (await onlyAdmin(web));
      const problem = nameProblem(name);
      if (problem) throw new PlainError(problem);
      const password = givenPassword();
      await web.auth.access.resetAdmin({ name, password: await web.auth.passwords.hash(password) }, by, web.auth.from(c as Ctx));
      return { name, password };
    },
  }),
];

async function onlyAdmin(web: Web): Promise<string> {
  const admins = (await listUsers(web.db)).filter(({ role }) => role === 'admin');
  if (admins.length === 1) return admins[0]!.name;
  if (admins.length === 0) throw new PlainError('There is no admin yet. Say what it shall be called: codecshift admin reset NAME');
  throw new PlainError(`There are several admins. Say which one: codecshift admin reset ${admins.map(({ name }) => name).join('|')}`);
}
