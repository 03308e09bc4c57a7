import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/**
 * The commands behind network.ts: everything that the kernel is asked for goes through here, and everything that it holds
 * for us carries a name from which the next run can see whose it was.
 */
const prefix = 'codecshift-';
/** `codecshift-<pid of the test>-<bed>-<machine>` */
const ours = /^codecshift-(\d+)-/;

export function namespaceName(bed: number, machine: string): string {
  return `${prefix}${process.pid}-${bed}-${machine}`;
}

/** Many lines of `ip` in one process; in a namespace, or in the one that the test runs in. */
export async function ip(lines: readonly string[], namespace?: string): Promise<void> {
  if (lines.length === 0) return;
  const child = spawn('ip', [...(namespace ? ['-n', namespace] : []), '-batch', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  child.stdin.on('error', () => {}); // one that ended early says why at its end
  child.stdin.end(`${lines.join('\n')}\n`);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`ip ${lines.join('; ')} ended with ${code}: ${complaint.trim()}`);
}

/** `tc` in a namespace. */
export async function tc(namespace: string, words: readonly string[]): Promise<void> {
  await promisify(execFile)('tc', ['-n', namespace, ...words]);
}

let netem: boolean | undefined;

/** Was this kernel built with netem? Small kernels of virtual machines often are not. */
export function hasNetem(): boolean {
  return (netem ??= lookForNetem());
}

function lookForNetem(): boolean {
  const name = namespaceName(0, 'netem');
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
    execFileSync('tc', ['-n', name, 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  } finally {
    removeNamespaces([name]);
  }
}

let known: string | null | undefined;

/** Why this machine cannot have networks of its own for a test, as a sentence; null when it can. */
export function networkProblem(): string | null {
  return (known ??= lookForProblem());
}

function lookForProblem(): string | null {
  if (process.platform !== 'linux') return 'networks between several machines are made with network namespaces, which only Linux has';
  if (process.getuid?.() !== 0) return 'network namespaces need root here';
  const missing = ['ip', 'tc', 'nsenter', 'unshare', 'setpriv'].filter((tool) => !onPath(tool));
  if (missing.length > 0) return `these programs are not on this machine: ${missing.join(', ')} (Debian: iproute2, util-linux)`;
  const name = namespaceName(0, 'look');
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
    execFileSync('ip', ['-n', name, 'link', 'add', 'look', 'type', 'bridge'], { stdio: 'pipe' });
    execFileSync('nsenter', [`--net=/run/netns/${name}`, 'unshare', '-m', 'true'], { stdio: 'pipe' });
    return null;
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? error).trim();
    return `the kernel does not let this user make network namespaces (${said.split('\n')[0]})`;
  } finally {
    removeNamespaces([name]);
  }
}

function onPath(tool: string): boolean {
  return ['/usr/sbin', '/sbin', ...(process.env['PATH'] ?? '').split(':')].some((folder) => existsSync(`${folder}/${tool}`));
}

/**
 * How a command becomes one of a machine: in its network, with mounts of its own, and dead as soon as the test is, even
 * by SIGKILL. `mounts` are shell commands run first in that mount namespace. No process stands between: the child's id is
 * the command's own.
 */
export function inside(namespace: string, argv: readonly string[], mounts: readonly string[] = []): string[] {
  const script = [...mounts, 'exec setpriv --pdeathsig KILL -- "$@"'].join(' && ');
  return ['nsenter', `--net=/run/netns/${namespace}`, 'unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', ...argv];
}

/** The same for a user without rights. A change of user clears the death signal, so it is asked for afterwards. */
export function insideAs(namespace: string, user: { uid: number; gid: number } | null, argv: readonly string[]): string[] {
  const who = user ? ['-S', String(user.uid), '-G', String(user.gid)] : [];
  return ['nsenter', `--net=/run/netns/${namespace}`, ...who, 'setpriv', '--pdeathsig', 'KILL', '--', ...argv];
}

/** Ends everything that runs in these namespaces and removes them. Blocks, so that it also works while the process exits. */
export function removeNamespaces(names: readonly string[]): void {
  for (const name of names) {
    for (const pid of processesIn(name)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // ended meanwhile
      }
    }
    try {
      execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' });
    } catch {
      // gone already
    }
  }
}

/** What runs of this file that died left behind: their names carry a process that is no more. */
export function removeLeftovers(): void {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  removeNamespaces(names.filter((name) => isDead(ours.exec(name)?.[1])));
}

/** Is this the id of a process that ended? An unknown id is not. */
export function isDead(pid: string | undefined): boolean {
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}

function processesIn(name: string): number[] {
  try {
    return execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** The processes that descend from one, itself included: SIGSTOP does not reach children by itself. */
export function familyOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(entry);
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const family = [pid];
  for (const member of family) family.push(...(children.get(member) ?? []));
  return family;
}

function parentOf(pid: string): number | null {
  try {
    // the command's name stands in brackets and may itself contain some
    return Number(/\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*(?=\) \S \d+ )/s, ''))?.[1] ?? Number.NaN);
  } catch {
    return null;
  }
}
