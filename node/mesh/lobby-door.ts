import type { Connection, ConnectionGater, MultiaddrConnection, Stream } from '@libp2p/interface';
import { PlainError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { createBuckets } from './bucket.ts';
import { decode, encode } from './encoding.ts';
import { frames } from './frame.ts';
import { hostOf } from './gate.ts';
import { MAX_ANSWER_BYTES, MAX_QUESTION_BYTES, lobbyQuestion } from './lobby-messages.ts';
import type { LobbyAnswer, LobbyQuestion } from './lobby-messages.ts';

/**
 * The side of the lobby that anybody may knock at. Whoever comes gets little: few connections at once, fewer from one
 * address, ten seconds each from the first byte of the handshake on, and one question to a stream.
 */
export interface Door {
  gate: ConnectionGater;
  /** Never throws: libp2p would throw it again where nobody catches it. */
  answer(stream: Stream, connection: Connection): Promise<void>;
}

export const MAX_VISITORS = 20;
export const MAX_VISITORS_OF_ONE_HOST = 8;
const VISIT_MS = 10_000;

export function createDoor(parts: {
  /** `from` is authenticated; `host` is its address */
  reply: (question: LobbyQuestion, from: string, host: string) => Promise<LobbyAnswer>;
  log: Log;
}): Door {
  const visitors = new Map<string, number>();
  const arrivals = createBuckets(5, 20);
  const questions = createBuckets(10, 40);

  return {
    gate: { denyInboundConnection: (raw) => !enter(raw) },
    async answer(stream, connection) {
      try {
        await converse(stream, connection);
        await stream.close({ signal: AbortSignal.timeout(2000) });
      } catch (error) {
        parts.log.debug({ why: messageOf(error) }, 'a visitor of the lobby was turned away');
        hangUp(stream);
      }
    },
  };

  function enter(raw: MultiaddrConnection): boolean {
    const host = hostOf(raw.remoteAddr);
    const ofHost = visitors.get(host) ?? 0;
    const all = visitors.values().reduce((sum, n) => sum + n, 0);
    if (all >= MAX_VISITORS || ofHost >= MAX_VISITORS_OF_ONE_HOST || !arrivals.take(host)) return false;
    visitors.set(host, ofHost + 1);
    const timer = setTimeout(() => raw.abort(new Error('the visit took too long')), VISIT_MS).unref();
    let left = false;
    raw.addEventListener('close', () => {
      clearTimeout(timer);
      if (left) return;
      left = true;
      const rest = (visitors.get(host) ?? 1) - 1;
      if (rest > 0) visitors.set(host, rest);
      else visitors.delete(host);
    });
    return true;
  }

  async function replyTo(text: string, from: string, host: string): Promise<LobbyAnswer> {
    try {
      return await parts.reply(decode(lobbyQuestion, text, 'question at the lobby'), from, host);
    } catch (error) {
      // a kind of question that only a newer program knows: it is told so, instead of a stream that breaks
      if (error instanceof PlainError && error.retry) return { to: 'refused', why: error.message };
      throw error;
    }
  }

  async function converse(stream: Stream, connection: Connection): Promise<void> {
    const host = hostOf(connection.remoteAddr);
    const signal = AbortSignal.timeout(VISIT_MS);
    if (!questions.take(host)) throw new Error('too many questions');
    const text = await frames(stream, MAX_QUESTION_BYTES).read(signal);
    const answer = await replyTo(text, connection.remotePeer.toString(), host);
    await frames(stream, MAX_ANSWER_BYTES).write(fitting(answer), signal);
  }
}

/** Ending a stream that is broken already may throw too. */
function hangUp(stream: Stream): void {
  try {
    stream.abort(new Error('refused'));
  } catch {
    // it is gone
  }
}

/** The members' addresses are a help, not a need: an answer that would be too long goes without them. */
function fitting(answer: LobbyAnswer): string {
  const text = JSON.stringify(answer);
  const long = Buffer.byteLength(text) > MAX_ANSWER_BYTES;
  if (long && answer.to === 'join' && answer.answer.state === 'approved') {
    return encode({ ...answer, answer: { ...answer.answer, peers: [] } }, MAX_ANSWER_BYTES);
  }
  return encode(answer, MAX_ANSWER_BYTES);
}
