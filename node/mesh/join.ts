import { setTimeout as pause } from 'node:timers/promises';
import { decideFounding } from '../core/founding.ts';
import type { FoundingDecision } from '../core/founding.ts';
import type { ClusterName, Standing } from '../core/standing.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { aroundOf } from './join-facts.ts';
import { parseToken } from './join-token.ts';
import type { Lobby } from './lobby.ts';
import { pinCluster } from './membership.ts';
import type { Membership } from './membership.ts';
import type { Seen } from './neighbours.ts';
import { createPairing } from './pairing.ts';
import type { Pairing, Step } from './pairing.ts';

/**
 * A node without a cluster becomes a member of one, or finds that it should found one (`core/founding.ts` decides).
 * Resolves when one of the two is true; until then `standing()` tells where it is.
 *
 *   listening ─▶ asking ─▶ pending ─approved─▶ pinned on the disk ─▶ { joined }
 *       │          ▲ └────▶ rejected ─ five minutes later ─┐
 *       │          └───────────────────────────────────────┘
 *       └─ nobody here ─▶ claim ─▶ founding ─▶ { found }
 */
export interface Joining {
  /** rejects only when the signal aborts */
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
  /** the addresses that the lobby was given too */
  peers: readonly string[];
  /** a cluster chosen before, for example by "leave and join" */
  wanted: string | null;
  /** printed once when the code is known */
  onCode: (code: string, cluster: string) => void;
  signal: AbortSignal;
  log: Log;
}

const TICK_MS = 250;
const ASK_MS = 3000;
const REFUSED_MS = 5 * 60_000;
/** lobbies tried in one round of asking */
const TRIES = 3;

interface Asked {
  pairing: Pairing;
  established: boolean;
  seenAt: number;
  askAt: number;
}

