import { PlainError } from '../errors.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { running } from './running.ts';

const help = `codecshift admin reset [NAME] [--data-dir DIR] [--json]

For whoever has this machine and cannot sign in any more: gives an admin a one-time password, makes the admin where there is none,
and lets it in again where it was kept out. NAME may be left out where there is only one admin. Every sign-in of it ends.
`;

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(['data-dir']), async ({ values, positionals }) => {
    const [action, name, ...rest] = positionals;
    if (action !== 'reset' || rest.length > 0) throw new PlainError('Only this can be done: codecshift admin reset [NAME]');
    const { api } = await running(values);
    const answer = await api<{ name: string; password: string }>('POST', '/admin/reset', name === undefined ? {} : { name });
    print(
      values['json'] === true,
      answer,
      () => `Sign in as ${answer.name} with the one-time password ${answer.password}\nIt works for a day, and you choose your own then.`,
    );
  });
}
