import type { Access } from '../core/access.ts';
import { nameProblem } from '../core/access.ts';
import type { RunOptions } from '../config/load.ts';
import type { Queryable } from '../db/connect.ts';
import { readSetup } from '../db/users.ts';
import { PlainError } from '../errors.ts';
import { createPasswords, passwordProblem } from '../web/auth/password.ts';
import { setupTokenProblem } from '../web/auth/setup-token.ts';

type Options = Pick<RunOptions, 'auth' | 'adminUser' | 'adminPassword' | 'setupToken'>;

/**
 * What the environment says about who may come in, before anything is started.
 * @throws PlainError when it contradicts itself, or would be refused later
 */
export function requireSoundAccess({ adminUser, adminPassword, setupToken }: Options): void {
  if ((adminUser === null) !== (adminPassword === null))
    throw new PlainError('CODECSHIFT_ADMIN_USER and CODECSHIFT_ADMIN_PASSWORD_FILE belong together; only one of them is set.');
  const problem =
    (adminUser !== null && adminPassword !== null && (nameProblem(adminUser) ?? passwordProblem(adminPassword, adminUser))) ||
    (setupToken !== null && setupTokenProblem(setupToken));
  if (problem) throw new PlainError(`The first admin or the set-up token cannot be used as they are. ${problem}`);
}

/**
 * Nobody decided yet how people are let in: makes the first admin that the environment names.
 * @returns true while a person still has to decide it on the page
 */
export async function firstStart(parts: { db: Queryable; access: Access; options: Options }): Promise<boolean> {
  const { db, access, options } = parts;
  if (options.auth === 'none' || (await readSetup(db))) return false;
  if (options.adminUser === null || options.adminPassword === null) return true;
  const password = await createPasswords().hash(options.adminPassword);
  const user = { name: options.adminUser, displayName: '', role: 'admin', password, oneTime: false } as const;
  await access.decide({ method: 'local', user }, { name: 'the environment', via: 'system' }, { address: '', agent: '' });
  return false;
}
