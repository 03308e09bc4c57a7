import { readFile } from 'node:fs/promises';
import os from 'node:os';
import type { Niceness } from '../core/manner-wishes.ts';

/**
 * How far behind other programs an encode stands, by small programs that stand before it on the command line. Each is
 * tried once by really running something behind it: in a container, or under a strict service, one may be refused, and
 * an encode must not fail of politeness.
 */
export interface Courtesy {
  /** idle class of the disk, ionice(1) */
  ionice: string | null;
  /** SCHED_IDLE: only what nobody else wants, chrt(1) */
  chrt: string | null;
  taskset: string | null;
  /** background quality of service of macOS, taskpolicy(8) */
  taskpolicy: string | null;
  /** the processors that this program may use, by their numbers */
  processors: number[];
}

export interface CourtesyWish {
  niceness: Niceness;
  /** processors left to others; one is always used */
  coresFree: number;
}

/** As ffmpeg was always run: behind what a person does, before what only waits. */
export const usualCourtesy: CourtesyWish = { niceness: 'low', coresFree: 0 };

/** Steps of nice(1). Our own are added to it by the system. */
const steps: Record<Niceness, number> = { normal: 0, low: 10, idle: 19 };

/** What stands before the program. `nice`: its absolute path; null where there is none. */
export function courtesyPrefix(nice: string | null, by: Courtesy | null, wish: CourtesyWish): string[] {
  const step = steps[wish.niceness];
  const idle = wish.niceness === 'idle' && by;
  return [
    ...(nice && step > 0 ? [nice, '-n', String(step)] : []),
    ...(idle && by.chrt ? [by.chrt, '-i', '0'] : []),
    ...(idle && by.ionice ? [by.ionice, '-c', '3'] : []),
    ...(idle && by.taskpolicy ? [by.taskpolicy, '-b'] : []),
    ...processorsFor(by, wish.coresFree),
  ];
}

/** How many processors an encode may use when so many are left to others; undefined: all of them. */
export function processorsLeft(by: Courtesy | null, free: number): number | undefined {
  return by && free >= 1 && by.processors.length >= 2 ? Math.max(1, by.processors.length - free) : undefined;
}

/** The same by the system's own call, for a platform without such programs; only courtesy is lost where it refuses. */
export function lowerPriority(pid: number, niceness: Niceness): void {
  const { PRIORITY_BELOW_NORMAL, PRIORITY_LOW } = os.constants.priority;
  try {
    if (niceness !== 'normal') os.setPriority(pid, niceness === 'low' ? PRIORITY_BELOW_NORMAL : PRIORITY_LOW);
  } catch {
    // it may have ended already
  }
}

function processorsFor(by: Courtesy | null, free: number): string[] {
  const left = processorsLeft(by, free);
  return by?.taskset && left !== undefined ? [by.taskset, '-c', by.processors.slice(0, left).join(',')] : [];
}

/** @param works runs a command to its end and says whether that went well */
export async function findCourtesy(
  find: (name: string) => Promise<string | null>,
  works: (command: string[]) => Promise<boolean>,
): Promise<Courtesy> {
  const processors = await allowedProcessors();
  const truth = await find('true');
  const proved = async (name: string, args: string[]): Promise<string | null> => {
    const file = await find(name);
    return file && truth && (await works([file, ...args, truth])) ? file : null;
  };
  const [ionice, chrt, taskset, taskpolicy] = await Promise.all([
    proved('ionice', ['-c', '3']),
    proved('chrt', ['-i', '0']),
    proved('taskset', ['-c', String(processors[0] ?? 0)]),
    process.platform === 'darwin' ? proved('taskpolicy', ['-b']) : null,
  ]);
  return { ionice, chrt, taskset, taskpolicy, processors };
}

async function allowedProcessors(): Promise<number[]> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  return parseProcessors(/^Cpus_allowed_list:\s*([\d,-]{1,4000})/m.exec(status)?.[1] ?? '');
}

/** "0-3,8" */
export function parseProcessors(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [from, to] = part.split('-').map(Number);
    if (part === '' || from === undefined || !Number.isInteger(from)) return [];
    const last = Math.min(to ?? from, from + 4095);
    return Array.from({ length: Math.max(0, last - from + 1) }, (_, i) => from + i);
  });
}