/** @throws PlainError at once when the token is damaged */
export function joinOrFound(parts: JoiningParts): Joining {
  const { lobby, log, signal } = parts;
  const token = parts.token === null ? null : parseToken(parts.token);
  const startedAt = performance.now();
  const sinceMs = Date.now();
  const listeners = new Set<(standing: Standing) => void>();
  const shown = new Set<string>();
  let standing: Standing = { state: 'starting' };
  let chosen: string | null = null;
  let own = false;
  let claiming = false;
  let asked: Asked | null = null;
  let turn = 0;
  let lookedForTokenAt = -Infinity;
  /** ends what is under way, because a person wants something else */
  let turning = new AbortController();

  const outcome = run();
  outcome.catch(() => {}); // whoever waits for it sees it; an abort before that is no crash

  return {
    outcome,
    standing: () => standing,
    onStanding(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    choose(cluster) {
      chosen = cluster;
      own = false;
      if (asked) asked.askAt = 0;
      turning.abort();
    },
    foundOwn() {
      own = true;
      turning.abort();
    },
  };

  async function run(): Promise<{ joined: Membership } | { found: true }> {
    const stopListening = lobby.onAround(() => {}); // so that the lobby looks around often
    let ended = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        turning = new AbortController();
        const now = AbortSignal.any([signal, turning.signal]);
        const result = await obey(decideFounding(facts()), now).catch((error: unknown) => {
          if (!now.aborted) log.error({ err: error }, 'a step towards a cluster failed; it is tried again');
          return null;
        });
        if (result) {
          ended = 'found' in result;
          return result;
        }
        await pause(TICK_MS, undefined, { signal: now }).catch(() => {});
      }
    } finally {
      // who founds goes on to claim until its cluster is there
      if (!ended) lobby.claimFounding(false);
      stopListening();
    }
  }

  function facts(): Parameters<typeof decideFounding>[0] {
    const around = lobby.around();
    const silent = lobby.silent();
    if (asked) noteSeen(asked, around);
    return {
      self: parts.self.id,
      mode: parts.mode,
      token: chosen === null ? (token?.cluster ?? null) : null,
      wanted: chosen ?? parts.wanted,
      own,
      lookedMs: performance.now() - startedAt,
      silentPeers: silent.peers.length,
      unanswered: silent.announced,
      around: around.map(aroundOf),
      asked: asked && {
        cluster: asked.pairing.cluster.id,
        established: asked.established,
        goneMs: performance.now() - asked.seenAt,
      },
      claiming,
    };
  }

  async function obey(decision: FoundingDecision, now: AbortSignal): Promise<{ joined: Membership } | { found: true } | null> {
    claiming = decision.do === 'claim' || decision.do === 'found';
    lobby.claimFounding(claiming);
    if (decision.do === 'ask') return await ask(decision, now);
    if (decision.do !== 'found') {
      show(whileWaiting(decision));
      return null;
    }
    log.info({ why: decision.why }, 'this machine founds a cluster');
    show({ state: 'founding' });
    return { found: true };
  }

  function whileWaiting(decision: Extract<FoundingDecision, { do: 'wait' | 'claim' }>): Standing {
    const why = decision.do === 'wait' ? decision.why : null;
    if (why === 'join') return { state: 'asking', cluster: null, problem: 'No cluster was found on this network yet.' };
    if (why !== 'peers') return { state: 'listening', sinceMs };
    return { state: 'asking', cluster: null, problem: `Nothing answers at ${lobby.silent().peers.slice(0, 5).join(', ')} yet.` };
  }

  async function ask(decision: Extract<FoundingDecision, { do: 'ask' }>, now: AbortSignal): Promise<{ joined: Membership } | null> {
    if (token?.cluster === decision.cluster) await lookForToken(token.addresses, now);
    const current = pairingWith(decision);
    if (!current) {
      show({ state: 'asking', cluster: null, problem: `No machine of the cluster ${decision.cluster} was found yet.` });
      return null;
    }
    if (performance.now() < current.askAt) return null;
    current.askAt = performance.now() + ASK_MS;
    const step = await askInTurn(current.pairing, now);
    now.throwIfAborted();
    const membership = await take(current, step);
    return membership && { joined: membership };
  }

  /** The addresses in the token, as long as nothing of its cluster was found. */
  async function lookForToken(addresses: readonly string[], now: AbortSignal): Promise<void> {
    if (lobbiesOf(token!.cluster).length > 0 || performance.now() - lookedForTokenAt < ASK_MS) return;
    lookedForTokenAt = performance.now();
    await Promise.allSettled(addresses.map((address) => lobby.look({ address }, now)));
  }

  function pairingWith({ cluster: id, why, others }: Extract<FoundingDecision, { do: 'ask' }>): Asked | null {
    if (asked?.pairing.cluster.id === id) return asked;
    const [first] = lobbiesOf(id);
    if (!first?.cluster) return null;
    const { name, publicKey, established } = first.cluster;
    log.info(
      { cluster: name, id, why, others },
      others > 0 ? 'several clusters are here; this machine asks one of them' : 'this machine asks to join a cluster',
    );
    const pairing = createPairing({ cluster: { id, name, publicKey }, self: parts.self, token: token?.cluster === id ? token : null });
    asked = { pairing, established, seenAt: performance.now(), askAt: 0 };
    show({ state: 'asking', cluster: { id, name }, problem: null });
    return asked;
  }

  /** The lobbies of that cluster one after the other, so that one that vanished, lies or is cut off is survived. */
  async function askInTurn(pairing: Pairing, now: AbortSignal): Promise<Step> {
    let last: Step = { next: 'away', why: 'No machine of it answers at the moment.' };
    const lobbies = lobbiesOf(pairing.cluster.id).map(({ node }) => node);
    for (let tried = 0; tried < Math.min(TRIES, lobbies.length); tried++) {
      const node = lobbies[turn++ % lobbies.length]!;
      let step = await askAt(pairing, node, lobbies, now);
      for (let again = 0; step.next === 'reveal' && again < 2; again++) step = await askAt(pairing, node, lobbies, now);
      if (step.next === 'pin' || step.next === 'wait' || step.next === 'refused') return step;
      if (step.next === 'distrust')
        log.warn({ cluster: pairing.cluster.name, node, why: step.why }, 'an answer to the request to join was not believed');
      last = step;
    }
    return last;
  }

  async function askAt(pairing: Pairing, node: string, lobbies: readonly string[], now: AbortSignal): Promise<Step> {
    try {
      const answer = await lobby.ask({ node }, pairing.request(), now);
      return pairing.take(answer, node, lobbies);
    } catch (error) {
      return { next: 'away', why: messageOf(error) };
    }
  }

  async function take(current: Asked, step: Step): Promise<Membership | null> {
    const { id, name } = current.pairing.cluster;
    const cluster = { id, name };
    const problem = (text: string): void => {
      // a request that a person can approve is still that, whoever is away
      if (standing.state !== 'pending' && standing.state !== 'rejected') show({ state: 'asking', cluster, problem: text });
    };
    if (step.next === 'away' || step.next === 'distrust') problem(step.why);
    else if (step.next === 'refused') {
      current.askAt = performance.now() + REFUSED_MS;
      show({ state: 'rejected', cluster, why: step.why });
    } else if (step.next === 'wait') showCode(cluster, current.pairing.code()!);
    else if (step.next === 'pin') {
      const membership = await pinCluster(parts.dataDir, step.pinned);
      log.info({ cluster: step.pinned.cluster.name, id }, 'this machine is a member of the cluster now');
      return membership;
    }
    return null;
  }

  function showCode(cluster: ClusterName, code: string): void {
    if (standing.state !== 'pending' || standing.code !== code) show({ state: 'pending', cluster, code, sinceMs: Date.now() });
    const key = `${cluster.id} ${code}`;
    if (shown.has(key)) return;
    shown.add(key);
    parts.onCode(code, cluster.name);
  }

  function lobbiesOf(cluster: string): Seen[] {
    return lobby
      .around()
      .filter((seen) => seen.cluster?.id === cluster)
      .toSorted((a, b) => (a.node < b.node ? -1 : 1));
  }

  function show(next: Standing): void {
    if (JSON.stringify(next) === JSON.stringify(standing)) return;
    standing = next;
    for (const listener of listeners) {
      try {
        listener(next);
      } catch (error) {
        log.error({ err: error }, 'a listener of the standing failed');
      }
    }
  }
}

function noteSeen(asked: Asked, around: readonly Seen[]): void {
  const here = around.filter(({ cluster }) => cluster?.id === asked.pairing.cluster.id);
  if (here.length === 0) return;
  asked.seenAt = performance.now() - Math.min(...here.map(({ silentMs }) => silentMs));
  asked.established ||= here.some(({ cluster }) => cluster!.established);
}
