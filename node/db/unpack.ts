import fs from 'node:fs';
import path from 'node:path';

const BLOCK = 512;

/**
 * Writes the files of a tar archive below a directory; enough of the format for the database template, which has only
 * plain files and directories with short names. Starting PGlite just to do this costs two seconds of a first start.
 */
export function unpackTar(archive: Buffer, into: string): void {
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0; ) {
    const header = archive.subarray(at, at + BLOCK);
    const size = Number.parseInt(field(header, 124, 12), 8) || 0;
    const target = inside(into, field(header, 345, 155) + field(header, 0, 100));
    const type = field(header, 156, 1);
    at += BLOCK;
    if (type === '5') fs.mkdirSync(target, { recursive: true, mode: 0o700 });
    else if (type === '0' || type === '') writeFile(target, archive.subarray(at, at + size));
    else throw new Error(`the database template holds an entry of the unexpected type "${type}"`);
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
}

function writeFile(target: string, content: Buffer): void {
  fs.mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 });
  fs.writeFileSync(target, content, { mode: 0o600 });
}

function inside(directory: string, name: string): string {
  const target = path.join(directory, name);
  if (path.relative(directory, target).startsWith('..')) throw new Error(`the database template names ${name}, which is outside of it`);
  return target;
}

function field(header: Buffer, start: number, length: number): string {
  const bytes = header.subarray(start, start + length);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? length : end).trim();
}
