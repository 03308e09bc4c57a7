import { execFile } from 'node:child_process';
import { nothingFelt, type Senses } from '../core/manners.ts';
import { linuxSenses } from './senses-linux.ts';
import { macSenses } from './senses-mac.ts';
import { windowsSenses } from './senses-windows.ts';

/**
 * What a machine can feel of its house: on battery, too hot, used by a person. Every platform tells what it tells
 * without privileges; the rest is not known, with the reason, and what is not known never pauses anything. Looking is
 * cheap (a few small files, or one or two short programs), bounded in time, and wakes no disk and no graphics chip.
 */
export interface Feeler {
  /** `use`: also whether somebody uses it, which costs a program where the others are files. Never throws. */
  feel(wanted: { use: boolean }): Promise<Felt>;
}

export interface Felt {
  senses: Senses;
  /** what cannot be felt here and why, each a sentence */
  lacks: string[];
}

/** Runs a small program of the system and gives what it says; null when it is missing, fails or takes too long. */
export type Ask = (file: string, args: string[]) => Promise<string | null>;

const PATIENCE_MS = 4000;
const LONGEST = 256 * 1024;

export const askSystem: Ask = (file, args) =>
  new Promise((resolve) => {
    const options = { timeout: PATIENCE_MS, killSignal: 'SIGKILL', maxBuffer: LONGEST, windowsHide: true, encoding: 'utf8' } as const;
    const child = execFile(file, args, options, (error, stdout) => resolve(error ? null : stdout));
    child.stdin?.end();
  });

/** The senses of the platform this runs on. `ask`: for tests. */
export function createFeeler(platform: NodeJS.Platform = process.platform, ask: Ask = askSystem): Feeler {
  const feel = feelersOf(platform, ask);
  return {
    async feel(wanted) {
      try {
        return await within(2 * PATIENCE_MS, feel(wanted));
      } catch {
        return { senses: nothingFelt, lacks: ['This machine did not say in time how it is, so nothing is paused because of it.'] };
      }
    },
  };
}

function feelersOf(platform: NodeJS.Platform, ask: Ask): Feeler['feel'] {
  if (platform === 'linux') return linuxSenses({ ask });
  if (platform === 'darwin') return macSenses(ask);
  if (platform === 'win32') return windowsSenses(ask);
  return async () => ({ senses: nothingFelt, lacks: [`On ${platform} neither battery nor heat nor use can be felt.`] });
}

/** A driver may hang in a read; the look is then given up, and the next one tries anew. */
function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('too slow')), ms);
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}
