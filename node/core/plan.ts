import type { Container, Fingerprint, Probe } from './media.ts';
import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';

/** Facts about the file that are not in the probe but decide about it. */
export interface FileFacts {
  /** path inside the library, '/' separators */
  path: string;
  fingerprint: Fingerprint;
  /** this very content was made by us (the fingerprint is that of a delivered output) */
  madeByUs: boolean;
  /** the keeper may not write into the directory */
  readOnly: boolean;
}

export type Plan = SkipPlan | WorkPlan;

export interface SkipPlan {
  action: 'skip';
  reason: Reason;
}

/** What to make. It names streams and wishes, never ffmpeg arguments: each node builds its own command from it. */
export interface WorkPlan {
  action: 'remux' | 'transcode';
  reason: Reason;
  /** container of the output; the file's extension follows from it only when it differs from the source's */
  container: Container;
  /** extension of the output with its dot, in the source's own spelling when the container stays */
  extension: string;
  /** every source stream in output order, none missing: what is not kept is named in `dropped` with its reason */
  streams: StreamPlan[];
  dropped: DroppedStream[];
  video: VideoPlan | null;
  /** size the output is expected to have, in bytes, for ordering the queue and for the forecast */
  expectedBytes: number;
}

export interface StreamPlan {
  index: number;
  kind: 'video' | 'audio' | 'subtitle' | 'attachment' | 'data';
  /** encode: the film itself; copy: as it is; convert: to another subtitle codec the container can hold */
  action: 'encode' | 'copy' | 'convert';
  /** codec in the output */
  codec: string;
  /** what a person should know about this stream, for example that styling is lost */
  note: Reason | null;
}

export interface DroppedStream {
  index: number;
  reason: Reason;
}

export interface VideoPlan {
  bitDepth: 8 | 10;
  deinterlace: boolean;
}

export declare function makePlan(probe: Probe, file: FileFacts, profile: Profile): Plan;
