import { PlainError } from '../../errors.ts';
import { launchd } from './launchd.ts';
import { isRoot, type Machine } from './machine.ts';
import type { Manager } from './manager.ts';
import { readRecord, type ServiceRecord } from './record.ts';
import { systemd } from './systemd.ts';
import { taskScheduler } from './task-scheduler.ts';
import type { Scope } from './wish.ts';

/** What makes programs start by themselves on this computer. @throws PlainError where CodecShift knows of nothing */
export function managerOf(machine: Machine): Manager {
  if (machine.platform === 'linux') return systemd(machine);
  if (machine.platform === 'darwin') return launchd(machine);
  if (machine.platform === 'win32') return taskScheduler(machine);
  throw new PlainError(`CodecShift writes no service for this system (${machine.platform}). Let whatever starts it run "codecshift run".`);
}

/** `--user` or `--system`; else what root or an administrator can do is meant for the machine. @throws PlainError for both */
export function scopeFor(machine: Machine, values: Record<string, unknown>): Scope {
  const named = namedScope(values);
  if (named) return named;
  if (machine.platform === 'win32') return 'system';
  return isRoot(machine) ? 'system' : 'user';
}

/** The installed service that is meant. */
export function installed(machine: Machine, values: Record<string, unknown>): ServiceRecord | null {
  const named = namedScope(values);
  if (named) return readRecord(machine, named);
  const order: Scope[] = isRoot(machine) ? ['system', 'user'] : ['user', 'system'];
  for (const scope of order) {
    const record = readRecord(machine, scope);
    if (record) return record;
  }
  return null;
}

function namedScope(values: Record<string, unknown>): Scope | null {
  if (values['user'] && values['system']) throw new PlainError('--user and --system exclude each other.');
  return values['user'] ? 'user' : values['system'] ? 'system' : null;
}
