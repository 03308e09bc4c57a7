import { filmStreams, type Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import { messageOf, PlainError } from '../errors.ts';
import { comparisonFrames } from '../ffmpeg/frames.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import type { Pictures } from '../files/pictures.ts';
import type { Log } from '../log.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';

/** Pictures are a courtesy: they never hold up a swap for longer than this. */
const LIMIT_MS = 120_000;

export interface PictureParts {
  tools: Tools;
  pictures: Pictures;
  log: Log;
  limitMs?: number;
}

/**
 * Takes frames of an original and its output, while both lie side by side, and keeps them on this node. Resolves with
 * their times in milliseconds, which may be none: nothing about pictures is ever a reason against an output.
 * @throws only the reason of an abort
 */
export async function takePictures(
  parts: PictureParts,
  pair: { attempt: number; original: string; output: string; originalProbe: Probe; outputProbe: Probe; plan: WorkPlan },
  signal: AbortSignal,
): Promise<number[]> {
  const { pictures, log } = parts;
  const { attempt } = pair;
  try {
    if (filmStreams(pair.outputProbe).length === 0) return [];
    const directory = await pictures.draft(attempt);
    if (directory === null) return [];
    const frames = await comparisonFrames({ ...pair, tools: parts.tools, directory, limitMs: parts.limitMs ?? LIMIT_MS, signal });
    if (frames.length > 0) await pictures.store(attempt, frames);
    return frames.map((frame) => frame.atMs);
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ attempt, why: messageOf(error) }, 'no pictures could be taken to compare');
    return [];
  } finally {
    await pictures.drop(attempt).catch((error: unknown) => log.debug({ attempt, why: messageOf(error) }, 'a draft of pictures stays'));
  }
}

/** The coordinator shows one of them, or has no use for some any more. */
export async function answerPictures(pictures: Pictures, ask: ProtocolRequest<'pictures'>): Promise<ProtocolResponse<'pictures'>> {
  if (ask.op === 'forget') {
    for (const attempt of ask.attempts) await pictures.remove(attempt);
    return { op: 'forgotten' };
  }
  try {
    return { op: 'picture', jpeg: (await pictures.read(ask.attempt, ask.number, ask.side)).toString('base64') };
  } catch (error) {
    return { op: 'none', why: error instanceof PlainError ? error.message : 'This picture cannot be read.' };
  }
}
