import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Log } from '../log.ts';
import { messageOf, PlainError } from '../errors.ts';
import { inExecutable } from '../program.ts';
import { unpack } from '../unpacked.ts';
import { lockDirectory } from './directory-lock.ts';
import { fileTrouble } from './file-trouble.ts';
import { noteEngine, requireOwnEngine } from './engine.ts';
import type { WorkerInput, WorkerNote } from './embedded-worker.ts';
import { WorkerSocket } from './wire.ts';

/**
 * The embedded PostgreSQL: PGlite in a worker thread, made safe by five guards (see research notes in ARCHITECTURE.md).
 *
 *   1 a file system that really syncs, and a first start that is durable      durable-fs.ts, embedded-worker.ts
 *   2 one process per directory, by a lock of the operating system            directory-lock.ts
 *   3 checkpoint, vacuum and analyze, which single-user mode never does       maintenance.ts
 *   4 a backup every night and before every upgrade                           backup-write.ts
 *   5 a start that proves that a commit reaches the disk, or refuses          embedded-worker.ts
 *
 *   starting ─▶ ready ─▶ closed
 *      ▲  ▲       │ the thread died: reported, opened again (crash recovery replays the log)
 *      │  └───────┤ five times within a minute ─▶ given up, every query says why
 *      └──────────┘ it cannot be opened now: every query says why, tried again after 1, 2, 4 … 30 s
 */
export interface Embedded {
  /** a new connection; the one before it is dead by then, because the pool has one */
  socket(): WorkerSocket;
  /** kills the thread as a crash would; for the watchdog and for tests */
  crash(): Promise<void>;
  close(): Promise<void>;
  readonly created: boolean;
}

export interface EmbeddedOptions {
  dataDir: string;
  log: Log;
  unsafe?: boolean;
  locked?: boolean;
  /** the first pause before another try to open it again; for tests */
  againMs?: number;
}

const AGAIN_MS = 1000;
const MOST_AGAIN_MS = 30_000;

/** @throws PlainError when the directory is in use, damaged, of another PostgreSQL, or not durable */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { dataDir, log, againMs = AGAIN_MS } = options;
  makeDirectory(dataDir);
  const lock = options.locked ? { release: () => {} } : lockDirectory(dataDir);
  const input: WorkerInput = { directory: path.join(dataDir, 'database'), unsafe: options.unsafe ?? false };
  let code: URL;
  let closing = false;
  let deaths: number[] = [];
  let current: Promise<Worker>;
  let created = false;
  let timer: NodeJS.Timeout | undefined;

  const start = async (): Promise<Worker> => {
    const { worker, note } = await startWorker(code, input);
    created ||= note.created;
    // one that is away must not be made anew in what is left of its directory
    input.mustExist = true;
    worker.once('exit', () => void (closing || died()));
    return worker;
  };

  function died(): void {
    const now = performance.now();
    deaths = [...deaths.filter((at) => now - at < 60_000), now];
    if (deaths.length <= 5) {
      log.error('the embedded database stopped; opening it again');
      return openAgain(againMs);
    }
    log.fatal('the embedded database stopped again and again; CodecShift cannot go on without it');
    const why =
      'The embedded database stopped five times within a minute. Its log lines say why; the newest backup is in the data directory.';
    current = Promise.reject(new PlainError(why));
    // whoever asks for the next connection sees it too
    current.catch(() => {});
  }

  /** A disk may be full or away just now. */
  function openAgain(pauseMs: number): void {
    current = start();
    current.then(
      () => log.info('the embedded database is open again'),
      (error: unknown) => {
        if (closing) return;
        log.error({ err: error, againInMs: pauseMs }, 'the embedded database cannot be opened; it is tried again');
        timer = setTimeout(() => openAgain(Math.min(2 * pauseMs, MOST_AGAIN_MS)), pauseMs);
      },
    );
  }

  try {
    await requireOwnEngine(dataDir);
    code = threadCode(dataDir);
    current = start();
    await current;
    noteEngine(dataDir);
  } catch (error) {
    lock.release();
    throw error;
  }
  return {
    get created(): boolean {
      return created;
    },
    socket: () => new WorkerSocket(current),
    crash: async () => void (await (await current).terminate()),
    async close() {
      closing = true;
      clearTimeout(timer);
      const worker = await current.catch(() => null);
      if (worker) await closeWorker(worker);
      lock.release();
    },
  };
}

function makeDirectory(dataDir: string): void {
  try {
    fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    fs.accessSync(dataDir, fs.constants.W_OK);
  } catch (cause) {
    throw new PlainError(
      `The data directory ${dataDir} cannot be written to. Give it to this user, or choose another one with --data-dir.`,
      { cause },
    );
  }
}

/**
 * What the thread runs. A thread sees nothing inside the single executable, so there its code and the files of PGlite are
 * copied into the data directory first (scripts/build/bundle.ts lays them out).
 */
function threadCode(dataDir: string): URL {
  if (!inExecutable) return new URL('./embedded-worker.ts', import.meta.url);
  try {
    return pathToFileURL(path.join(unpack('database', path.join(dataDir, 'database-program')), 'thread', 'embedded-worker.mjs'));
  } catch (cause) {
    throw new PlainError(`The embedded database could not be unpacked into ${dataDir}: ${messageOf(cause)}.`, { cause });
  }
}

type ReadyNote = Extract<WorkerNote, { note: 'ready' }>;

function startWorker(code: URL, input: WorkerInput): Promise<{ worker: Worker; note: ReadyNote }> {
  const worker = new Worker(code, { workerData: input, name: 'database' });
  return new Promise((resolve, reject) => {
    let failure: PlainError | null = null;
    const fail = (why: string, cause?: unknown): void => {
      failure ??= new PlainError(`The embedded database in ${input.directory} cannot be opened: ${why}`, {
        cause,
        retry: input.mustExist === true,
      });
      // two threads in one directory would destroy it
      void worker.terminate().finally(() => reject(failure));
    };
    worker.once('message', (note: WorkerNote) => {
      if (note.note === 'ready') resolve({ worker, note });
      else fail(note.note === 'refused' ? note.why : 'it closed while starting');
    });
    worker.on('error', (error: unknown) => fail(fileTrouble(error), error));
    worker.once('exit', (code) => fail(`its thread ended with code ${code}`));
  });
}

function closeWorker(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.once('exit', () => resolve());
    // all is on the disk then; a thread that ends by itself waits for whatever else it may hold
    worker.on('message', (note: WorkerNote | Uint8Array) => void ('note' in note && note.note === 'closed' && worker.terminate()));
    worker.postMessage('close');
  });
}
