// A process that swaps, restores or recovers many films, and dies by SIGKILL with each at the fault point it was told. For swap-crash.test.ts only.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { text } from 'node:stream/consumers';
import { openRoot } from './roots.ts';
import { recover } from './recover.ts';
import { restore, swap, type RestoreWish, type SwapWish } from './swap.ts';

export interface CrashTask {
  op: 'swap' | 'restore';
  root: { path: string; id: string };
  wish: Omit<SwapWish, 'root' | 'fault'> | Omit<RestoreWish, 'root' | 'fault'>;
}

export interface CrashOrder {
  /** recover first runs recovery and then does the task again */
  what: 'perform' | 'recover';
  /** dieAt: the n-th fault point, counted from 0; null for all: live, and report the points */
  tasks: { task: CrashTask; dieAt: number | null }[];
}

export interface CrashReport {
  points: string[];
  outcomes: { outcome: string; result: unknown }[];
  result?: unknown;
  error?: string;
}

/** A root whose path has this word in it lies on a disk without hard links. */
export const WITHOUT_LINKS = 'without-links';

if (process.argv[1] === import.meta.filename) await obey(JSON.parse(await text(process.stdin)) as CrashOrder);

async function obey(order: CrashOrder): Promise<void> {
  refuseLinks();
  if (order.tasks.every(({ dieAt }) => dieAt !== null)) return await dieTogether(order);
  const reports: CrashReport[] = [];
  for (const { task } of order.tasks) {
    const points: string[] = [];
    reports.push({ points, ...(await work(order.what, task, (point) => void points.push(point))) });
  }
  process.stdout.write(JSON.stringify(reports));
}

/** Each film is held at its point; when the last one has come there, everything ends. Whoever misses his point ends it with 1. */
async function dieTogether({ what, tasks }: CrashOrder): Promise<void> {
  // held on to: what waits for ever is else collected, and its open files with it
  const parked: (() => void)[] = [];
  const park = (): Promise<void> => {
    const waits = new Promise<void>((resolve) => void parked.push(resolve));
    if (parked.length === tasks.length) process.kill(process.pid, 'SIGKILL');
    return waits;
  };
  await Promise.race(
    tasks.map(async ({ task, dieAt }) => {
      let seen = 0;
      await work(what, task, () => (seen++ === dieAt ? park() : undefined));
      process.stderr.write(`${task.op} in ${task.root.path} never came to its point ${dieAt}\n`);
    }),
  );
  process.exit(1);
}

async function work(
  what: CrashOrder['what'],
  task: CrashTask,
  fault: (point: string) => Promise<void> | void,
): Promise<Omit<CrashReport, 'points'>> {
  const root = await openRoot(task.root);
  const outcomes = what === 'recover' ? await recover(root, { node: task.wish.node, fault }) : [];
  const options = { root, ...(what === 'perform' ? { fault } : {}) };
  return await (
    task.op === 'swap' ? swap({ ...(task.wish as SwapWish), ...options }) : restore({ ...(task.wish as RestoreWish), ...options })
  ).then(
    (result) => ({ outcomes, result }),
    (error: unknown) => ({ outcomes, error: String(error) }),
  );
}

function refuseLinks(): void {
  const { link } = fs;
  fs.link = (from, to) =>
    String(from).includes(WITHOUT_LINKS) ? Promise.reject(Object.assign(new Error('link refused'), { code: 'EPERM' })) : link(from, to);
  syncBuiltinESMExports();
}
