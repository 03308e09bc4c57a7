import type { EncoderRef, EncoderReport } from '../core/encoder-choice.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { detectEncoders, type DetectRequest } from './detect.ts';
import type { KeptProofs } from './kept-proofs.ts';
import type { FoundFfmpeg } from './locate.ts';
import { lookAtMachine } from './machine-look.ts';

export interface ProvedEncoders {
  known: () => EncoderReport[];
  run: () => Promise<void>;
  stop: () => void;
}

export interface ProvingOptions {
  /** see DetectRequest */
  own?: string;
  /** what encodes films now */
  inUse?: () => EncoderRef[];
  /** where proofs of software encoders outlive this process; left out: nowhere */
  kept?: KeptProofs;
  lookEveryMs?: number;
  /** for tests */
  look?: (ffmpeg: string) => Promise<string>;
  detect?: (request: DetectRequest) => Promise<EncoderReport[]>;
}

const LOOK_EVERY_MS = 600_000;
/** An encoder that worked before gets another chance after so many looks: a game or another program may have had its memory. */
const LOOKS_UNTIL_AGAIN = 3;

/**
 * Encoders proved by real test encodes; what is known so far can be used meanwhile. They are proved again on request, when
 * ffmpeg, a driver or a device changed, and now and then while one that has worked does not.
 *
 *   start ─▶ proved ─every ten minutes─▶ look: another machine than before? ─ yes ─▶ ask ffmpeg its version, prove all
 *               ▲                                  └─ no: is one lost that worked? ─ third look ─┐
 *               └────────────────────────────────────────────────────────────────────────────────┘
 */
export function provedEncoders(
  ffmpeg: Pick<FoundFfmpeg, 'tools' | 'again'>,
  log: Log,
  onChange: () => void,
  options: ProvingOptions = {},
): ProvedEncoders {
  const { tools } = ffmpeg;
  const look = options.look ?? lookAtMachine;
  const stopped = new AbortController();
  const once = new Set<string>();
  let known: EncoderReport[] = [];
  let seen: string | null = null;
  let looks = 0;
  let running: Promise<void> | null = null;
  const timer = setInterval(() => void lookAround(), options.lookEveryMs ?? LOOK_EVERY_MS);
  timer.unref();
  return {
    known: () => known,
    run,
    stop() {
      clearInterval(timer);
      stopped.abort();
    },
  };

  function run(): Promise<void> {
    return (running ??= prove().finally(() => (running = null)));
  }

  async function prove(): Promise<void> {
    looks = 0;
    try {
      const now = await look(tools.ffmpeg.path);
      // the same path may be another program since an upgrade, which wants some options in other words
      if (seen !== null && now !== seen) await ffmpeg.again(stopped.signal);
      const inUse = options.inUse?.() ?? [];
      // what was kept counts at the start only: later somebody asked for a test, or something changed
      const kept = seen === null ? await options.kept?.read(now) : [];
      known = await (options.detect ?? detectEncoders)({
        tools,
        signal: stopped.signal,
        inUse,
        known,
        kept,
        ...(options.own === undefined ? {} : { own: options.own }),
      });
      seen = now;
      await options.kept?.write(now, known);
      for (const report of known) if (report.works) once.add(keyOf(report));
      log.info({ working: known.filter((e) => e.works).map((e) => e.name) }, 'encoders are tested');
    } catch (error) {
      if (!stopped.signal.aborted) log.warn({ why: messageOf(error) }, 'encoders could not be tested');
    }
    onChange();
  }

  /** A person was asked for an ffmpeg without a known hole, and may have installed one. */
  async function hasAnother(): Promise<boolean> {
    if (!tools.refused) return false;
    await ffmpeg.again(stopped.signal).catch(() => {});
    return !tools.refused;
  }

  async function lookAround(): Promise<void> {
    if (running || stopped.signal.aborted) return;
    looks++;
    const changed = seen === null || (await look(tools.ffmpeg.path)) !== seen || (await hasAnother());
    const working = new Set(known.filter((e) => e.works).map(keyOf));
    const lost = [...once].some((key) => !working.has(key));
    if (changed || (lost && looks >= LOOKS_UNTIL_AGAIN)) await run();
  }
}

function keyOf(report: EncoderRef): string {
  return `${report.name} ${report.device}`;
}
