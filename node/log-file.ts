import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';

/**
 * The log in a file of its own, for services whose system keeps none: `codecshift.log`, and the one before it,
 * `codecshift.log.1`. Both together are never larger than was allowed. Written at once, so that the last line before a crash
 * is there. A disk that is full loses lines and stops nothing.
 */
export function createLogFile(directory: string, maxBytes: number): (line: string) => void {
  const file = path.join(directory, 'codecshift.log');
  let descriptor: number | null = null;
  let size = 0;

  return (line) => {
    try {
      const bytes = Buffer.from(line);
      if (descriptor !== null && size + bytes.length > maxBytes / 2) turnOver();
      descriptor ??= begin();
      size += writeSync(descriptor, bytes);
    } catch {
      // the console has it, and the next line tries again
      letGo();
    }
  };

  function begin(): number {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const opened = openSync(file, 'a', 0o600);
    size = statSync(file).size;
    return opened;
  }

  function turnOver(): void {
    letGo();
    renameSync(file, `${file}.1`);
  }

  /** Also of a disk that is full: a file that is opened anew for every line would use up all that this process may open. */
  function letGo(): void {
    const held = descriptor;
    descriptor = null;
    try {
      if (held !== null) closeSync(held);
    } catch {
      // it tells of a line that is lost already
    }
  }
}
