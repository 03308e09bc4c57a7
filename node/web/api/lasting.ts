import type { Ctx } from '../web.ts';
import { ApiProblem } from './problem.ts';

/**
 * A token can be revoked, and then what it could do must be over. So it makes nothing that would go on with its rights: no other
 * admin, no password of one, no member of the cluster (a machine reads films), no token with the scope `admin`, no backup with
 * the keys of the house; and it decides neither how people are let in nor where a stored secret is sent. On the page these ask
 * an admin for a fresh proof, which a program cannot give. The command line of the coordinating machine has all of it anyway.
 *
 * @throws ApiProblem 403
 */
export function needsAPerson(c: Ctx, what: string): void {
  if (c.get('who').kind !== 'token') return;
  throw new ApiProblem(
    403,
    'needs-a-person',
    `${what} A token cannot do that, because it would go on after the token is revoked. An admin does it on the page.`,
  );
}
