import type { Standing } from '../core/standing.ts';
import type { Log } from '../log.ts';
import type { Lobby } from './lobby.ts';
import type { Membership } from './membership.ts';

/**
 * A node without a cluster becomes a member of one, or finds that it should found one (`core/founding.ts` decides).
 * Resolves when one of the two is true; until then `standing()` tells where it is.
 */
export interface Joining {
  outcome: Promise<{ joined: Membership } | { found: true }>;
  standing(): Standing;
  onStanding(listener: (standing: Standing) => void): () => void;
  /** a person chose: ask that cluster, whatever else is around */
  choose(cluster: string): void;
  /** a person chose: no cluster that is here, but one of its own */
  foundOwn(): void;
}

export interface JoiningParts {
  dataDir: string;
  self: { id: string; name: string; version: string; platform: string; hardware: Record<string, unknown> };
  lobby: Lobby;
  /** the option `cluster`: auto, new, join */
  mode: 'auto' | 'new' | 'join';
  token: string | null;
  peers: readonly string[];
  /** a cluster chosen before, for example by "leave and join" */
  wanted: string | null;
  /** printed once when the code is known */
  onCode: (code: string, cluster: string) => void;
  signal: AbortSignal;
  log: Log;
}

export function joinOrFound(_parts: JoiningParts): Joining {
  throw new Error('not built yet');
}
