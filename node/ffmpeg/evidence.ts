import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import type { Evidence } from '../core/verdict.ts';
import type { Tools } from './locate.ts';

export interface EvidenceRequest {
  tools: Tools;
  /** absolute paths */
  original: string;
  output: string;
  plan: WorkPlan;
  profile: Profile;
  /** saves probing the original again when its fingerprint has not changed */
  originalProbe?: Probe;
  signal?: AbortSignal;
  /** 0…100 */
  onProgress?: (percent: number) => void;
}

/** Measures original and output for core's verdict. An output that is no media at all throws as `probeFile` does. */
export declare function gatherEvidence(request: EvidenceRequest): Promise<Evidence>;
