import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { ownCommand } from '../program.ts';

/**
 * Starts the program and starts it again when it fails. For a system that does not do that itself: the Task Scheduler of Windows
 * tries again what it could not start (MS-TSCH 2.5.4.2), and never what ended. The rules are those of our systemd unit.
 *
 *   start ─▶ runs ─ code 0 ("codecshift stop") or 2 (a mistake in its options) ─▶ ended, with that code
 *     ▲        └─ any other end ─▶ a few seconds ─┐
 *     └──────────────────────────────────────────┘
 */
export async function run(words: string[]): Promise<number> {
  const asked = new AbortController();
  let child: ChildProcess | null = null;
  const pass = (signal: NodeJS.Signals): void => {
    asked.abort();
    child?.kill(signal);
  };
  for (const signal of signals) process.on(signal, pass);
  for (;;) {
    const code = await ended((child = start(words)));
    child = null;
    if (code === 0 || code === MISTAKE || asked.signal.aborted) return code ?? 1;
    await pause(AGAIN_MS, null, { signal: asked.signal }).catch(() => {});
    if (asked.signal.aborted) return code ?? 1;
  }
}

/** SIGHUP and SIGBREAK are how a console of Windows says that it closes; the program hears them too and ends in order. */
const signals: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  ...(process.platform === 'win32' ? (['SIGBREAK'] as const) : []),
];
const MISTAKE = 2;
const AGAIN_MS = 5000;

function start(words: readonly string[]): ChildProcess {
  const { file, args } = ownCommand();
  return spawn(file, [...args, ...words], { stdio: 'inherit', windowsHide: true });
}

/** Null: a signal ended it, or it could not be started. */
function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      process.stderr.write(`CodecShift cannot be started: ${messageOf(error)}\n`);
      resolve(null);
    });
    child.once('exit', (code) => resolve(code));
  });
}
