import type { EncoderReport } from '../core/encoder-choice.ts';
import type { Tools } from './locate.ts';

/** Proves each encoder by real test encodes; libx265 first. `onResult` hears each report as it is known. */
export declare function detectEncoders(request: {
  tools: Tools;
  signal?: AbortSignal;
  onResult?: (report: EncoderReport) => void;
}): Promise<EncoderReport[]>;
