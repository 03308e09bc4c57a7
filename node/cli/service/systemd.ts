import { realpath } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PlainError } from '../../errors.ts';
import { listMounts } from '../../files/find-roots.ts';
import { deviceGroups, isAccount, makeAccount, may, ownerOf, OWN_ACCOUNT } from './accounts.ts';
import { isRoot, placeOf, type Machine } from './machine.ts';
import type { Manager, Plan, Standing } from './manager.ts';
import { serviceDirectory, type ServiceRecord } from './record.ts';
import { secretsOf } from './secrets.ts';
import { shown, type Step } from './steps.ts';
import { STATE_DIRECTORY, systemdUnit } from './systemd-unit.ts';
import { withoutSystemd } from './without-systemd.ts';
import type { Scope, Wish } from './wish.ts';

const UNIT = 'codecshift.service';

/** Linux with systemd: a unit of the system, or of one user's own manager. */
export function systemd(machine: Machine): Manager {
  const ctl = (scope: Scope, ...words: string[]): string[] => ['systemctl', ...(scope === 'user' ? ['--user'] : []), ...words];
  const unitFile = (scope: Scope): string =>
    path.posix.join(scope === 'system' ? '/etc/systemd/system' : path.posix.join(configHome(), 'systemd/user'), UNIT);
  const environmentFile = (scope: Scope): string => path.posix.join(serviceDirectory(machine, scope), 'codecshift.env');

  return {
    name: 'systemd',
    async requireUsable(scope) {
      if (!existsSync(placeOf(machine, '/run/systemd/system'))) throw new PlainError(withoutSystemd(machine));
      if (scope === 'system' && !isRoot(machine)) throw new PlainError(needsRoot());
      if (scope === 'user' && isRoot(machine) && machine.env['SUDO_USER'])
        throw new PlainError('--user is about the user who says it: say it without sudo.');
      if (scope === 'user' && (await machine.run(ctl('user', 'show-environment'))).code !== 0)
        throw new PlainError(
          `systemd does not know ${machine.user} as somebody who is signed in, so nothing can be installed for this user. Sign in directly (not with su), or say once: sudo loginctl enable-linger ${machine.user}`,
        );
    },
    dataDir: (scope) => (scope === 'system' ? STATE_DIRECTORY : path.posix.join(dataHome(), 'codecshift')),
    plan,
    unhook: ({ scope }) => [{ do: 'run', command: ctl(scope, 'disable', '--now', UNIT), unless: 'noted' }],
    forget: ({ scope }) => [
      { do: 'run', command: ctl(scope, 'daemon-reload'), unless: 'noted' },
      { do: 'run', command: ctl(scope, 'reset-failed', UNIT), unless: 'ignored' },
    ],
    standing,
    async lines(record, count) {
      const { stdout } = await machine.run([...journal(record), '-n', String(count), '-o', 'cat', '--no-pager']);
      return stdout.split('\n').filter(Boolean);
    },
    logCommand: (record) => shown([...(record.scope === 'system' ? ['sudo'] : []), ...journal(record), '-f']),
  };

  async function plan(wish: Wish, program: readonly string[], wanted: { account: string | null }): Promise<Plan> {
    const { scope } = wish;
    const account = scope === 'user' ? null : (wanted.account ?? OWN_ACCOUNT);
    const isNew = account !== null && !(await isAccount(machine, account));
    if (isNew && account !== OWN_ACCOUNT) throw new PlainError(`There is no user ${account} on this machine.`);
    const mounts = await mountsOf(wish.libraries);
    if (account !== null) await requireRights(wish, program, account, isNew);
    const writable = [...new Set(wish.libraries.map((folder) => mounts.get(folder) ?? folder))];
    const unit = systemdUnit({
      scope,
      command: [...program, ...wish.words],
      account,
      groups: account === null || account === 'root' ? [] : await deviceGroups(machine),
      dataDir: wish.dataDir,
      environmentFile: environmentFile(scope),
      writable,
      mounts: [...new Set(mounts.values())],
      finishes: wish.finishes,
      port: wish.port,
    });
    return {
      account,
      log: null,
      directories: [serviceDirectory(machine, scope)],
      notes: [...notes(wish, account, isNew, writable)],
      steps: [
        ...(isNew ? [{ do: 'run' as const, command: makeAccount(OWN_ACCOUNT, STATE_DIRECTORY) }] : []),
        { do: 'directory', path: serviceDirectory(machine, scope), mode: 0o755 },
        ...(await secretsOf(machine, wish, environmentFile(scope), 'systemd')).steps,
        ...dataDirectory(wish, account),
        { do: 'file', path: unitFile(scope), content: unit, mode: 0o644 },
        { do: 'run', command: ctl(scope, 'daemon-reload') },
        { do: 'run', command: ctl(scope, 'enable', UNIT) },
        ...(scope === 'user' ? [lingering()] : []),
        { do: 'run', command: ctl(scope, 'restart', UNIT) },
      ],
    };
  }

  function lingering(): Step {
    const command = ['loginctl', 'enable-linger', machine.user];
    const otherwise = `Without it the service starts and ends with your signing in. Whoever may use sudo can say: sudo ${command.join(' ')}`;
    return { do: 'run', command, unless: 'noted', otherwise };
  }

  /** The system's own unit gets its directory from systemd (StateDirectory); another one is made here. */
  function dataDirectory(wish: Wish, account: string | null): Step[] {
    if (account === null || wish.dataDir === STATE_DIRECTORY || existsSync(placeOf(machine, wish.dataDir))) return [];
    return [
      { do: 'directory', path: wish.dataDir, mode: 0o700 },
      { do: 'run', command: ['chown', `${account}:`, wish.dataDir] },
    ];
  }

  /** @throws PlainError naming what the user of the service may not do, and who may */
  async function requireRights(wish: Wish, program: readonly string[], account: string, isNew: boolean): Promise<void> {
    const [file, ...others] = program;
    for (const [needed, right] of [
      [file!, 'x'],
      ...[...others, ...wish.reads].filter((each) => each.startsWith('/')).map((each) => [each, 'r']),
    ] as [string, 'r' | 'x'][]) {
      if (await may(machine, account, right, needed)) continue;
      const help =
        right === 'x' ? ` Copy the program to a place that everybody may read (/usr/local/bin, /opt),` : ` Give that user the right to,`;
      throw new PlainError(
        `The user ${account}, as whom the service runs, may not read ${needed}.${help} or name a user who may, with --service-user.`,
      );
    }
    const own = wish.dataDir;
    if (own !== STATE_DIRECTORY && existsSync(placeOf(machine, own)) && !(await may(machine, account, 'w', own)))
      throw new PlainError(`The user ${account}, as whom the service runs, may not write into the data directory ${own}.`);
    for (const folder of wish.libraries) {
      if (!existsSync(placeOf(machine, folder))) continue;
      if ((await may(machine, account, 'w', folder)) && (await may(machine, account, 'x', folder))) continue;
      const owner = await ownerOf(machine, folder);
      const whose =
        owner && owner !== 'root'
          ? ` It belongs to ${owner}: --service-user ${owner} lets the service run as its owner.`
          : ` Give that user the folder with all that is in it: ${shown(['sudo', 'chown', '-R', `${account}:`, folder])}`;
      const who = isNew ? `A new user ${account}` : `The user ${account}, as whom the service runs,`;
      throw new PlainError(`${who} may not write into ${folder}, so no film there could be replaced.${whose}`);
    }
  }

  async function standing({ scope }: ServiceRecord): Promise<Standing> {
    const wanted = ['ActiveState', 'SubState', 'UnitFileState', 'MainPID', 'NRestarts', 'Result', 'ExecMainStatus', 'ActiveEnterTimestamp'];
    const { stdout } = await machine.run(ctl(scope, 'show', UNIT, `--property=${wanted.join(',')}`));
    const is = Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<string, string | undefined>;
    const running = is['ActiveState'] === 'active';
    const restarts = Number(is['NRestarts'] ?? 0);
    const waits = is['SubState'] === 'auto-restart';
    return {
      running,
      enabled: is['UnitFileState'] === 'enabled',
      pid: Number(is['MainPID']) || null,
      restarts,
      says: [
        ...(running ? [`It runs since ${is['ActiveEnterTimestamp']}, process ${is['MainPID']}.`] : []),
        ...(!running && waits ? [`Its start failed (exit code ${is['ExecMainStatus']}) and is tried again every few seconds.`] : []),
        ...(!running && !waits
          ? [`It does not run${is['Result'] && is['Result'] !== 'success' ? `: ${is['Result']}, exit code ${is['ExecMainStatus']}` : ''}.`]
          : []),
        ...(restarts > 0 ? [`systemd had to start it again ${restarts === 1 ? 'once' : `${restarts} times`}.`] : []),
      ],
    };
  }

  function notes(wish: Wish, account: string | null, isNew: boolean, writable: string[]): string[] {
    return [
      ...(isNew
        ? [`A user of the system called ${account} is made. Nobody can sign in as it, and it owns nothing but ${wish.dataDir}.`]
        : []),
      ...(account === null
        ? [`The service runs as you. For a start without you signing in it needs "lingering", which is switched on for ${machine.user}.`]
        : [
            `The service runs as ${account}, and may write into ${[wish.dataDir, ...writable].join(', ')} and nowhere else.`,
            'A library that you add on the page later needs that right too: say the same command again with --library.',
          ]),
      ...(account === 'root' ? ['It runs as root, which only films that belong to root make necessary.'] : []),
    ];
  }

  function journal({ scope }: ServiceRecord): string[] {
    return ['journalctl', ...(scope === 'user' ? ['--user', '-u', UNIT] : ['-u', UNIT])];
  }

  function configHome(): string {
    return machine.env['XDG_CONFIG_HOME'] || path.posix.join(machine.home, '.config');
  }

  function dataHome(): string {
    return machine.env['XDG_DATA_HOME'] || path.posix.join(machine.home, '.local/share');
  }

  function needsRoot(): string {
    return 'A service for the whole machine can only be installed and changed by root: say the same with sudo before it, or use --user for a service of your own.';
  }
}

/**
 * The mount point of each library that lies on a disk of its own. The unit names that and not the folder: a folder below
 * it would be bound a second time inside the service, and the disk could not be unmounted any more without losing what is
 * written to it afterwards.
 */
async function mountsOf(libraries: readonly string[]): Promise<Map<string, string>> {
  const mounts = (await listMounts()).filter(({ apart }) => apart);
  const found = new Map<string, string>();
  for (const library of libraries) {
    const real = await realpath(library).catch(() => library);
    const [holding] = mounts
      .map((mount) => mount.path)
      .filter((mount) => real === mount || real.startsWith(`${mount}/`))
      .toSorted((a, b) => b.length - a.length);
    if (holding) found.set(library, holding);
  }
  return found;
}
