import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import * as v from 'valibot';
import { codeOf, PlainError } from '../errors.ts';
import { decrypted, isEncrypted } from './backup-cipher.ts';
import type { BackupHead, Manifest } from './backup-write.ts';
import { exportedTables } from './export.ts';

/**
 * Reads a backup, always from its beginning: what it says of itself stands first, the digests last. Whoever wants to put it
 * back reads it twice: once to know that it is whole (`verifyBackup`), once for its rows (`readBackup`). It may come from
 * anywhere, so sizes are bounded and names are looked up in a list.
 */
export interface BackupOptions {
  passphrase?: string | null | undefined;
  signal?: AbortSignal | undefined;
  /** of the file's bytes */
  onProgress?: ((read: number, of: number) => void) | undefined;
}

export type BackupPart =
  | { kind: 'head'; head: BackupHead }
  /** some rows of a table; the parts of a table follow one another */
  | { kind: 'rows'; table: string; rows: string[] }
  | { kind: 'file'; name: string; bytes: Buffer }
  | { kind: 'manifest'; manifest: Manifest };

export interface BackupContents {
  manifest: Manifest;
  files: Record<string, Buffer>;
  sha256: string;
  bytes: number;
  /** of its rows as text */
  plain: number;
  encrypted: boolean;
}

/** One row of the library may be big, but not everything that claims to be one. */
const MAX_ROW = 64 * 1024 * 1024;
const MAX_FILE = 1024 * 1024;
/** lines are handed on in portions of so many, or of so much text: a small file may say that it holds very much */
const PORTION = 500;
const PORTION_CHARACTERS = 4 * 1024 * 1024;
/** far above what any house counts to, far below where numbers end */
const MAX_COUNT = 2 ** 50;
const keyFileNames = new Set(['secret.key', 'node.key', 'cluster.json', 'roots.json']);

/**
 * Reads all of it and compares every digest.
 * @throws PlainError which says what is wrong: no backup, a wrong passphrase, damaged, not complete
 */
export async function verifyBackup(file: string, options: BackupOptions = {}): Promise<BackupContents> {
  const digest = createHash('sha256');
  const counted = new Map<string, { rows: number; hash: Hash }>();
  const files: Record<string, Buffer> = {};
  let manifest: Manifest | null = null;
  let plain = 0;
  for await (const part of readBackup(file, { ...options, digest })) {
    if (part.kind === 'manifest') manifest = part.manifest;
    else if (part.kind === 'file') files[part.name] = part.bytes;
    else if (part.kind === 'rows') {
      const table = counted.get(part.table) ?? { rows: 0, hash: createHash('sha256') };
      counted.set(part.table, table);
      table.rows += part.rows.length;
      for (const row of part.rows) {
        table.hash.update(`${row}\n`);
        plain += row.length;
      }
    }
  }
  if (!manifest) throw new PlainError('The backup is not complete: its end is missing. Take another one.');
  for (const name of counted.keys()) if (!manifest.tables.some((table) => table.name === name)) throw damaged(name);
  for (const { name, rows, sha256 } of manifest.tables) {
    const found = counted.get(name) ?? { rows: 0, hash: createHash('sha256') };
    if (found.rows !== rows || found.hash.digest('hex') !== sha256) throw damaged(name);
  }
  for (const { name, sha256 } of manifest.files)
    if (!files[name] || createHash('sha256').update(files[name]).digest('hex') !== sha256) throw damaged(name);
  const { size } = await stat(file);
  return { manifest, files, sha256: digest.digest('hex'), bytes: size, plain, encrypted: await looksEncrypted(file) };
}

function damaged(what: string): PlainError {
  return new PlainError(`The backup is damaged: ${what} does not match its digest. Take another one.`);
}

/** What it says of itself, without reading more. @throws PlainError */
export async function readHead(file: string, options: BackupOptions = {}): Promise<BackupHead> {
  for await (const part of readBackup(file, options)) if (part.kind === 'head') return part.head;
  throw new PlainError('This is no backup of CodecShift.');
}

