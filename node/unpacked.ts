import fs from 'node:fs';
import path from 'node:path';
import { programFile } from './program.ts';

/**
 * A folder of the single executable as real files in `into`, for what cannot read inside the executable: a thread, or
 * another program. Whatever is there already is compared byte by byte, because an older version or a half-written copy
 * of a power cut may be; a copy that differs in anything is made anew, beside it, and then renamed.
 * One process at a time may do this for the same `into`. Returns `into`.
 */
export function unpack(folder: string, into: string): string {
  const inside = programFile(folder);
  const names = listFiles(inside);
  if (isSame(inside, into, names)) return into;
  const fresh = `${into}.new`;
  fs.rmSync(fresh, { recursive: true, force: true });
  for (const name of names) {
    fs.mkdirSync(path.dirname(path.join(fresh, name)), { recursive: true, mode: 0o700 });
    fs.writeFileSync(path.join(fresh, name), fs.readFileSync(path.join(inside, name)), { mode: 0o600 });
  }
  fs.rmSync(into, { recursive: true, force: true });
  fs.renameSync(fresh, into);
  return into;
}

/** Also a file too many is a difference: an older version may have left it, and the thread would find it. */
function isSame(inside: string, into: string, names: string[]): boolean {
  try {
    if (listFiles(into).join('\n') !== names.join('\n')) return false;
    return names.every((name) => fs.readFileSync(path.join(inside, name)).equals(fs.readFileSync(path.join(into, name))));
  } catch {
    return false; // not there, or not to be read: made anew, and that says why if it cannot be
  }
}

function listFiles(folder: string): string[] {
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return entries.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name))).sort();
}
