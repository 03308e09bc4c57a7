/**
 * Where one node stands, as it sees it itself. Shown on its own page ("This machine"), by `status` and by `doctor`; true
 * also while nobody coordinates.
 *
 *   starting ─▶ listening ─▶ founding ─────────────▶ member
 *                  └▶ asking ─▶ pending ─approved──────┘ │ removed
 *                        ▲         └─rejected─▶ rejected ▼
 *                        └──── a person asks again ── revoked
 */
export type Standing =
  /** `doing`: a sentence, when it takes longer than a moment */
  | { state: 'starting'; doing?: string }
  /** nothing configured: is there a cluster already? */
  | { state: 'listening'; sinceMs: number }
  | { state: 'founding' }
  /** a backup is put back as its database; says what happens now */
  | { state: 'restoring'; says: string; done: number | null; of: number | null }
  /** a cluster was found or named, and did not answer yet */
  | { state: 'asking'; cluster: ClusterName | null; problem: string | null }
  /** a person has to approve this node; both sides show the code */
  | { state: 'pending'; cluster: ClusterName; code: string; sinceMs: number }
  | { state: 'rejected'; cluster: ClusterName; why: string }
  | { state: 'revoked'; cluster: ClusterName }
  | {
      state: 'member';
      cluster: ClusterName;
      hosts: 'embedded' | 'postgres' | null;
      coordinator: { node: string; name: string } | null;
      version?: VersionTrouble;
    };

/**
 * This machine's program and the cluster's are of different times. `apart`: it can not work for the coordinator, and takes
 * no work. `stepped-back`: it works, but the database is newer than its program, another cluster's, or was left for another, so it
 * coordinates no more.
 */
export interface VersionTrouble {
  state: 'apart' | 'stepped-back';
  /** whole sentences: who runs what, and which machine has to be upgraded */
  says: string;
}

export interface ClusterName {
  id: string;
  name: string;
}

/** Another machine that this one noticed, and why it is not (yet) spoken to. */
export interface Sighting {
  /** empty while only an address is known */
  node: string;
  name: string | null;
  addresses: string[];
  /** how it was noticed: on which interface, from which list */
  by: 'mdns' | 'peer' | 'remembered' | 'told' | 'inbound';
  state: 'connected' | 'connecting' | 'unreachable' | 'other-cluster' | 'fresh' | 'not-approved' | 'other-version' | 'clock' | 'twin';
  /** a whole sentence: what is wrong and what helps; empty when all is well */
  says: string;
  latencyMs: number | null;
  /** its clock minus ours */
  clockMs: number | null;
  version: string | null;
  cluster: ClusterName | null;
  lastSeenMs: number;
}

/** What a node knows of the network around it, for the page that answers "why can't I see my other machine?". */
export interface Surroundings {
  /** `problem`: a sentence, for example that the wanted port was taken */
  listening: { what: 'mesh' | 'lobby' | 'data'; addresses: string[]; problem?: string }[];
  interfaces: { name: string; address: string; multicast: 'ok' | 'failed' | 'off'; problem: string | null }[];
  sightings: Sighting[];
}
