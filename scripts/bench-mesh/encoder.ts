import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTool } from '../../node/testing/tools.ts';

/** An ffmpeg whose encodes cost a fixed time instead of a processor. */
export interface SimulatedEncoder {
  /** for --ffmpeg */
  path: string;
  /** how long each encode takes from now on */
  takes(seconds: number): void;
}

/**
 * Makes the program: a shell script that hands everything but an encode of a film to the real ffmpeg, with the arguments
 * as they are, and an encode to encoder-run.ts, which takes the output from a cache.
 */
export function createSimulatedEncoder(t: { after(fn: () => void): void }): SimulatedEncoder {
  const folder = mkdtempSync(join(tmpdir(), 'codecshift-encoder-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [path, cache, seconds] = [join(folder, 'ffmpeg'), join(folder, 'cache'), join(folder, 'seconds')];
  mkdirSync(cache, { mode: 0o777 });
  writeFileSync(seconds, '0');
  const real = requireTool('ffmpeg');
  const run = [process.execPath, join(import.meta.dirname, 'encoder-run.ts'), real, folder].map(quoted).join(' ');
  writeFileSync(
    path,
    // in a cage the cache cannot be seen: then this program must not seem to work there
    `#!/bin/sh\n[ -d ${quoted(cache)} ] || exit 1\ncase " $* " in\n  *" -progress "*) exec ${run} "$@" ;;\n  *) exec ${quoted(real)} "$@" ;;\nesac\n`,
  );
  chmodSync(path, 0o755);
  return { path, takes: (value) => writeFileSync(seconds, String(value)) };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
