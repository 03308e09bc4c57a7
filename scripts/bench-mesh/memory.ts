import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ratio, type Print } from './figures.ts';
import type { House } from './house.ts';

const watched = 8;

/** Memory and processor of a worker that has nothing to do, beside a Node.js process that does nothing at all. */
export async function benchMemory(house: House, print: Print): Promise<void> {
  await house.rest();
  const pid = programOn(house.cluster.machine('c').dataDir);
  const bare = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await once(bare.stdout, 'data');
    const [before, begun] = [cpuSeconds(pid), performance.now()];
    await pause(watched * 1000);
    const share = (cpuSeconds(pid) - before) / ((performance.now() - begun) / 1000);
    const [ours, nothing] = [residentMib(pid), residentMib(bare.pid!)];
    print(
      `  an idle worker without database and films, member of four: ${ours.toFixed(0)} MiB resident, ${(share * 100).toFixed(1)} % of one core`,
    );
    print(`  a bare Node.js process: ${nothing.toFixed(0)} MiB resident`);
    print(ratio('memory over bare Node.js', ours / nothing));
  } finally {
    bare.kill('SIGKILL');
  }
}

/** The process itself, not the shells that put it on its machine: the one that takes most memory. */
function programOn(dataDir: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const own = pids.filter((pid) => read(pid, 'cmdline').split('\0').includes(dataDir)).map(Number);
  const found = own.toSorted((a, b) => residentMib(b) - residentMib(a))[0];
  if (found === undefined) throw new Error('the worker does not run');
  return found;
}

function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(read(pid, 'status'))?.[1] ?? 0) / 1024;
}

/** Fields 14 and 15 of stat, counted after the name in brackets, in hundredths of a second (proc(5)). */
function cpuSeconds(pid: number): number {
  const fields = read(pid, 'stat').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function read(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
