import { PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { checkSpeaker, decode, encode } from './encoding.ts';
import type { Mesh } from './mesh.ts';
import { orAborted } from './patience.ts';
import { MAX_MESSAGE_BYTES, MAX_TOPIC_BYTES, protocols, topics, type Protocol, type Topic, type TopicMessage } from './messages.ts';

type Handler = (body: never, from: string) => Promise<unknown>;
type Listener = (message: never, from: string) => void;

/**
 * The end of the road for every message, whether it came from this node or another one: checked, then handed to the one
 * handler of its protocol, or to the listeners of its topic.
 */
export interface Delivery extends Pick<Mesh, 'handle' | 'subscribe'> {
  /**
   * The encoded answer to an encoded request.
   * @throws whatever the handler throws; PlainError when the request or the answer breaks a rule
   */
  answer(protocol: Protocol, text: string, from: string): Promise<string>;
  /** A message of a topic as it would be delivered. @throws PlainError when it breaks a rule */
  open<T extends Topic>(topic: T, text: string, from: string): TopicMessage<T>;
  /** Hands an opened message to the listeners, each in its own turn. */
  deliver<T extends Topic>(topic: T, message: TopicMessage<T>, from: string): void;
}

export function createDelivery(log: Log): Delivery {
  const handlers = new Map<Protocol, Handler>();
  const listeners = new Map<Topic, Set<Listener>>();
  return {
    handle(protocol, handler) {
      if (handlers.has(protocol)) throw new Error(`"${protocol}" already has a handler`);
      handlers.set(protocol, handler as Handler);
    },
    subscribe(topic, listener) {
      const set = listeners.get(topic) ?? new Set();
      listeners.set(topic, set.add(listener as Listener));
      return () => void set.delete(listener as Listener);
    },
    async answer(protocol, text, from) {
      const handler = handlers.get(protocol);
      if (!handler) throw new PlainError(`This node does not answer "${protocol}" now.`, { retry: true });
      const request = decode(protocols[protocol].request, text, `${protocol} request`);
      checkSpeaker(request, from, `${protocol} request`);
      return encode(await handler(request as never, from), MAX_MESSAGE_BYTES);
    },
    open(topic, text, from) {
      if (Buffer.byteLength(text) > MAX_TOPIC_BYTES) throw new PlainError(`A ${topic} message was refused: it is too large.`);
      const message = decode(topics[topic], text, topic);
      checkSpeaker(message, from, topic);
      return message as TopicMessage<typeof topic>;
    },
    deliver(topic, message, from) {
      for (const listener of listeners.get(topic) ?? []) queueMicrotask(() => hand(listener, message, from));
    },
  };

  /** A listener that throws must never take the process down. */
  function hand(listener: Listener, message: unknown, from: string): void {
    try {
      listener(message as never, from);
    } catch (error) {
      log.error({ err: error }, 'a listener of the mesh failed');
    }
  }
}

/**
 * Asks oneself: the same encoding, limits, checks and end to the waiting as over the network. A handler that never answers, of a
 * disk that hangs, must not hold those who ask: on a machine that coordinates itself they are its own loops.
 */
export async function askSelf(
  { delivery, self }: { delivery: Delivery; self: string },
  protocol: Protocol,
  body: unknown,
  limit: AbortSignal,
): Promise<never> {
  const asked = delivery.answer(protocol, encode(body, MAX_MESSAGE_BYTES), self);
  const answer = await orAborted(limit, asked).catch((error: unknown) => {
    if (!limit.aborted || error !== limit.reason) throw error;
    const late = (error as { name?: string } | undefined)?.name === 'TimeoutError';
    const what = late ? 'This machine did not answer itself in time' : 'A question of this machine to itself was given up';
    throw new PlainError(`${what} ("${protocol}").`, { cause: error, retry: true });
  });
  return decode(protocols[protocol].response, answer, `${protocol} answer`) as never;
}
