import { isEncodersFault } from './bench.ts';
import type { ReasonCode } from './reasons.ts';

/**
 * After a failure of this kind the next try of the same film on the same machine uses another encoder first, where its
 * profile allows one: the encoder broke, hung, or made something that is not the film. A profile that insists on hardware
 * never gets software by this; with one encoder only, that one is tried again.
 */
export function triesAnother(code: string): boolean {
  return broken.has(code) || isEncodersFault(code);
}

const broken: ReadonlySet<string> = new Set<ReasonCode>([
  'encoder-failed',
  'ffmpeg-failed',
  'stalled',
  'suspiciously-small',
  'quality-too-low',
]);
