import type { EncoderChoice } from '../core/encoder-choice.ts';
import { encoderArguments, rowOf } from './encoders.ts';
import { start, type Running } from './process.ts';
import { safeGlobals, wrapper } from './sandbox.ts';
import { limitMs, type Proving } from './test-encode.ts';

/** Nobody encodes more films than this at once on one chip; consumer cards refuse long before. */
const MOST = 8;

export interface Held {
  /** so many ran at once before the next was refused; null when none was */
  atOnce: number | null;
  /** everything the first of them said, at the log level "verbose" */
  said: string;
}

/**
 * How many encodes a device really takes at once. One after the other is begun and held open, each only when the one
 * before has delivered pictures, until one is refused or there are enough; then all are ended.
 */
export async function holdMany(p: Proving, choice: EncoderChoice, most = MOST): Promise<Held> {
  const held: Running[] = [];
  const said: string[] = [];
  try {
    while (held.length < most) {
      const next = await hold(p, choice, held.length === 0 ? (line) => said.length < 400 && said.push(line) : () => {});
      if (!next) return { atOnce: Math.max(1, held.length), said: said.join('\n') };
      held.push(next);
    }
    return { atOnce: null, said: said.join('\n') };
  } finally {
    for (const running of held) running.stop(() => new Error('enough was seen'));
    await Promise.allSettled(held.map((running) => running.done));
  }
}

/** An encode of two minutes in real time that has delivered its first pictures; null when it was refused. */
async function hold(p: Proving, choice: EncoderChoice, onErrorLine: (line: string) => void): Promise<Running | null> {
  const row = rowOf(choice);
  const filters = row.filters(8);
  const began = Promise.withResolvers<boolean>();
  const running = start({
    command: [
      p.tools.ffmpeg.path,
      ...safeGlobals,
      '-v',
      'verbose',
      ...row.device(choice.device),
      '-re',
      '-f',
      'lavfi',
      '-i',
      'color=black:s=320x240:r=250:d=120', // so fast that the frames an encoder looks ahead are soon full
      ...encoderArguments(choice, { quality: 22, speed: 'fast', bitDepth: 8 }, 0),
      ...(filters.length > 0 ? ['-filter:0', filters.join(',')] : []),
      ...['-progress', 'pipe:1', '-nostats', '-stats_period', '0.1', '-f', 'null', '-'],
    ],
    wrapper: wrapper(p.tools, p.tools.ffmpeg.path, { read: [], devices: row.hardware }),
    what: `encode with ${choice.name}`,
    signal: p.signal,
    timeoutMs: 180_000,
    onLine: (line) => /^frame=\s*[1-9]/.test(line) && began.resolve(true),
    onErrorLine,
  });
  void running.done.catch(() => {}).finally(() => began.resolve(false));
  const patience = setTimeout(() => began.resolve(false), limitMs(p, true));
  const ok = await began.promise.finally(() => clearTimeout(patience));
  if (ok) return running;
  running.stop(() => new Error('it did not begin'));
  await running.done.catch(() => {});
  p.signal?.throwIfAborted();
  return null;
}
