import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { loadOptions, type RunOptions } from '../config/load.ts';
import { nodeKeys, specOf } from '../config/schema.ts';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import { createLogFile } from '../log-file.ts';
import type { LogBook } from '../log-book.ts';
import { openLog, type Log } from '../log.ts';
import { surviveTheNetwork } from '../mesh/last-resort.ts';
import { keepSecret, keepSecretOfUrl } from '../redact.ts';
import { version } from '../version.ts';
import { command, nodeFlagHelp, nodeFlags } from './arguments.ts';
import { leave } from './leave.ts';

const help = `codecshift run [options]

Starts this machine: watches the libraries, converts what should be HEVC, shows the dashboard.

${nodeFlagHelp()}
  --env-file        A file of NAME=value lines; what is in it counts as if it stood in the environment.

Ctrl-C stops it. All other settings are on the page.
`;

/** Runs until a signal; resolves with the exit code. */
export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(), 'env-file': { type: 'string' } }, async ({ values, positionals }) => {
    if (typeof values['env-file'] === 'string') readEnvFile(values['env-file']);
    const folders = [...((values['library'] as string[] | undefined) ?? []), ...positionals];
    const options = loadOptions(folders.length ? { ...values, library: folders } : values);
    const { log, book } = logOf(options);
    const { startNode } = await import('../node.ts');
    surviveTheNetwork(log);
    const stopped = new AbortController();
    const signals = listenForStop(stopped);
    // the way in is the last thing a person reads, and not lost above the lines of the start
    let say: typeof onToken = (...token) => void (early = token);
    let early: Parameters<typeof onToken> | null = null;
    const node = await startNode({
      options,
      log,
      book,
      signal: stopped.signal,
      onCode,
      onToken: (...token) => say(...token),
      onStop: (how) => signals.ask(how),
    }).catch((error: unknown) => {
      // whoever asked for it is no crash, or a service manager would start it again
      if (!stopped.signal.aborted) throw error;
      process.stderr.write('Stopped before the start was complete.\n');
      return null;
    });
    if (!node) leave(0);
    process.stdout.write(`CodecShift ${version}\nDashboard: ${node.url}\n`);
    say = onToken;
    if (early) onToken(...(early as Parameters<typeof onToken>));
    const how = (await signals.first) ?? options.stop;
    process.stderr.write(how === 'finish' ? 'Finishing what runs. Press Ctrl-C again to give it up.\n' : 'Stopping.\n');
    return end(node.stop({ how, hurry: signals.second }), how === 'finish' ? signals.second : Promise.resolve());
  });
}

/** Containers are given a minute to stop (docker-compose.yml). */
const LIMIT_MS = 50_000;
/** For what nobody waits for, such as a file that is removed. */
const LAST_MS = 100;

/**
 * Ends this process once the program has stopped. What hangs, in a disk that is away, would keep it for ever: then it leaves without
 * that, and the next start goes on as after a crash.
 * @param since from then on it is in a hurry
 */
async function end(stopping: Promise<string[]>, since: Promise<void>): Promise<never> {
  const over = new AbortController();
  const late = since.then(() => pause(LIMIT_MS, ['the stop itself'], { signal: over.signal }));
  late.catch(() => {}); // it was in time
  const left = await Promise.race([stopping, late]).finally(() => over.abort());
  if (left.length > 0) process.stderr.write(`What hangs is left behind (${left.join(', ')}); the next start goes on where this one was.\n`);
  await pause(LAST_MS);
  leave(0);
}

function logOf(options: RunOptions): { log: Log; book: LogBook } {
  // what the person who started the program told it in confidence is in no line that it ever writes
  for (const key of nodeKeys) if (specOf(key).secret && key !== 'databaseUrl') keepSecret(options[key] as string | null);
  keepSecretOfUrl(options.databaseUrl);
  const pretty = options.logFormat === 'auto' ? process.stderr.isTTY : options.logFormat === 'readable';
  const file = options.logFileMb > 0 ? createLogFile(path.join(options.dataDir, 'logs'), options.logFileMb * 1024 * 1024) : null;
  return openLog({ level: options.logLevel, pretty, ...(file ? { alsoJson: file } : {}) });
}

/** For service managers that read none themselves: a secret must not stand in a command line. @throws PlainError */
function readEnvFile(file: string): void {
  try {
    process.loadEnvFile(file);
  } catch (error) {
    throw new PlainError(`The file ${file} of --env-file cannot be read (${codeOf(error) ?? messageOf(error)}).`, { cause: error });
  }
}

/** Both screens show it, so that a person approves this machine and no other. */
function onCode(code: string, cluster: string): void {
  process.stdout.write(
    `This machine asks to join "${cluster}". Its code: ${code}\nApprove it on the Nodes page of that cluster if the code there is the same.\n`,
  );
}

/** Only here and in the data directory: whoever knows it has the machine. */
function onToken(address: string, token: string, why: 'set-up' | 'machine'): void {
  const what =
    why === 'set-up' ? 'Nobody has decided yet who may open the dashboard. Set it up:' : 'To decide something at this machine itself:';
  process.stdout.write(`${what}\n  ${address}\n  Set-up token: ${token}\n`);
}

type Stop = 'cancel' | 'finish';

interface Signals {
  /** how to stop; null: as `--stop` says */
  first: Promise<Stop | null>;
  second: Promise<void>;
  /** `codecshift stop`, which can say how and be repeated without doing harm */
  ask(how: Stop | null): void;
}

/** First signal: stop in order. Second: cancel what still runs. Third: leave at once. */
function listenForStop(stopped: AbortController): Signals {
  const first = Promise.withResolvers<Stop | null>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  const begin = (how: Stop | null): void => {
    count++;
    stopped.abort();
    first.resolve(how);
  };
  const heard = (): void => {
    if (count === 0) begin(null);
    else if (++count === 2) second.resolve();
    else leave(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const) {
    try {
      process.on(signal, heard);
    } catch {
      // a signal this platform does not have
    }
  }
  return {
    first: first.promise,
    second: second.promise,
    ask(how) {
      if (count === 0) begin(how);
      else if (how === 'cancel') second.resolve();
    },
  };
}
