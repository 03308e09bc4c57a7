/**
 * A machine that belongs to no cluster: which one does it ask, when does it start one itself? Decided here from what its
 * lobby saw; carried out by `mesh/join.ts`.
 *
 *   listening ─▶ a cluster is here ──────────────▶ ask it, and never found
 *       └──────▶ nobody, or only fresh machines ─▶ claim ─▶ everybody here knows of the claim, nobody has one ─▶ found
 *                                                    └────▶ another one claims too: the larger id waits
 *
 * Two fresh machines that see each other must not both found. Clocks and delays cannot settle that, so it is done as in
 * Burns and Lamport's one-bit algorithm: a machine founds only after everybody it sees was told of its claim and has
 * none; who is told of a claim makes none. One that claims no more, or is silent, holds nobody up for long.
 */
export interface FoundingFacts {
  self: string;
  mode: 'auto' | 'new' | 'join';
  /** the cluster that the join token names */
  token: string | null;
  /** the cluster that a person chose */
  wanted: string | null;
  /** a person wants a cluster of this machine's own */
  own: boolean;
  /** for how long this machine has been looking */
  lookedMs: number;
  /** of the machines named with --peer, how many have not answered */
  silentPeers: number;
  /** lobbies that multicast announced and that have not answered: on a busy machine that takes a while */
  unanswered: number;
  around: readonly Around[];
  /** the cluster that this machine asks already; `goneMs`: for how long none of its lobbies answered */
  asked: { cluster: string; established: boolean; goneMs: number } | null;
  /** this machine's own claim is announced */
  claiming: boolean;
}

/** Another lobby. */
export interface Around {
  node: string;
  /** it answers at an address that a person gave */
  named: boolean;
  cluster: { id: string; established: boolean; nodes: number } | null;
  /** since it was last heard */
  silentMs: number;
  /** for how long its own claim is known; null: it has none */
  claimingMs: number | null;
  /** it knows of this machine's claim */
  told: boolean;
}

export type FoundingDecision =
  | { do: 'found'; why: 'new' | 'own' | 'alone' }
  /** announce the claim, or keep it, and tell everybody */
  | { do: 'claim' }
  /** without a claim; `another` founds now */
  | { do: 'wait'; why: 'listening' | 'peers' | 'join' | 'another' }
  /** `others`: how many other clusters are here */
  | {
      do: 'ask';
      cluster: string;
      why: 'token' | 'wanted' | 'asked' | 'only' | 'named' | 'established' | 'largest' | 'smaller-id';
      others: number;
    };

export const founding = {
  /** a lobby that is here is heard in less than a second, mostly */
  listenMs: 3000,
  /** so long clusters are collected, so that the best one is asked */
  collectMs: 1500,
  /** one that is announced and doesn't answer in this time is taken for a ghost */
  answerMs: 10_000,
  /** a machine named with --peer may still be starting */
  peersMs: 30_000,
  /** a machine that is not heard any more need not be told of a claim */
  silentMs: 15_000,
  /** one that claims is silent while it makes its database, and its cluster is heard after that */
  claimSilentMs: 25_000,
  /** founding takes seconds; one that claims for longer does not hold up the others */
  patienceMs: 60_000,
  /** an empty cluster of which nothing is heard may have dissolved into another one */
  goneMs: 30_000,
} as const;

export function decideFounding(facts: FoundingFacts): FoundingDecision {
  const here = facts.around.filter(({ silentMs }) => silentMs < 2 * founding.silentMs);
  const clusters = distinctClusters(here);
  const ask = (cluster: string, why: Extract<FoundingDecision, { do: 'ask' }>['why']): FoundingDecision => ({
    do: 'ask',
    cluster,
    why,
    others: clusters.filter(({ id }) => id !== cluster).length,
  });
  if (facts.own) return { do: 'found', why: 'own' };
  if (facts.token) return ask(facts.token, 'token');
  if (facts.wanted) return ask(facts.wanted, 'wanted');
  if (facts.mode === 'new') return { do: 'found', why: 'new' };
  if (facts.asked && goesOnAsking(facts.asked, facts.mode, clusters)) return ask(facts.asked.cluster, 'asked');
  const best = bestCluster(clusters);
  if (best) return waitForBetter(facts, best.cluster) ?? ask(best.cluster.id, best.why);
  if (facts.lookedMs < listenMsOf(facts.self)) return { do: 'wait', why: 'listening' };
  if (facts.mode === 'join') return { do: 'wait', why: 'join' };
  if (facts.unanswered > 0 && facts.lookedMs < founding.answerMs) return { do: 'wait', why: 'listening' };
  if (facts.silentPeers > 0 && facts.lookedMs < founding.peersMs) return { do: 'wait', why: 'peers' };
  return claimOrFound(
    facts,
    here.filter(({ cluster }) => cluster === null),
  );
}