/** @throws PlainError when there is no such file */
export async function looksEncrypted(file: string): Promise<boolean> {
  const handle = await open(file).catch((cause: unknown) => {
    throw new PlainError(codeOf(cause) === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read.`, { cause });
  });
  try {
    const start = Buffer.alloc(16);
    await handle.read(start, 0, 16, 0);
    return isEncrypted(start);
  } finally {
    await handle.close();
  }
}

/** The parts as they come. Digests are not looked at; see `verifyBackup`. */
export async function* readBackup(file: string, options: BackupOptions & { digest?: Hash } = {}): AsyncGenerator<BackupPart> {
  const isSealed = await looksEncrypted(file);
  if (isSealed && !options.passphrase)
    throw new PlainError('This backup is encrypted. Give its passphrase.', { reason: { code: 'secret-lost' } });
  const raw = createReadStream(file, { highWaterMark: 256 * 1024 });
  const { size } = await stat(file);
  const plain = isSealed ? decrypted(watched(raw, size, options), options.passphrase!) : watched(raw, size, options);
  const source = Readable.from(plain);
  const gunzip = createGunzip();
  const tar = extract();
  // an error of one goes on to the next; the last is read below
  source.on('error', (error) => gunzip.destroy(error));
  gunzip.on('error', (error) => tar.destroy(error));
  source.pipe(gunzip).pipe(tar as unknown as NodeJS.WritableStream);
  try {
    for await (const entry of tar) yield* partsOf(entry.header.name, entry.header.size ?? 0, entry as AsyncIterable<Buffer>);
  } catch (error) {
    if (error instanceof PlainError || options.signal?.aborted) throw error;
    throw new PlainError(`${file} is no backup of CodecShift, or it is damaged.`, { cause: error });
  } finally {
    source.destroy();
    gunzip.destroy();
    raw.destroy();
  }
}

async function* watched(
  raw: AsyncIterable<Buffer>,
  size: number,
  { signal, onProgress, digest }: BackupOptions & { digest?: Hash },
): AsyncGenerator<Buffer> {
  let read = 0;
  for await (const piece of raw) {
    signal?.throwIfAborted();
    digest?.update(piece);
    read += piece.length;
    onProgress?.(read, size);
    yield piece;
  }
}

async function* partsOf(name: string, size: number, content: AsyncIterable<Buffer>): AsyncGenerator<BackupPart> {
  const table = /^tables\/([a-z_]{1,60})\.\d{6}\.jsonl$/.exec(name)?.[1];
  if (table !== undefined) {
    if (!(exportedTables as readonly string[]).includes(table))
      throw new PlainError(`The backup holds a table that this CodecShift does not know: ${table}. It was made by a newer one.`);
    for await (const rows of portions(linesOf(content))) yield { kind: 'rows', table, rows };
    return;
  }
  const bytes = await whole(name, size, content);
  if (name === 'backup.json') yield { kind: 'head', head: parsed(headSchema, bytes) };
  else if (name === 'manifest.json') yield { kind: 'manifest', manifest: parsed(manifestSchema, bytes) };
  else if (name.startsWith('keys/') && keyFileNames.has(name.slice(5))) yield { kind: 'file', name: name.slice(5), bytes };
}

async function whole(name: string, size: number, content: AsyncIterable<Buffer>): Promise<Buffer> {
  if (size > MAX_FILE) throw new PlainError(`The backup is damaged: its part ${name.slice(0, 60)} is too big.`);
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

const headEntries = {
  format: v.literal(1),
  program: v.pipe(v.string(), v.maxLength(100)),
  takenAt: v.pipe(v.string(), v.maxLength(40)),
  cluster: v.nullable(v.object({ id: v.pipe(v.string(), v.maxLength(60)), name: v.pipe(v.string(), v.maxLength(200)) })),
  keys: v.boolean(),
  label: v.pipe(v.string(), v.maxLength(60)),
  schema: v.pipe(v.number(), v.integer(), v.minValue(1)),
  term: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_COUNT)),
  pins: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_COUNT)),
};
const headSchema = v.object(headEntries);
const manifestSchema = v.object({
  ...headEntries,
  tables: v.pipe(v.array(v.object({ name: v.string(), rows: v.number(), sha256: v.string() })), v.maxLength(200)),
  files: v.pipe(v.array(v.object({ name: v.string(), sha256: v.string() })), v.maxLength(20)),
});

function parsed<T extends v.GenericSchema>(schema: T, bytes: Buffer): v.InferOutput<T> {
  try {
    const value = JSON.parse(bytes.toString('utf8')) as { format?: unknown };
    if (typeof value.format === 'number' && value.format > 1)
      throw new PlainError('This backup was made by a newer CodecShift in a form that this one cannot read.');
    return v.parse(schema, value);
  } catch (cause) {
    throw cause instanceof PlainError ? cause : new PlainError('The backup is damaged: what it says of itself cannot be read.', { cause });
  }
}

async function* portions(lines: AsyncIterable<string>): AsyncGenerator<string[]> {
  let rows: string[] = [];
  let size = 0;
  for await (const line of lines) {
    rows.push(line);
    size += line.length;
    if (rows.length < PORTION && size < PORTION_CHARACTERS) continue;
    yield rows;
    [rows, size] = [[], 0];
  }
  if (rows.length > 0) yield rows;
}

/** Only a line feed ends a row: node's readline would also break at U+2028 inside a name. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, end)]).toString('utf8');
      pieces = [];
      size = 0;
      from = end + 1;
    }
    const rest = chunk.subarray(from);
    if (rest.length === 0) continue;
    if ((size += rest.length) > MAX_ROW) throw new PlainError('The backup is damaged: one of its rows has no end.');
    pieces.push(Buffer.from(rest));
  }
  if (pieces.length > 0) yield Buffer.concat(pieces).toString('utf8');
}
