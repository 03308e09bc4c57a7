import { StringDecoder } from 'node:string_decoder';

/**
 * What a run says, taken as it comes. A program may say anything for hours, so whatever is kept of it has a bound, and what
 * is kept as text can be stored.
 */
export interface Taking {
  /** stdout is handed over line by line and not kept */
  onLine?: (line: string) => void;
  /** stdout is no text: handed over as it comes and not kept, at most `maxStdoutBytes` of it */
  onBytes?: (chunk: Buffer) => void;
  /** kept stdout; more than this ends the run with an error. 1 MiB unless said */
  maxStdoutBytes?: number;
}

type Stream = NodeJS.ReadableStream | null | undefined;

const TAIL = 32 * 1024;
const MAX_LINE = 64 * 1024;

/**
 * Listens to stdout until it ends; `onOverflow` is called for each piece beyond `maxStdoutBytes`.
 * @returns what was kept so far: nothing where lines or bytes are handed over
 */
export function collect(stream: Stream, { onLine, onBytes, maxStdoutBytes = 1024 * 1024 }: Taking, onOverflow: () => void): () => string {
  if (onLine) {
    eachLine(stream, onLine);
    return () => '';
  }
  const chunks: Buffer[] = [];
  const keep = onBytes ?? ((chunk: Buffer) => void chunks.push(chunk));
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxStdoutBytes) keep(chunk);
    else onOverflow();
  });
  return () => clean(Buffer.concat(chunks).toString('utf8'));
}

/**
 * Listens to stderr until it ends.
 * @returns its last 32 KB so far
 */
export function tail(stream: Stream, onLine: ((line: string) => void) | undefined): () => string {
  const decoder = new StringDecoder('utf8');
  let kept = '';
  stream?.on('data', (chunk: Buffer) => {
    kept += decoder.write(chunk);
    if (kept.length > 2 * TAIL) kept = kept.slice(-TAIL);
  });
  if (onLine) eachLine(stream, onLine);
  return () => clean(bounded(kept));
}

/** The last 32 KB as bytes, whatever the alphabet. */
function bounded(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.length <= TAIL
    ? text
    : bytes
        .subarray(-TAIL)
        .toString('utf8')
        .replace(/^\uFFFD+/, '');
}

/** PostgreSQL stores no NUL and no half a character. */
function clean(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}

function eachLine(stream: Stream, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream?.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split(/\r?\n|\r/);
    rest = (lines.pop() ?? '').slice(-MAX_LINE);
    for (const line of lines) onLine(clean(line));
  });
  stream?.on('end', () => {
    if (rest) onLine(clean(rest));
  });
}
