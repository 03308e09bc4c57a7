import type { Connection, Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { formatAddress, toMultiaddr } from './addresses.ts';
import type { Target } from './addresses.ts';
import { decode, encode } from './encoding.ts';
import { frames } from './frame.ts';
import { LOBBY_PROTOCOL, MAX_ANSWER_BYTES, MAX_QUESTION_BYTES, lobbyAnswer } from './lobby-messages.ts';
import type { LobbyAnswer, LobbyQuestion } from './lobby-messages.ts';

/** One question at another lobby: there, asked, answered, gone. */
export interface Errand {
  answer: LobbyAnswer;
  /** who answered, authenticated */
  node: string;
  target: Target;
}

/** A new try starts beside the running ones after so long: a machine has addresses that lead nowhere from here. */
const STAGGER_MS = 300;
/** a machine whose processors encode is slow to shake hands */
const ERRAND_MS = 8000;

/** The address is one of this very machine: it was connected to itself. */
export class OwnAddress extends Error {
  override name = 'OwnAddress';
}

export interface Errands {
  /** Tries the targets in their order. @throws OwnAddress; AggregateError when none answers or the signal aborts */
  run(targets: readonly Target[], question: LobbyQuestion, signal: AbortSignal, limitMs?: number): Promise<Errand>;
}

export function createErrands(host: Libp2p): Errands {
  // libp2p joins two dials to one address into one connection: it is closed by whoever is done with it last
  const users = new Map<Connection, number>();

  return {
    async run(targets, question, signal, limitMs = ERRAND_MS) {
      const done = new AbortController();
      const limit = AbortSignal.any([signal, done.signal, AbortSignal.timeout(limitMs)]);
      const attempts: Promise<Errand>[] = [];
      for (const [i, target] of targets.entries()) attempts.push(attempt(target, i * STAGGER_MS, attempts.at(-1), question, limit));
      try {
        return await Promise.any(attempts);
      } catch (error) {
        throw isOwn(error) ? new OwnAddress() : error;
      } finally {
        done.abort();
      }
    },
  };

  /** Waits for its turn first, or until the one `before` has failed. */
  async function attempt(
    target: Target,
    afterMs: number,
    before: Promise<Errand> | undefined,
    question: LobbyQuestion,
    limit: AbortSignal,
  ): Promise<Errand> {
    if (before) {
      const failed = new Promise<unknown>((resolve) => void before.catch(resolve));
      await Promise.race([pause(afterMs, undefined, { signal: limit }), failed]);
    }
    limit.throwIfAborted();
    return await visit(target, question, limit);
  }

  async function visit(target: Target, question: LobbyQuestion, signal: AbortSignal): Promise<Errand> {
    const connection = await dial(target, signal);
    try {
      const node = connection.remotePeer.toString();
      if (target.node !== null && node !== target.node) throw new Error(`another node answers at ${formatAddress(target)}`);
      const stream = await connection.newStream(LOBBY_PROTOCOL, { signal });
      try {
        await frames(stream, MAX_QUESTION_BYTES).write(encode(question, MAX_QUESTION_BYTES), signal);
        const text = await frames(stream, MAX_ANSWER_BYTES).read(signal);
        return { answer: decode(lobbyAnswer, text, 'answer of a lobby'), node, target: { ...target, node } };
      } finally {
        stream.abort(new Error('done'));
      }
    } finally {
      release(connection);
    }
  }

  /** Without the id: libp2p remembers every id that it ever tried, and anybody can invent ids. Noise still proves who answers. */
  async function dial(target: Target, signal: AbortSignal): Promise<Connection> {
    const connection = await host.dial(multiaddr(toMultiaddr({ ...target, node: null })), { signal, force: true });
    users.set(connection, (users.get(connection) ?? 0) + 1);
    return connection;
  }

  function release(connection: Connection): void {
    const others = (users.get(connection) ?? 1) - 1;
    if (others > 0) return void users.set(connection, others);
    users.delete(connection);
    void connection.close({ signal: AbortSignal.timeout(1000) }).catch((error: unknown) => connection.abort(new Error(messageOf(error))));
    void host.peerStore.delete(connection.remotePeer).catch(() => {});
  }
}

function isOwn(error: unknown): boolean {
  return error instanceof AggregateError && error.errors.some((one: unknown) => /dial self$/.test(messageOf(one)));
}
