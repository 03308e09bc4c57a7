import { createHash } from 'node:crypto';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { codecOf, encoderNames, type EncoderName, type EncoderReport } from '../core/encoder-choice.ts';
import { version } from '../version.ts';
import { encoderRows } from './encoders.ts';

/**
 * What the software encoders proved, kept for the next start: an x265 that worked an hour ago works now, and to prove it once
 * more costs two seconds of a processor before the first film. It counts for the very same program only (ffmpeg, its libraries,
 * this build, this processor), and for a week. Graphics chips prove themselves at every start: a driver that hangs looks as it
 * did yesterday. Whoever presses "test again" gets a real test of everything.
 */
export interface KeptProofs {
  /** @param look what lookAtMachine says now */
  read(look: string): Promise<EncoderReport[]>;
  write(look: string, reports: readonly EncoderReport[]): Promise<void>;
}

const WEEK_MS = 7 * 86_400_000;

export function keptProofs(file: string, ffmpeg: string): KeptProofs {
  return {
    async read(look) {
      try {
        const kept = JSON.parse(await readFile(file, 'utf8')) as { under?: unknown; reports?: unknown };
        return kept.under === (await markOf(look, ffmpeg)) && Array.isArray(kept.reports) ? kept.reports.flatMap(sound) : [];
      } catch {
        return []; // none, or not readable: everything is tested
      }
    },
    async write(look, reports) {
      const worth = reports.filter((report) => sound(report).length > 0);
      if (worth.length === 0) return;
      try {
        await writeFile(`${file}.new`, JSON.stringify({ under: await markOf(look, ffmpeg), reports: worth }), { mode: 0o600 });
        await rename(`${file}.new`, file);
      } catch {
        // the next start tests again
      }
    },
  };
}

/** Libraries are packages of their own: a new x265 leaves the program that loads it as it is, but not the time of its folder. */
const libraryFolders = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
  '/opt/homebrew/lib',
  '/usr/local/opt',
];

async function markOf(look: string, ffmpeg: string): Promise<string> {
  const times = [path.dirname(ffmpeg), ...libraryFolders].map((folder) =>
    stat(folder)
      .then((found) => found.mtimeMs)
      .catch(() => 0),
  );
  const parts = [look, version, os.cpus()[0]?.model ?? '', ...(await Promise.all(times))];
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}

/** The report made anew of what is sound in it; none for hardware, for what failed in anything, and for what is old. */
function sound(value: Partial<EncoderReport> | null): EncoderReport[] {
  const { name, device, works, tenBit, hdr10, reason, testedAt, build } = value ?? {};
  const ours = encoderNames.find((known): known is EncoderName => known === name);
  if (!ours || encoderRows[ours].hardware || device !== null || works !== true || tenBit !== true || reason !== null) return [];
  const age = Date.now() - Date.parse(String(testedAt));
  if (!(age >= 0 && age < WEEK_MS) || typeof build !== 'string') return [];
  return [
    {
      ...{ name: ours, device, works, tenBit, hardware: false, reason, testedAt: String(testedAt) },
      ...{ codec: codecOf(ours), hdr10: hdr10 === true, build },
    },
  ];
}
