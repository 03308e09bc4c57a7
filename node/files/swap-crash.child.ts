// A process that swaps, restores or recovers, and dies by SIGKILL at the fault point it was told. For swap-crash.test.ts only.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
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
  tasks: CrashTask[];
  /** die at the n-th fault point, counted from 0; null: live, and report the points */
  dieAt: number | null;
  refuseLinks: boolean;
}

const order = JSON.parse(process.argv[2] ?? '') as CrashOrder;
if (order.refuseLinks) {
  fs.link = () => Promise.reject(Object.assign(new Error('link refused'), { code: 'EPERM' }));
  syncBuiltinESMExports();
}

const points: string[] = [];
const fault = (point: string): void => {
  points.push(point);
  if (points.length - 1 === order.dieAt) process.kill(process.pid, 'SIGKILL');
};

const reports: unknown[] = [];
for (const task of order.tasks) {
  const root = await openRoot(task.root);
  const outcomes = order.what === 'recover' ? await recover(root, { node: task.wish.node, fault }) : [];
  const known = points.length;
  const again = await perform(task, root).then(
    (result) => ({ result }),
    (error: unknown) => ({ error: String(error) }),
  );
  reports.push({ outcomes, ...again, known });
}
process.stdout.write(JSON.stringify({ points, reports }));

async function perform(task: CrashTask, root: Awaited<ReturnType<typeof openRoot>>): Promise<unknown> {
  const options = order.what === 'perform' ? { fault } : {};
  if (task.op === 'swap') return await swap({ ...(task.wish as SwapWish), root, ...options });
  return await restore({ ...(task.wish as RestoreWish), root, ...options });
}
