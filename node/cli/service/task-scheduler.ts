import { PlainError } from '../../errors.ts';
import type { Machine } from './machine.ts';
import type { Manager, Plan, Standing } from './manager.ts';
import { serviceDirectory, type ServiceRecord } from './record.ts';
import { secretsOf } from './secrets.ts';
import { textOf, type Step } from './steps.ts';
import { taskFile } from './task-xml.ts';
import type { Scope, Wish } from './wish.ts';

const TASK = 'CodecShift';
const LOG_MB = 20;

/** Well-known accounts by number, since their names are translated: the system itself, administrators, LOCAL SERVICE. */
const [SYSTEM, ADMINISTRATORS, LOCAL_SERVICE] = ['*S-1-5-18', '*S-1-5-32-544', '*S-1-5-19'];

/** Windows: a task that starts with the machine, or when its user signs in. */
export function taskScheduler(machine: Machine): Manager {
  const folder = (scope: Scope): string => serviceDirectory(machine, scope);
  const xmlFile = (scope: Scope): string => `${folder(scope)}\\task.xml`;

  return {
    name: 'Task Scheduler',
    async requireUsable(scope) {
      // it answers only somebody whose window was opened as administrator
      if (scope === 'system' && (await machine.run(['fltmc.exe'])).code !== 0)
        throw new PlainError(
          'A service that starts with Windows can only be installed and changed by an administrator: open the terminal with "Run as administrator" and say the same again, or use --user for one that starts when you sign in.',
        );
    },
    dataDir: (scope) => `${folder(scope)}\\Data`,
    plan,
    unhook: () => [{ do: 'run', command: ['schtasks.exe', '/End', '/TN', TASK], unless: 'ignored' }],
    forget: () => [{ do: 'run', command: ['schtasks.exe', '/Delete', '/TN', TASK, '/F'], unless: 'noted' }],
    standing,
    async lines({ log }, count) {
      return ((log && (await textOf(machine, log))) ?? '').split('\n').filter(Boolean).slice(-count);
    },
    logCommand: ({ log }) => `Get-Content -Wait -Tail 50 "${log}"`,
  };

  async function plan(wish: Wish, program: readonly string[], wanted: { account: string | null }): Promise<Plan> {
    const { scope } = wish;
    const account = scope === 'user' ? userName() : wanted.account;
    const secrets = `${folder(scope)}\\codecshift.env`;
    const file = await secretsOf(machine, wish, secrets, 'node');
    // nobody keeps what a task prints
    const kept = wish.flags['log-file-mb'] === undefined ? [`--log-file-mb=${LOG_MB}`] : [];
    // what ended by a fault is started again by keep-running: this system would not
    const words = [...wish.words, ...kept, ...(file.isThere ? [`--env-file=${secrets}`] : [])];
    return {
      account,
      log: `${wish.dataDir}\\logs\\codecshift.log`,
      directories: [folder(scope)],
      notes: [
        scope === 'user'
          ? 'The service runs as you, and starts when you sign in.'
          : `The service runs as ${account ?? 'LOCAL SERVICE, an account that may do little'}, and starts with Windows. It cannot sign in to other computers, so it sees no network drive and no share: for films on one, use --user.`,
      ],
      steps: [
        { do: 'directory', path: folder(scope), mode: 0o755 },
        { do: 'directory', path: wish.dataDir, mode: 0o700 },
        ...only(wish.dataDir, account ?? LOCAL_SERVICE!, scope, '(OI)(CI)F'),
        ...file.steps,
        ...(file.steps.some((step) => step.do === 'file') ? only(secrets, account ?? LOCAL_SERVICE!, scope, 'R') : []),
        {
          do: 'file',
          path: xmlFile(scope),
          content: taskFile({ scope, command: [...program, 'keep-running', ...words], account }),
          mode: 0o644,
        },
        { do: 'run', command: ['schtasks.exe', '/Create', '/TN', TASK, '/XML', xmlFile(scope), '/F'] },
        { do: 'run', command: ['schtasks.exe', '/Run', '/TN', TASK] },
      ],
    };
  }

  /** Below a user's own profile nobody else reads anyway. */
  function only(path: string, who: string, scope: Scope, right: string): Step[] {
    if (scope === 'user') return [];
    const full = right.replace(/R$/, 'F');
    const grants = [SYSTEM, ADMINISTRATORS].map((each) => `${each}:${full}`);
    return [{ do: 'run', command: ['icacls.exe', path, '/inheritance:r', '/grant:r', ...grants, `${who}:${right}`] }];
  }

  /** Its answers in words are translated, so only exit codes and the XML are read; whether it runs, the program itself says. */
  async function standing(_record: ServiceRecord): Promise<Standing> {
    const { code, stdout } = await machine.run(['schtasks.exe', '/Query', '/TN', TASK, '/XML']);
    const settings = /<Settings>[\s\S]*<\/Settings>/.exec(stdout.replaceAll('\0', ''))?.[0] ?? '';
    return { running: false, enabled: code === 0 && !settings.includes('<Enabled>false</Enabled>'), pid: null, restarts: null, says: [] };
  }

  function userName(): string {
    const host = machine.env['USERDOMAIN'];
    return host ? `${host}\\${machine.user}` : machine.user;
  }
}
