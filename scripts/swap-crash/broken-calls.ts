import { mkdtempSync, rmSync } from 'node:fs';
import sync from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** System calls that fail: of everything that files/ calls, the n-th, or all from the n-th on, or the n-th although it worked. */
export type Manner = 'once' | 'from then on' | 'done but said failed';

export interface Breaking {
  /** counted from 0 */
  at: number;
  code: string;
  manner: Manner;
}

const changing = ['rename', 'link', 'unlink', 'mkdir', 'rmdir', 'writeFile', 'chmod', 'chown', 'utimes', 'open', 'copyFile'] as const;
const looking = ['stat', 'lstat', 'readFile', 'readdir', 'realpath', 'opendir'] as const;
const handled = ['sync', 'writeFile', 'read', 'write', 'stat', 'truncate'] as const;

let broken: Breaking | null = null;
let calls = 0;
let struck: string | null = null;
let patched = false;

/** @returns what `work` gave or threw, and the call that was broken, null when there were not so many calls */
export async function withBroken<T>(
  breaking: Breaking,
  work: () => Promise<T>,
): Promise<{ result?: T; error?: unknown; struck: string | null }> {
  await patch();
  [broken, calls, struck] = [breaking, 0, null];
  try {
    return { result: await work(), struck };
  } catch (error) {
    return { error, struck };
  } finally {
    broken = null;
  }
}

type Call = (...args: unknown[]) => unknown;

async function patch(): Promise<void> {
  if (patched) return;
  patched = true;
  const own = fs as unknown as Record<string, Call>;
  for (const name of [...changing, ...looking]) own[name] = breakable(name, own[name]!, true);
  const syncs = sync as unknown as Record<string, Call>;
  for (const name of ['renameSync', 'lstatSync']) syncs[name] = breakable(name, syncs[name]!, false);
  const folder = mkdtempSync(join(tmpdir(), 'codecshift-handle-'));
  const handle = await fs.open(join(folder, 'x'), 'w');
  const prototype = Object.getPrototypeOf(handle) as Record<string, Call>;
  await handle.close();
  rmSync(folder, { recursive: true });
  for (const name of handled) prototype[name] = breakable(`handle.${name}`, prototype[name]!, true);
  syncBuiltinESMExports();
}

function breakable(name: string, real: Call, asynchronous: boolean): Call {
  return function (this: unknown, ...args: unknown[]): unknown {
    const now = broken;
    if (!now) return real.apply(this, args);
    const here = calls++;
    const strikes = now.manner === 'from then on' ? here >= now.at && !looks(name) : here === now.at;
    if (!strikes) return real.apply(this, args);
    struck ??= name;
    const failure = Object.assign(new Error(`${now.code}: ${name}, broken for a test`), { code: now.code });
    if (now.manner !== 'done but said failed' || name === 'open') {
      if (asynchronous) return Promise.reject(failure);
      throw failure;
    }
    if (!asynchronous) {
      real.apply(this, args);
      throw failure;
    }
    return Promise.resolve(real.apply(this, args)).then(() => {
      throw failure;
    });
  };
}

/** A disk that broke for good can often still be read. */
function looks(name: string): boolean {
  return (looking as readonly string[]).includes(name) || name === 'lstatSync' || name === 'handle.read' || name === 'handle.stat';
}
