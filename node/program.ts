import { createRequire } from 'node:module';
import path from 'node:path';
import { isSea } from 'node:sea';

/**
 * Where this program lies. From source its parts are files of the repository; in the single executable (scripts/build.ts)
 * they are inside the file itself, and Node.js shows them to `fs` and `import` below a path that exists nowhere else:
 * they can be read and listed, but not written to, not copied with copyFile, and no other process or thread sees them.
 */
export const inExecutable: boolean = isSea();

// the bundle's pieces all lie at its top
const root = inExecutable ? import.meta.dirname : path.join(import.meta.dirname, '..');

/** A file or folder of the program by its path in the repository: `programFile('views')`. */
export function programFile(...way: string[]): string {
  return path.join(root, ...way);
}

/** A file of an npm package: `packageFile('htmx.org', 'dist/htmx.min.js')`. @throws when the package is not installed */
export function packageFile(name: string, ...way: string[]): string {
  if (inExecutable) return path.join(root, 'node_modules', name, ...way);
  return path.join(path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), ...way);
}

/** The directory of the single executable, where people put what belongs to it; null when the program runs from source. */
export function besideExecutable(): string | null {
  return inExecutable ? path.dirname(process.execPath) : null;
}

/** What a person types to start the program, before its options; a further machine starts it the same way. */
export const typedToStart: string = inExecutable ? 'codecshift run' : 'npm start --';

/**
 * How this very program is called from any directory: `[file, ...args, 'status']`. For processes of its own, and for the
 * system's service manager. It holds until the program (or, from source, the Node.js that runs it) is moved away.
 */
export function ownCommand(): { file: string; args: string[] } {
  return { file: process.execPath, args: inExecutable ? [] : [programFile('node', 'main.ts')] };
}
