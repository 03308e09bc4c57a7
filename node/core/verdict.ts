import type { Probe } from './media.ts';
import type { WorkPlan } from './plan.ts';
import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';

/** Everything the keeper measured about original and output. The verdict reads nothing else. */
export interface Evidence {
  plan: WorkPlan;
  profile: Profile;
  original: Probe;
  output: Probe;
  originalBytes: number;
  outputBytes: number;
  /** frames of the film stream: packets counted in the original, or decoded frames when that was needed */
  originalFrames: FrameCount;
  outputFrames: FrameCount;
  /** error lines of a full decode of every stream of the output; empty means clean */
  decodeErrors: string[];
  /** the original decodes with errors itself; null when it was not necessary to know */
  originalDecodeErrors: string[] | null;
}

export interface FrameCount {
  frames: number;
  counted: 'packets' | 'decoded';
}

export type Verdict = { accepted: true; checks: Check[] } | { accepted: false; reason: Reason; checks: Check[] };

/** One line of the table on the job page: what was compared, the two values in words, and whether it held. */
export interface Check {
  name: 'container' | 'video' | 'audio' | 'subtitles' | 'attachments' | 'chapters' | 'tags' | 'duration' | 'frames' | 'decode' | 'size' | 'colour' | 'start' | 'geometry';
  original: string;
  output: string;
  passed: boolean;
}

export declare function judge(evidence: Evidence): Verdict;
