// A process that exchanges many films at once and dies by SIGKILL, with each of them at its own fault point. For kinds.ts only.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { text } from 'node:stream/consumers';
import { recover } from '../../node/files/recover.ts';
import { openRoot } from '../../node/files/roots.ts';
import type { CrashTask } from '../../node/files/swap-crash.child.ts';
import { restore, swap, type RestoreWish, type SwapWish } from '../../node/files/swap.ts';

export interface ChildOrder {
  /** null: the parent kills this process whenever it likes */
  tasks: { task: CrashTask; dieAt: number | null }[];
  /** recover the root of the first task instead, and die at this point of all that recovery does */
  recoverUntil: number | null;
  refuseLinks: boolean;
}

const order = JSON.parse(await text(process.stdin)) as ChildOrder;
if (order.refuseLinks) {
  fs.link = () => Promise.reject(Object.assign(new Error('link refused'), { code: 'EPERM' }));
  syncBuiltinESMExports();
}
const die = (): void => void process.kill(process.pid, 'SIGKILL');
/** Held on to: what waits for ever is else collected, and its open files with it. */
const parked: (() => void)[] = [];
const never = (): Promise<void> => new Promise((resolve) => void parked.push(resolve));

if (order.recoverUntil !== null) {
  const first = order.tasks[0]!.task;
  let points = 0;
  await recover(await openRoot(first.root), { node: first.wish.node, fault: () => (points++ === order.recoverUntil ? die() : undefined) });
  die();
}

let waiting = order.tasks.length;
const settled = (): void => {
  if (--waiting === 0 && order.tasks.every(({ dieAt }) => dieAt !== null)) die();
};
process.stdout.write('go\n');
await Promise.all(order.tasks.map(run));
// whoever kills this process is late: everything was done
await new Promise((resolve) => setTimeout(resolve, 30_000));

async function run({ task, dieAt }: ChildOrder['tasks'][number]): Promise<void> {
  const root = await openRoot(task.root);
  let points = 0;
  const fault = (): Promise<void> | void => {
    if (points++ !== dieAt) return;
    settled();
    return never();
  };
  if (task.op === 'swap') await swap({ ...(task.wish as SwapWish), root, fault }).catch(() => null);
  else await restore({ ...(task.wish as RestoreWish), root, fault }).catch(() => null);
  settled();
}
