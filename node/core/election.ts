import type { Lease } from './lease.ts';
import { isTrusted, renewInMs } from './lease.ts';

/**
 * Who is coordinator, as seen by one node. PostgreSQL decides; this keeps the node's own view and never claims more.
 *
 *   follower ──took the row──▶ coordinator ──renewed──▶ coordinator
 *      ▲                          │  │ └─ no answer, still inside the trust window: goes on, asks again soon
 *      └── the row is another's ──┘  └─ no answer past the window: follower, although the row may still name it
 *
 * A term is one unbroken holding. Losing the window ends it: the same node must win a new, larger term.
 */
export type Standing = { role: 'follower' } | { role: 'coordinator'; term: number; lease: Lease };

/** What one try to take or renew the row brought. `sentAt` is monotonic milliseconds, taken before the statement was sent. */
export type Answer =
  | { sentAt: number; outcome: 'held'; term: number; ttlMs: number }
  | { sentAt: number; outcome: 'another' }
  | { sentAt: number; outcome: 'unknown' };

export const follower: Standing = { role: 'follower' };

export function standingAfter(before: Standing, answer: Answer, now: number): Standing {
  if (answer.outcome === 'another') return follower;
  if (answer.outcome === 'unknown') return standingAt(before, now);
  const lease = { renewedAt: answer.sentAt, ttlMs: answer.ttlMs };
  const known = standingAt(before, now);
  // an answer that came so late that its own window is over gives nothing; one of an older term was overtaken
  if (!isTrusted(lease, now)) return known;
  if (known.role === 'coordinator' && answer.term < known.term) return known;
  if (known.role === 'coordinator' && answer.term === known.term && lease.renewedAt < known.lease.renewedAt) return known;
  return { role: 'coordinator', term: answer.term, lease };
}

/** The same standing a moment later: a coordinator whose window has closed is one no more. */
export function standingAt(standing: Standing, now: number): Standing {
  return standing.role === 'coordinator' && !isTrusted(standing.lease, now) ? follower : standing;
}

export function mayAct(standing: Standing, now: number): boolean {
  return standingAt(standing, now).role === 'coordinator';
}

/**
 * When to ask the database again, in milliseconds. After no answer a coordinator asks sooner, since its window is closing;
 * followers ask at a third of the time to live with jitter (`random` in [0, 1)), so that they don't all come at once.
 */
export function askAgainInMs(standing: Standing, now: number, ttlMs: number, answered: boolean, random: number): number {
  if (standing.role === 'follower') return (ttlMs / 3) * (0.75 + random / 2);
  return answered ? renewInMs(standing.lease, now) : Math.max(100, ttlMs / 20);
}

/** What a coordinator knows of how well it and the other candidates reach the rest of the cluster. */
export interface Reach {
  mine: number;
  /** of candidates heard of lately, by the database */
  others: number[];
}

/**
 * A coordinator that the mesh cannot reach does nobody any good, although it holds the database. It should give the role
 * up when it sees nobody while another candidate sees somebody, or clearly fewer than another. A difference of one is no
 * reason: the role would wander whenever a machine is switched off.
 */
export function isCutOff({ mine, others }: Reach): boolean {
  const best = Math.max(0, ...others);
  return (mine === 0 && best > 0) || best > mine + 1;
}
