import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest } from '../mesh/messages.ts';

/** What is known of one grant while it is worked on. */
export interface Told {
  grant: ProtocolRequest<'grant'>;
  numbers: { phase: 'delivering' | 'verifying' | 'replacing'; percent: number };
}

/** Keeps the leases of what is worked on or waits its turn here, and the page alive. */
export function tellProgress(mesh: Mesh, working: Iterable<Told>): void {
  for (const { grant, numbers } of working) {
    const jobWaits = grant.op === 'verify' || grant.op === 'replace' || (grant.op === 'recheck' && !grant.low);
    if (!jobWaits) continue;
    const percent = Math.min(100, Math.max(0, numbers.percent));
    mesh.publish('progress', {
      node: mesh.self,
      job: grant.job,
      attempt: grant.attempt,
      phase: numbers.phase,
      percent,
      fps: null,
      speed: null,
      leftMs: null,
      outputBytes: null,
      expectedBytes: null,
      paused: false,
      encoder: null,
    });
  }
}
