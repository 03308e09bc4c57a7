import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { running } from '../running.ts';
import { isAlive } from '../stop.ts';
import { OWN_ACCOUNT } from './accounts.ts';
import { managerOf } from './choice.ts';
import { namesIn } from './env-file.ts';
import { placeOf, type Machine } from './machine.ts';
import { recordFile, serviceDirectory, type ServiceRecord } from './record.ts';
import { carryOut, digest, removeEmpty, type Step } from './steps.ts';

export interface Removal {
  steps: Step[];
  removed: string[];
  /** changed since by somebody, and left where they are */
  left: string[];
}

/** What goes: exactly what was written and still is what was written; with `force` also what somebody changed. */
export async function prepareRemoval(machine: Machine, record: ServiceRecord, force: boolean): Promise<Removal> {
  const [removed, left]: [string[], string[]] = [[], []];
  for (const [file, written] of Object.entries(record.files)) {
    const there = await readFile(placeOf(machine, file)).catch(() => null);
    if (there) (force || isUntouched(there, written) ? removed : left).push(file);
  }
  const manager = managerOf(machine);
  const own = left.length === 0 ? [recordFile(machine, record.scope)] : [];
  const steps: Step[] = [
    ...manager.unhook(record),
    ...[...removed, ...own].map((path) => ({ do: 'remove' as const, path })),
    ...manager.forget(record),
  ];
  return { steps, removed, left };
}

function isUntouched(there: Buffer, written: ServiceRecord['files'][string]): boolean {
  if (typeof written === 'string') return digest(there) === written;
  const text = there.toString('utf8');
  return !text.includes('#') && namesIn(text).every((name) => written.names.includes(name));
}

export async function uninstall(machine: Machine, record: ServiceRecord, removal: Removal): Promise<string[]> {
  await stopInOrder(placeOf(machine, record.dataDir));
  const problems = await carryOut(machine, removal.steps);
  for (const directory of [...record.directories, serviceDirectory(machine, record.scope)]) await removeEmpty(machine, directory);
  return problems;
}

/** What stays, and where. */
export function remains(machine: Machine, record: ServiceRecord, { left }: Removal): string[] {
  const made = record.account === OWN_ACCOUNT && machine.platform === 'linux';
  return [
    ...left.map((file) => `${file} was changed by somebody and stays; --force removes it too.`),
    `Everything that CodecShift knows stays in ${record.dataDir}, and originals in the trash of each library. Installed again with the same data directory, it goes on where it was.`,
    ...(made
      ? [
          `The user ${OWN_ACCOUNT} stays as well, since these files belong to it. Without them it is not needed any more: sudo userdel ${OWN_ACCOUNT}`,
        ]
      : []),
  ];
}

const PATIENCE_MS = 110_000;

/** Half-done encodes are given back; a manager's own way of stopping would wait for hours where `--stop finish` was chosen. */
export async function stopInOrder(dataDir: string): Promise<void> {
  const now = await running({ 'data-dir': dataDir }).catch(() => null);
  if (!now || !isAlive(now.pid)) return;
  const asked = await now.api('POST', '/node/stop', { how: 'cancel' }).catch(() => null);
  for (const deadline = performance.now() + PATIENCE_MS; asked && isAlive(now.pid) && performance.now() < deadline;) await pause(100);
}
