import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PlainError } from '../../errors.ts';
import { pathsOf, placeOf, thisMachine, type Machine } from './machine.ts';
import type { Flags, Scope } from './wish.ts';

export type ManagerName = 'systemd' | 'launchd' | 'Task Scheduler';

/** What an installation wrote, so that exactly this can be taken away again. It holds no secret and everybody may read it. */
export interface ServiceRecord {
  manager: ManagerName;
  scope: Scope;
  version: string;
  installed: string;
  account: string | null;
  /** what is started, without its options; records of the first versions do not tell */
  program?: string[];
  dataDir: string;
  flags: Flags;
  /**
   * Absolute paths with what was written: by its SHA-256, or for the file with the secrets the names in it. A digest of a
   * secret would let everybody who reads this guess it.
   */
  files: Record<string, string | { names: string[] }>;
  /** removed when nothing is left in them */
  directories: string[];
  /** where the lines go that the program prints; null: the journal */
  log: string | null;
}

/** Directory of the record and of the file with the secrets. */
export function serviceDirectory(machine: Machine, scope: Scope): string {
  const { platform, home, env } = machine;
  if (platform === 'win32')
    return path.win32.join(scope === 'system' ? (env['ProgramData'] ?? 'C:\\ProgramData') : (env['LOCALAPPDATA'] ?? home), 'codecshift');
  if (platform === 'darwin') return path.posix.join(scope === 'system' ? '/' : home, 'Library', 'Application Support', 'codecshift');
  return scope === 'system' ? '/etc/codecshift' : path.posix.join(env['XDG_CONFIG_HOME'] || path.posix.join(home, '.config'), 'codecshift');
}

export function recordFile(machine: Machine, scope: Scope): string {
  return pathsOf(machine).join(serviceDirectory(machine, scope), 'service.json');
}

/** @throws PlainError when there is one that cannot be read */
export function readRecord(machine: Machine, scope: Scope): ServiceRecord | null {
  const file = recordFile(machine, scope);
  let text: string;
  try {
    text = readFileSync(placeOf(machine, file), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw new PlainError(`${file} cannot be read; it holds what was installed.`, { cause: error });
  }
  const found = parsed(text);
  if (!found) throw new PlainError(`${file} is damaged; it holds what was installed. Remove it, and install the service again.`);
  return found;
}

function parsed(text: string): ServiceRecord | null {
  const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
  try {
    const found = JSON.parse(text) as ServiceRecord;
    const { scope, dataDir, flags, files, directories } = found;
    return ['system', 'user'].includes(scope) &&
      typeof dataDir === 'string' &&
      isObject(flags) &&
      isObject(files) &&
      Array.isArray(directories)
      ? found
      : null;
  } catch {
    return null;
  }
}

/** Where installed services keep their data, that of this user first. */
export function serviceDataDirs(machine: Machine = thisMachine()): string[] {
  return (['user', 'system'] as const).flatMap((scope) => {
    try {
      return readRecord(machine, scope)?.dataDir ?? [];
    } catch {
      return [];
    }
  });
}
