import { setTimeout as pause } from 'node:timers/promises';
import { PlainError } from '../errors.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { running } from './running.ts';

const help = `codecshift stop [--finish | --now] [--data-dir DIR] [--json]

Ends the running program in order and waits for its end. Encodes that run are given back and begin anew later, unless the
program was started with --stop finish.

  --finish   the encodes that run are finished first; nothing new is begun
  --now      encodes are given back, also when an earlier stop waits for them

A program that runs as a service stays stopped until the machine starts again, or somebody starts the service.
`;

const flags = { finish: { type: 'boolean' }, now: { type: 'boolean' } } as const;

/** An ordered stop without encodes takes seconds; a swap that is under way is brought to its end first. */
const PATIENCE_MS = 120_000;

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(['data-dir']), ...flags }, async ({ values, positionals }) => {
    if (positionals.length > 0) throw new PlainError(`Too many words: ${positionals.join(' ')}`);
    if (values['finish'] && values['now']) throw new PlainError('--finish and --now exclude each other.');
    const how = values['finish'] ? 'finish' : values['now'] ? 'cancel' : null;
    const { api, pid } = await running(values);
    await api('POST', '/node/stop', { how });
    if (how === 'finish') process.stderr.write('It finishes what runs, and begins nothing new. "codecshift stop --now" gives that up.\n');
    await ended(pid, how === 'cancel' ? PATIENCE_MS : Infinity);
    print(values['json'] === true, { stopped: true, pid }, () => 'Stopped.');
  });
}

/** Who asked to finish waits for as long as that takes; Ctrl-C ends the waiting and not the program. */
async function ended(pid: number, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (isAlive(pid)) {
    if (performance.now() > deadline)
      throw new PlainError(
        `CodecShift (process ${pid}) was asked to stop, and still runs after ${ms / 1000} seconds. Its log says what it waits for.`,
      );
    await pause(100);
  }
}

/** Signal 0 reaches nobody; EPERM: it is there and belongs to somebody else. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
