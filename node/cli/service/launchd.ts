import { PlainError } from '../../errors.ts';
import { isAccount } from './accounts.ts';
import { launchdPlist } from './launchd-plist.ts';
import { isRoot, type Machine } from './machine.ts';
import type { Manager, Plan, Standing } from './manager.ts';
import { serviceDirectory, type ServiceRecord } from './record.ts';
import { secretsOf } from './secrets.ts';
import { textOf, type Step } from './steps.ts';
import type { Scope, Wish } from './wish.ts';

const LABEL = 'com.codecshift.node';

/** macOS: a daemon of the machine, which runs as one of its users, or an agent while a user is signed in. */
export function launchd(machine: Machine): Manager {
  const library = (scope: Scope): string => (scope === 'system' ? '/Library' : `${machine.home}/Library`);
  const plistFile = (scope: Scope): string => `${library(scope)}/${scope === 'system' ? 'LaunchDaemons' : 'LaunchAgents'}/${LABEL}.plist`;
  const logFolder = (scope: Scope): string => `${library(scope)}/Logs/codecshift`;
  const domain = (scope: Scope): string => (scope === 'system' ? 'system' : `gui/${machine.uid}`);
  const target = (scope: Scope): string => `${domain(scope)}/${LABEL}`;

  return {
    name: 'launchd',
    async requireUsable(scope) {
      if (scope === 'system' && !isRoot(machine))
        throw new PlainError(
          'A service for the whole Mac can only be installed and changed by root: say the same with sudo before it, or use --user for a service that runs while you are signed in.',
        );
      if (scope === 'user' && isRoot(machine)) throw new PlainError('--user is about the user who says it: say it without sudo.');
    },
    dataDir: (scope) =>
      scope === 'system' ? '/Library/Application Support/codecshift/data' : `${library(scope)}/Application Support/codecshift`,
    plan,
    unhook: ({ scope }) => [{ do: 'run', command: ['launchctl', 'bootout', target(scope)], unless: 'ignored' }],
    forget: () => [],
    standing,
    async lines({ log }, count) {
      return ((log && (await textOf(machine, log))) ?? '').split('\n').filter(Boolean).slice(-count);
    },
    logCommand: ({ log }) => `tail -f '${log}'`,
  };

  async function plan(wish: Wish, program: readonly string[], wanted: { account: string | null }): Promise<Plan> {
    const { scope } = wish;
    const account = scope === 'user' ? null : (wanted.account ?? machine.env['SUDO_USER'] ?? null);
    if (scope === 'system' && account === null) throw new PlainError('Say as which user the service shall run: --service-user NAME');
    if (account !== null && !(await isAccount(machine, account))) throw new PlainError(`There is no user ${account} on this Mac.`);
    const secrets = `${serviceDirectory(machine, scope)}/codecshift.env`;
    const kept = await secretsOf(machine, wish, secrets, 'node');
    const log = `${logFolder(scope)}/codecshift.log`;
    const words = kept.isThere ? [...wish.words, `--env-file=${secrets}`] : wish.words;
    const own = (path: string): Step[] => (account === null ? [] : [{ do: 'run', command: ['chown', account, path] }]);
    const content = launchdPlist({ label: LABEL, command: [...program, ...words], account, log, finishes: wish.finishes });
    return {
      account,
      log,
      directories: [logFolder(scope), serviceDirectory(machine, scope)],
      notes: [
        account === null
          ? 'The service runs as you, while you are signed in. With sudo and --system it starts with the Mac.'
          : `The service runs as ${account}, and starts with the Mac.`,
        'macOS may ask once whether it may read the folders with your films, or refuse it silently: allow it under System Settings, Privacy & Security, Full Disk Access.',
      ],
      steps: [
        { do: 'directory', path: serviceDirectory(machine, scope), mode: 0o755 },
        { do: 'directory', path: wish.dataDir, mode: 0o700 },
        ...own(wish.dataDir),
        { do: 'directory', path: logFolder(scope), mode: 0o755 },
        ...own(logFolder(scope)),
        ...kept.steps,
        ...(kept.steps.some((step) => step.do === 'file') ? own(secrets) : []),
        { do: 'file', path: plistFile(scope), content, mode: 0o644 },
        { do: 'run', command: ['launchctl', 'bootout', target(scope)], unless: 'ignored' },
        { do: 'run', command: ['launchctl', 'enable', target(scope)] },
        // for some seconds after a bootout launchd refuses the same label
        { do: 'run', command: ['launchctl', 'bootstrap', domain(scope), plistFile(scope)], tries: 20 },
      ],
    };
  }

  /** What `launchctl print` says: "state = running", "pid = 123", "last exit code = 0", "runs = 2". */
  async function standing({ scope }: ServiceRecord): Promise<Standing> {
    const { code, stdout } = await machine.run(['launchctl', 'print', target(scope)]);
    const value = (name: string): string | null => new RegExp(`^\\s*${name} = (.+)$`, 'm').exec(stdout)?.[1] ?? null;
    const running = code === 0 && value('state') === 'running';
    const runs = Number(value('runs') ?? 0);
    const exit = value('last exit code');
    return {
      running,
      enabled: code === 0,
      pid: running ? Number(value('pid')) || null : null,
      restarts: runs > 0 ? runs - 1 : null,
      says: [
        running
          ? `It runs, process ${value('pid')}.`
          : `It does not run${exit && exit !== '(never exited)' ? `; its last exit code was ${exit}` : ''}.`,
        ...(runs > 1 ? [`launchd started it ${runs} times since it was installed or the Mac started.`] : []),
      ],
    };
  }
}
