import * as v from 'valibot';
import { nameProblem } from '../../core/access.ts';
import { listUsers } from '../../db/users.ts';
import { PlainError } from '../../errors.ts';
import { givenPassword } from '../auth/given-password.ts';
import type { Web } from '../web.ts';
import { bodyAs, type ApiContext } from './v1.ts';

type Add = (path: string, answer: (c: ApiContext) => Promise<Response>) => void;

const resetBody = v.strictObject({ name: v.optional(v.pipe(v.string(), v.maxLength(60))) });

/** For the command line of the coordinating machine itself (auth/rights.ts: `host`), and nobody else. */
export function adminRoutes(post: Add, web: Web): void {
  post('/admin/reset', async (c) => {
    const { name = await onlyAdmin(web) } = await bodyAs(c, resetBody);
    const problem = nameProblem(name);
    if (problem) throw new PlainError(problem);
    const password = givenPassword();
    await web.auth.access.resetAdmin({ name, password: await web.auth.passwords.hash(password) }, c.get('actor'), web.auth.from(c));
    return c.json({ name, password });
  });
}

async function onlyAdmin(web: Web): Promise<string> {
  const admins = (await listUsers(web.db)).filter(({ role }) => role === 'admin');
  if (admins.length === 1) return admins[0]!.name;
  if (admins.length === 0) throw new PlainError('There is no admin yet. Say what it shall be called: codecshift admin reset NAME');
  throw new PlainError(`There are several admins. Say which one: codecshift admin reset ${admins.map(({ name }) => name).join('|')}`);
}
