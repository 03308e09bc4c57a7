import { readdirSync, readFileSync } from 'node:fs';
import { stat, utimes } from 'node:fs/promises';
import { createServer } from 'node:net';

/** Who called, who was opened, and how much memory the programs that we started took. */

/** A listener on 127.0.0.1 that counts whoever comes and answers nothing. */
export async function listener(): Promise<{ port: number; calls: () => number; close: () => Promise<void> }> {
  let calls = 0;
  const server = createServer((socket) => {
    calls++;
    socket.destroy();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, calls: () => calls, close: () => new Promise((done) => void server.close(() => done())) };
}

const LONG_AGO = 1_000_000_000;

/** Sets the time of the last access back, so that the next reading shows even where access times are kept lazily. */
export async function setTrip(path: string): Promise<void> {
  await utimes(path, LONG_AGO, LONG_AGO + 100);
}

export async function wasRead(path: string): Promise<boolean> {
  return (await stat(path)).atimeMs !== LONG_AGO * 1000;
}

/** The largest resident memory of any process below ours while `work` runs, in bytes; 0 where /proc is not. */
export async function peakMemory<T>(work: () => Promise<T>): Promise<{ result: T; peak: number }> {
  let peak = 0;
  const look = setInterval(() => {
    for (const pid of below(process.pid)) peak = Math.max(peak, highWater(pid));
  }, 15);
  try {
    return { result: await work(), peak };
  } finally {
    clearInterval(look);
  }
}

function below(pid: number): number[] {
  try {
    const own = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
    return own.flatMap((child) => [child, ...below(child)]);
  } catch {
    return []; // gone meanwhile
  }
}

function highWater(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
