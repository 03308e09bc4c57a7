import { PlainError } from '../errors.ts';
import { command, nodeFlagHelp, nodeFlags, print } from './arguments.ts';
import { installed, managerOf } from './service/choice.ts';
import { dryRun, install, prepare, refusal, refusedWords, whatNext, whoseWords } from './service/install.ts';
import { isRoot, thisMachine, type Machine } from './service/machine.ts';
import type { ServiceRecord } from './service/record.ts';
import { exitCodes, serviceStatus, statusWords } from './service/status.ts';
import { stepWords } from './service/steps.ts';
import { prepareRemoval, remains, uninstall } from './service/uninstall.ts';

const help = `codecshift service install [options of run]
codecshift service status
codecshift service uninstall

Lets the system start CodecShift: systemd on Linux, launchd on macOS, the Task Scheduler on Windows. It then runs without
anybody signing in, and is started again when it fails. Installed again, what is said anew is changed, libraries are added,
and all else stays. Secrets go into a file that only the service reads.

  --system          for the whole machine, from its start; needs sudo, or on Windows an administrator (default there)
  --user            for this user (default without sudo)
  --service-user    the user that a service of the machine runs as; best the owner of the films (default: a new one, codecshift)
  --anew            forgets what earlier installations were told
  --dry-run         shows every file and every command, says whether it would be refused, and does nothing
  --force           also overwrites or removes files that somebody changed

status ends with code 0 when it runs, 3 when it does not, 4 when none is installed.

Options of run:
${nodeFlagHelp()}
`;

const flags = {
  system: { type: 'boolean' },
  user: { type: 'boolean' },
  'service-user': { type: 'string' },
  anew: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  force: { type: 'boolean' },
} as const;

const actions: Record<string, (machine: Machine, values: Record<string, unknown>) => Promise<number>> = {
  install: doInstall,
  status: doStatus,
  uninstall: doUninstall,
};

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(), ...flags }, async ({ values, positionals }) => {
    const [name, ...rest] = positionals;
    if (name === undefined || !Object.hasOwn(actions, name) || rest.length > 0)
      throw new PlainError(`Only this can be done: codecshift service ${Object.keys(actions).join('|')}`);
    return actions[name]!(thisMachine(), values);
  });
}

async function doInstall(machine: Machine, values: Record<string, unknown>): Promise<number> {
  const json = values['json'] === true;
  const prepared = await prepare(machine, values);
  const { record, notes, before } = prepared;
  if (values['dry-run']) {
    print(json, { refused: prepared.refused, notes, steps: prepared.steps.map(stepWords) }, () => dryRun(prepared));
    return 0;
  }
  if (!json) process.stdout.write(`${notes.join('\n')}\n`);
  const { url, problems } = await install(machine, prepared);
  const next = await whatNext(machine, record).catch(() => []);
  print(json, { url, problems, installed: record }, () =>
    [
      `CodecShift ${before ? 'is installed anew' : 'is installed'}. It runs ${whoseWords(record.scope, record.account)}.`,
      ...problems.map((problem) => `! ${problem}`),
      `Dashboard: ${url}`,
      ...next,
    ].join('\n'),
  );
  return 0;
}

async function doStatus(machine: Machine, values: Record<string, unknown>): Promise<number> {
  const record = installed(machine, values);
  if (!record) {
    print(
      values['json'] === true,
      { installed: null },
      () => 'No service of CodecShift is installed here. "codecshift service install" installs one.',
    );
    return exitCodes.notInstalled;
  }
  const status = await serviceStatus(machine, record);
  print(values['json'] === true, status, () => statusWords(status));
  return status.running ? exitCodes.running : exitCodes.notRunning;
}

async function doUninstall(machine: Machine, values: Record<string, unknown>): Promise<number> {
  const json = values['json'] === true;
  const record = requireRecord(machine, values);
  const removal = await prepareRemoval(machine, record, values['force'] === true);
  const refused = await refusal(managerOf(machine).requireUsable(record.scope), values['dry-run'] === true);
  if (values['dry-run']) {
    print(json, { refused, steps: removal.steps.map(stepWords), left: removal.left }, () =>
      [...refusedWords(refused), ...removal.steps.map(stepWords), ...remains(machine, record, removal)].join('\n'),
    );
    return 0;
  }
  const problems = await uninstall(machine, record, removal);
  print(json, { removed: removal.removed, left: removal.left, problems, dataDir: record.dataDir }, () =>
    [
      'The service is removed.',
      ...removal.removed.map((file) => `  ${file}`),
      ...problems.map((problem) => `! ${problem}`),
      ...remains(machine, record, removal),
    ].join('\n'),
  );
  return 0;
}

function requireRecord(machine: Machine, values: Record<string, unknown>): ServiceRecord {
  const record = installed(machine, values);
  if (record) return record;
  const other = isRoot(machine) || values['user'] ? '' : ' One of the whole machine would be named with --system.';
  throw new PlainError(`No service of CodecShift is installed here.${other}`);
}
