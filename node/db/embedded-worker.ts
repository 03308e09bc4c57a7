import fs from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { dataDir as template } from '@electric-sql/pglite-prepopulatedfs';
import { DurableNodeFS, durableParams } from './durable-fs.ts';
import { fileTrouble } from './file-trouble.ts';
import { syncDirectory, syncTree } from './sync.ts';

/**
 * The thread in which the embedded PostgreSQL runs. Its queries are synchronous WebAssembly and block the thread they run
 * in, so it is never the main one. It speaks PostgreSQL's wire protocol over its message port, one session.
 *
 *   start ─▶ first start? made in <dir>.new, synced, renamed ─▶ open ─▶ prove fsync ─▶ 'ready' ─▶ messages ─▶ 'closed'
 */
export interface WorkerInput {
  directory: string;
  /** only for the test of the self-test: start like PGlite as it comes, without fsync */
  unsafe?: boolean;
  /** it was there before: without it nothing is made */
  mustExist?: boolean;
}

export type WorkerNote = { note: 'ready'; created: boolean; syncs: number } | { note: 'refused'; why: string } | { note: 'closed' };

const port = parentPort!;
const input = workerData as WorkerInput;
const chain = startUp();

async function startUp(): Promise<void> {
  try {
    const created = await firstStart(input.directory);
    const files = new DurableNodeFS(input.directory);
    const db = await PGlite.create({
      fs: files,
      startParams: input.unsafe ? PGlite.defaultStartParams : durableParams,
      extensions: { pg_trgm },
    });
    const syncs = await proveSync(db, files);
    serve(db);
    tell({ note: 'ready', created, syncs });
  } catch (error) {
    tell({ note: 'refused', why: fileTrouble(error) });
    port.close();
  }
}

/**
 * A half-made cluster never gets the real name: it is made beside it from the template, closed, synced to the last
 * directory entry and then renamed. Without this a power cut after the first start leaves a database that never opens.
 */
async function firstStart(directory: string): Promise<boolean> {
  if (fs.existsSync(path.join(directory, 'PG_VERSION'))) return false;
  if (input.mustExist) throw new Error('it is not there any more; perhaps its disk is away');
  if (fs.existsSync(directory) && fs.readdirSync(directory).length > 0) {
    throw new Error(`${directory} is not empty and is not a database; move it away or choose another data directory`);
  }
  const fresh = `${directory}.new`;
  fs.rmSync(fresh, { recursive: true, force: true });
  fs.mkdirSync(fresh, { mode: 0o700, recursive: true });
  // Opened once without any sync: the template was not shut down, and recovery would sync each of its 1,000 files twice.
  const db = await PGlite.create({ fs: new NodeFS(fresh), loadDataDir: await template() });
  await db.close();
  syncTree(fresh);
  fs.rmSync(directory, { recursive: true, force: true });
  fs.renameSync(fresh, directory);
  fs.chmodSync(directory, 0o700); // the files inside are created for everyone to read
  syncDirectory(path.dirname(directory));
  return true;
}

/** Commits one record of the log and requires that the disk was asked to keep it. Refuses to run otherwise. */
async function proveSync(db: PGlite, files: DurableNodeFS): Promise<number> {
  const before = files.syncs;
  await db.query(`select pg_logical_emit_message(true, 'codecshift', 'is this durable?')`);
  if (files.syncs > before) return files.syncs;
  await db.close();
  throw new Error(
    'on this platform a commit of the embedded database does not reach the disk, so a power cut would lose everything; give CodecShift a PostgreSQL with --database-url',
  );
}

/** Answers the bytes of one client. A new start-up packet means that the client before it is gone, whatever it left behind. */
function serve(db: PGlite): void {
  let queue: Promise<void> = Promise.resolve();
  let pending = Buffer.alloc(0);
  let connected = false;
  port.on('message', (message: Uint8Array | 'close') => {
    queue = queue
      .then(() => (message === 'close' ? close(db) : receive(message)))
      .catch((error: unknown) => {
        // an error that is not an SQL error: the instance is beyond use, and ending the thread makes the owner reopen it
        process.nextTick(() => {
          throw error;
        });
      });
  });

  async function receive(chunk: Uint8Array): Promise<void> {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const part = takeMessages(pending);
      if (!part) return;
      pending = pending.subarray(part.length);
      if (part.startup) {
        if (connected) await forgetSession(db);
        connected = true;
      }
      if (part.bytes.length > 0) await answer(db, part.bytes);
    }
  }
}

async function forgetSession(db: PGlite): Promise<void> {
  if (db.isInTransaction()) await db.exec('ROLLBACK');
  await db.exec('DISCARD ALL');
}

async function answer(db: PGlite, bytes: Uint8Array): Promise<void> {
  const out: Uint8Array[] = [];
  await db.runExclusive(() => db.execProtocolRawStream(bytes, { onRawData: (data) => void out.push(data.slice()) }));
  if (out.length === 0) return;
  const whole = new Uint8Array(out.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of out) {
    whole.set(part, at);
    at += part.length;
  }
  port.postMessage(whole, [whole.buffer]);
}

interface Part {
  startup: boolean;
  bytes: Uint8Array;
  length: number;
}

/**
 * The longest prefix made of whole messages, or one start-up packet (it has no type byte: its length starts with zero).
 * Terminate ('X') is swallowed: it would end the only backend there is.
 */
function takeMessages(buffer: Buffer): Part | null {
  if (buffer.length >= 4 && buffer[0] === 0) {
    const length = buffer.readInt32BE(0);
    return buffer.length < length ? null : { startup: true, bytes: new Uint8Array(buffer.subarray(0, length)), length };
  }
  const kept: Buffer[] = [];
  let end = 0;
  while (buffer.length - end >= 5 && buffer[end] !== 0) {
    const length = 1 + buffer.readInt32BE(end + 1);
    if (buffer.length - end < length) break;
    if (buffer[end] !== 0x58) kept.push(buffer.subarray(end, end + length));
    end += length;
  }
  return end === 0 ? null : { startup: false, bytes: new Uint8Array(Buffer.concat(kept)), length: end };
}

async function close(db: PGlite): Promise<void> {
  await db.close();
  tell({ note: 'closed' });
  port.close();
}

function tell(note: WorkerNote): void {
  port.postMessage(note);
}

await chain;