/** Three to four seconds, different for each id: machines switched on by one switch do not all claim at once. */
export function listenMsOf(node: string): number {
  let sum = 0;
  for (const letter of node) sum = (sum * 31 + letter.codePointAt(0)!) % 1000;
  return founding.listenMs + sum;
}

/**
 * Two clusters meet: does mine give itself up and join the other? Only an empty one does (nobody ever worked with it);
 * of two empty ones the larger id. Two that have a history stay apart, whatever happens.
 */
export function dissolves(clusters: { mine: { id: string; established: boolean }; other: { id: string; established: boolean } }): boolean {
  const { mine, other } = clusters;
  if (mine.established || mine.id === other.id) return false;
  return other.established || mine.id > other.id;
}

interface Found {
  id: string;
  established: boolean;
  nodes: number;
  named: boolean;
}

function distinctClusters(here: readonly Around[]): Found[] {
  const found = new Map<string, Found>();
  for (const { cluster, named } of here) {
    if (!cluster) continue;
    const known = found.get(cluster.id) ?? { ...cluster, named };
    found.set(cluster.id, {
      id: cluster.id,
      established: known.established || cluster.established,
      nodes: Math.max(known.nodes, cluster.nodes),
      named: known.named || named,
    });
  }
  return [...found.values()];
}

/**
 * An established cluster is asked for ever: whoever shuts its machines down must not get this one instead. An empty one
 * that is gone is given up, for another one or to start anew.
 */
function goesOnAsking(asked: NonNullable<FoundingFacts['asked']>, mode: FoundingFacts['mode'], clusters: readonly Found[]): boolean {
  if (asked.established || asked.goneMs < founding.goneMs) return true;
  return mode === 'join' && clusters.every(({ id }) => id === asked.cluster);
}

/** Named by a person, then with a history, then the most machines, then the smaller id; `why` is what made the difference. */
function bestCluster(
  clusters: readonly Found[],
): { cluster: Found; why: 'only' | 'named' | 'established' | 'largest' | 'smaller-id' } | null {
  const [best, next] = clusters.toSorted(
    (a, b) =>
      Number(b.named) - Number(a.named) || Number(b.established) - Number(a.established) || b.nodes - a.nodes || (a.id < b.id ? -1 : 1),
  );
  if (!best) return null;
  if (!next) return { cluster: best, why: 'only' };
  if (best.named !== next.named) return { cluster: best, why: 'named' };
  if (best.established !== next.established) return { cluster: best, why: 'established' };
  return { cluster: best, why: best.nodes === next.nodes ? 'smaller-id' : 'largest' };
}

function waitForBetter(facts: FoundingFacts, best: Found): FoundingDecision | null {
  if (best.named) return null;
  if (facts.silentPeers > 0 && facts.lookedMs < founding.peersMs) return { do: 'wait', why: 'peers' };
  return facts.lookedMs < founding.collectMs ? { do: 'wait', why: 'listening' } : null;
}

function claimOrFound(facts: FoundingFacts, fresh: readonly Around[]): FoundingDecision {
  const near = fresh.filter(({ silentMs }) => silentMs < founding.silentMs);
  const claims = fresh.filter(
    ({ claimingMs, silentMs }) => claimingMs !== null && claimingMs < founding.patienceMs && silentMs < founding.claimSilentMs,
  );
  if (!facts.claiming) return claims.length > 0 ? { do: 'wait', why: 'another' } : { do: 'claim' };
  if (claims.some(({ node }) => node < facts.self)) return { do: 'wait', why: 'another' };
  // the larger ids withdraw when they hear of us; one that has begun to found does not, and is a cluster soon
  return claims.length > 0 || near.some(({ told }) => !told) ? { do: 'claim' } : { do: 'found', why: 'alone' };
}
