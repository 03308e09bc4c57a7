import type { Machine } from './machine.ts';
import type { ManagerName, ServiceRecord } from './record.ts';
import type { Step } from './steps.ts';
import type { Scope, Wish } from './wish.ts';

/** What a plan adds to the common part of an installation. */
export interface Plan {
  account: string | null;
  /** before anything of it is done */
  notes: string[];
  steps: Step[];
  log: string | null;
  /** directories that are removed again when they are empty */
  directories: string[];
}

export interface Standing {
  running: boolean;
  /** it starts with the machine, or when its user signs in */
  enabled: boolean;
  pid: number | null;
  /** how often the system had to start it again; null where it does not count */
  restarts: number | null;
  /** in words: since when, how often it was started again, what its last end was */
  says: string[];
}

/** systemd, launchd or the Task Scheduler: how a program is made to start by itself there. */
export interface Manager {
  name: ManagerName;
  /** @throws PlainError when this computer has it not, or this user may not use it; with what to do instead */
  requireUsable(scope: Scope): Promise<void>;
  /** where the program keeps its data unless somebody says otherwise */
  dataDir(scope: Scope): string;
  /** @param program file and words before `run` */
  plan(wish: Wish, program: readonly string[], wanted: { account: string | null }): Promise<Plan>;
  /** stops and unhooks it; the files are removed by the caller */
  unhook(record: ServiceRecord): Step[];
  /** after the files are gone */
  forget(record: ServiceRecord): Step[];
  standing(record: ServiceRecord): Promise<Standing>;
  /** the last lines that the program printed */
  lines(record: ServiceRecord, count: number): Promise<string[]>;
  /** a command with which a person reads all of them */
  logCommand(record: ServiceRecord): string;
}

export type MakeManager = (machine: Machine) => Manager;
