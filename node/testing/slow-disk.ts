import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';

/**
 * `npm test -- --slow-disk`: in tests and the programs that they start every seventh call of node:fs/promises waits for up to 60 ms before or after
 * it, and some files are written in two steps, first emptied, then filled. On a fast disk calls return in the order in which
 * they were made, so that code which relies on that passes for months, and fails on a NAS that wakes its disks.
 */
const SHARE = 0.15;
const LONGEST_MS = 60;
const TORN = 0.3;
const names = ['stat', 'lstat', 'readFile', 'readdir', 'rename', 'link', 'unlink', 'rm', 'mkdir', 'mkdtemp'] as const;

type Call = (...args: unknown[]) => Promise<unknown>;
const calls = fs as unknown as Record<string, Call>;

if (isMainThread) {
  for (const name of names) calls[name] = slow(calls[name]!);
  calls['writeFile'] = torn(calls['writeFile']!);
  syncBuiltinESMExports();
}

function slow(call: Call): Call {
  return async (...args) => {
    await perhapsWait();
    try {
      return await call(...args);
    } finally {
      await perhapsWait();
    }
  };
}

/** A file that is opened already, or opened with flags of its own, is written as asked. */
function torn(write: Call): Call {
  const whole = slow(write);
  return async (file, content, options) => {
    const own = typeof options === 'object' && options !== null && 'flag' in options;
    if (typeof file === 'string' && !own && Math.random() < TORN) {
      await write(file, '', options);
      await wait(Math.random() * LONGEST_MS);
    }
    return whole(file, content, options);
  };
}

async function perhapsWait(): Promise<void> {
  if (Math.random() < SHARE) await wait(Math.random() * LONGEST_MS);
}
