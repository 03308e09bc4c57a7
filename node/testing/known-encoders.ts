import { copyFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * What the software encoders of this machine proved to one program of the tests, the next one is told, as if it had been started
 * here before: each proof costs two seconds of a processor, and two hundred programs are started. Whether it still counts the
 * program decides by itself (ffmpeg/kept-proofs.ts), so that a proof of another ffmpeg is only ignored.
 */
export function lendProofs(dataDir: string): void {
  const file = join(dataDir, name);
  if (age(file) !== null || age(shared) === null) return;
  try {
    copyFileSync(shared, file);
  } catch {
    // there is no such directory yet, or it is not meant to be one: the program tests its encoders
  }
}

/** After a program with the usual ffmpeg has ended. */
export function keepProofs(dataDir: string): void {
  const [known, made] = [age(shared), age(join(dataDir, name))];
  if (made === null || (known !== null && known < DAY_MS)) return;
  try {
    mkdirSync(dirname(shared), { recursive: true });
    copyFileSync(join(dataDir, name), `${shared}.${process.pid}`);
    renameSync(`${shared}.${process.pid}`, shared);
  } catch {
    // the test took its folder away already; another one will have a proof to keep
  }
}

const name = 'encoders.json';
const shared = join(tmpdir(), 'codecshift-proofs', name);
const DAY_MS = 86_400_000;

function age(file: string): number | null {
  const found = statSync(file, { throwIfNoEntry: false });
  return found ? Date.now() - found.mtimeMs : null;
}
