import type { EncoderReport } from '../core/encoder-choice.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { detectEncoders } from './detect.ts';
import type { Tools } from './locate.ts';

export interface ProvedEncoders {
  known: () => EncoderReport[];
  run: () => Promise<void>;
  stop: () => void;
}

/** Encoders proved by real test encodes, again on request; what is known so far can be used meanwhile. */
export function provedEncoders(tools: Tools, log: Log, onChange: () => void): ProvedEncoders {
  const stopped = new AbortController();
  let known: EncoderReport[] = [];
  let running: Promise<void> | null = null;
  return { known: () => known, run: () => (running ??= detect().finally(() => (running = null))), stop: () => stopped.abort() };

  async function detect(): Promise<void> {
    try {
      known = await detectEncoders({ tools, signal: stopped.signal });
      log.info({ working: known.filter((e) => e.works).map((e) => e.name) }, 'encoders are tested');
    } catch (error) {
      if (!stopped.signal.aborted) log.warn({ why: messageOf(error) }, 'encoders could not be tested');
    }
    onChange();
  }
}
