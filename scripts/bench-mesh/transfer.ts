import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Print } from './figures.ts';

/** Throughput and processor time per gigabyte against node:https: scripts/bench-transfer.ts, smaller than by hand. */
export async function benchTransfer(print: Print): Promise<void> {
  const words = [join(import.meta.dirname, '..', 'bench-transfer.ts'), '--mib', '512', '--rounds', '3'];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) if (line !== '') print(`  ${line}`);
  if (child.exitCode === null) await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`bench-transfer.ts ended with ${child.exitCode}`);
}
