import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest } from '../mesh/messages.ts';

/**
 * Asks the coordinator for work, one question at a time, until it has no more or nothing more may begin here. Who wakes it
 * while an answer is on its way is heard: then it asks once more.
 */
export interface Claims {
  wake(): void;
}

export interface ClaimsParts {
  mesh: Mesh;
  coordinator: () => string | null;
  /** what this node could do now; null while nothing may begin */
  wish: () => Promise<ProtocolRequest<'claim'> | null>;
  begin: (grant: GrantedJob) => void;
  log: Log;
}

const ANSWER_MS = 15_000;

export function createClaims(parts: ClaimsParts): Claims {
  let claiming = false;
  let wokenMeanwhile = false;

  return { wake };

  function wake(): void {
    wokenMeanwhile = claiming;
    if (claiming) return;
    claiming = true;
    void claimWhileFree()
      .catch((error: unknown) => parts.log.debug({ why: messageOf(error) }, 'no claim could be made'))
      .finally(() => {
        claiming = false;
        // what woke us came after the last question was asked
        if (wokenMeanwhile) wake();
      });
  }

  async function claimWhileFree(): Promise<void> {
    for (;;) {
      wokenMeanwhile = false;
      const to = parts.coordinator();
      const wish = await parts.wish();
      if (!to || !wish) return;
      const answer = await parts.mesh.request(to, 'claim', wish, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (!answer.granted) return;
      parts.begin(answer.granted);
    }
  }
}
