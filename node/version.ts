import { readFileSync } from 'node:fs';
import { programFile } from './program.ts';

/** The version of this build, from package.json. */
export const version: string = (JSON.parse(readFileSync(programFile('package.json'), 'utf8')) as { version: string }).version;

/**
 * The commit that this build is of: twelve digits, or `unknown` (a copy without its history). The build of the single
 * executable writes it down beside the program (scripts/build/bundle.ts); a checkout is asked.
 */
export function commitOf(read = (...way: string[]): string => readFileSync(programFile(...way), 'utf8')): string {
  for (const way of [['commit'], ['.git', 'HEAD']]) {
    const found = /^(?:ref: (refs\/[\w./-]{1,200})|([0-9a-f]{40,64}))$/.exec(trying(() => read(...way)).trim());
    const commit = found?.[1] === undefined ? found?.[2] : commitOfBranch(found[1], read);
    if (commit !== undefined) return commit.slice(0, 12);
  }
  return 'unknown';
}

/** git moves the names of branches into one file now and then. */
function commitOfBranch(ref: string, read: (...way: string[]) => string): string | undefined {
  const loose = /^[0-9a-f]{40,64}$/.exec(trying(() => read('.git', ...ref.split('/'))).trim())?.[0];
  return (
    loose ??
    trying(() => read('.git', 'packed-refs'))
      .split('\n')
      .find((line) => line.endsWith(` ${ref}`))
      ?.split(' ')[0]
  );
}

function trying(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
