import { existsSync } from 'node:fs';
import { running } from '../running.ts';
import { isAlive } from '../stop.ts';
import { managerOf } from './choice.ts';
import { lineWords } from './line-words.ts';
import { pathsOf, placeOf, type Machine } from './machine.ts';
import type { ServiceRecord } from './record.ts';

/** How an installed service stands. */
export interface ServiceStatus {
  installed: ServiceRecord;
  running: boolean;
  enabled: boolean;
  pid: number | null;
  says: string[];
  /** files of the program that are not where they were when it was installed */
  gone: string[];
  /** of the program that answers; null where none does, or only another user may ask it */
  version: string | null;
  url: string | null;
  lines: string[];
  logCommand: string;
}

/** As the manuals of init scripts have it. */
export const exitCodes = { running: 0, notRunning: 3, notInstalled: 4 } as const;

const LINES = 8;

export async function serviceStatus(machine: Machine, record: ServiceRecord): Promise<ServiceStatus> {
  const manager = managerOf(machine);
  const standing = await manager.standing(record);
  const program = await running({ 'data-dir': placeOf(machine, record.dataDir) }, 5000).catch(() => null);
  const here = program && isAlive(program.pid) ? await program.api<{ node: { version: string } }>('GET', '/node').catch(() => null) : null;
  // the Task Scheduler tells in the language of the system whether something runs; the program itself in ours
  const isRunning = standing.running || (manager.name === 'Task Scheduler' && here !== null);
  return {
    installed: record,
    running: isRunning,
    enabled: standing.enabled,
    pid: standing.pid ?? (here ? program!.pid : null),
    says: standing.says.length > 0 ? standing.says : [isRunning ? `It runs, process ${program!.pid}.` : 'It does not run.'],
    gone: (record.program ?? []).filter((file) => pathsOf(machine).isAbsolute(file) && !existsSync(placeOf(machine, file))),
    version: here?.node.version ?? null,
    url: here ? program!.url : null,
    lines: (await manager.lines(record, LINES)).map(lineWords),
    logCommand: manager.logCommand(record),
  };
}

export function statusWords(s: ServiceStatus): string {
  const { manager, scope, account, dataDir, flags } = s.installed;
  const who = scope === 'system' ? `for the whole machine, as ${account ?? 'LOCAL SERVICE'}` : 'for this user';
  const libraries = [flags['library'] ?? []].flat();
  return [
    `CodecShift is installed as a service (${manager}), ${who}.`,
    ...s.says,
    ...s.gone.map((file) => `! ${file} is not there any more. Put it back, or say "service install" with the program where it is now.`),
    s.enabled
      ? 'It starts by itself.'
      : 'It does not start by itself: somebody switched it off. "codecshift service install" switches it on again.',
    ...(s.version
      ? [`Version ${s.version}, dashboard ${s.url}`]
      : s.running
        ? ['It runs but did not answer here; ask again with sudo, or in a moment.']
        : []),
    `Data: ${dataDir}`,
    ...(libraries.length > 0 ? [`Libraries of its command line: ${libraries.join(', ')}`] : []),
    ...(s.lines.length > 0 ? ['Its last lines:', ...s.lines.map((line) => `  ${line}`)] : []),
    `All of them: ${s.logCommand}`,
  ].join('\n');
}
