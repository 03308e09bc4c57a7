import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * What the software encoders of this machine proved to one program of the tests, the next one is told, as if it had been started
 * here before: each proof costs two seconds of a processor, and two hundred programs are started. Whether it still counts the
 * program decides by itself (ffmpeg/kept-proofs.ts), so that a proof of another ffmpeg is only ignored.
 */
export function lendProofs(dataDir: string): void {
  const file = join(dataDir, name);
  if (existsSync(file) || !existsSync(shared)) return;
  try {
    copyFileSync(shared, file);
  } catch {
    // there is no such directory yet, or it is not meant to be one: the program tests its encoders
  }
}

/** After a program with the usual ffmpeg has ended. */
export function keepProofs(dataDir: string): void {
  try {
    const made = readFileSync(join(dataDir, name));
    // it stands unless the program had to prove anew: that one counts for what is on this machine now
    if (existsSync(shared) && readFileSync(shared).equals(made)) return;
    mkdirSync(dirname(shared), { recursive: true });
    copyFileSync(join(dataDir, name), `${shared}.${process.pid}`);
    renameSync(`${shared}.${process.pid}`, shared);
  } catch {
    // there is none, or the test took its folder away already; another one will have a proof to keep
  }
}

const name = 'encoders.json';
const shared = join(tmpdir(), 'codecshift-proofs', name);
