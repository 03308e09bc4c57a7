import { PlainError } from '../../errors.ts';
import { isRoot, type Machine } from './machine.ts';

/** The user that a service of the whole machine runs as, unless another is named. */
export const OWN_ACCOUNT = 'codecshift';

export async function isAccount(machine: Machine, name: string): Promise<boolean> {
  return (await machine.run(['id', '-u', name])).code === 0;
}

/** @throws PlainError for what no system takes as a name of a user, and could be taken for an option */
export function requireAccountName(machine: Machine, name: string): void {
  const lawful = machine.platform === 'win32' ? /^[^\s"/\\[\]:;|=,+*?<>-][^"/[\]:;|=,+*?<>]{0,63}$/ : /^[a-z_][a-z0-9_.-]{0,31}$/i;
  if (!lawful.test(name)) throw new PlainError(`"${name}" cannot be the name of a user.`);
}

/** Of the groups that own graphics devices, those that this machine has: systemd starts nothing with one it does not know. */
export async function deviceGroups(machine: Machine): Promise<string[]> {
  const wanted = ['video', 'render'];
  const found = await Promise.all(wanted.map((group) => machine.run(['getent', 'group', group])));
  return wanted.filter((_group, i) => found[i]!.code === 0);
}

/** Where the system keeps the shell that lets nobody in. */
export function makeAccount(name: string, home: string): string[] {
  return ['useradd', '--system', '--user-group', '--no-create-home', '--home-dir', home, '--shell', '/usr/sbin/nologin', name];
}

/**
 * May that user read (`r`), write (`w`) or enter and run (`x`) a path? Asked of the system itself, which knows of groups,
 * ACLs and folders above. A user who is only going to be made has the rights of nobody.
 */
export async function may(machine: Machine, account: string, right: 'r' | 'w' | 'x', path: string): Promise<boolean> {
  if (!isRoot(machine)) return true;
  const as = (await isAccount(machine, account)) ? account : 'nobody';
  const test = ['test', `-${right}`, path];
  const { code } = await machine.run(
    machine.platform === 'darwin' ? ['sudo', '-n', '-u', as, ...test] : ['runuser', '-u', as, '--', ...test],
  );
  return code === 0;
}

export async function ownerOf(machine: Machine, path: string): Promise<string | null> {
  const { code, stdout } = await machine.run(
    machine.platform === 'darwin' ? ['stat', '-f', '%Su', path] : ['stat', '-c', '%U', '--', path],
  );
  const name = stdout.trim();
  return code === 0 && name !== '' && name !== 'UNKNOWN' ? name : null;
}
