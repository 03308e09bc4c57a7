import { TopicValidatorResult, type GossipSub, type Message } from '@libp2p/gossipsub';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { createBuckets } from './bucket.ts';
import type { Delivery } from './delivery.ts';
import { MAX_TOPIC_BYTES, topics, type Topic } from './messages.ts';

/**
 * Topics over gossipsub. A message is passed on and delivered only if a member signed it, its schema holds and it speaks
 * for its signer; who brought it does not matter. What no member signed is dropped without blame: the neighbour that
 * passed it on may know a newer list of members than this node.
 */
export interface Gossip {
  /** once the host has started */
  subscribe(): void;
  publish(topic: Topic, text: string): void;
}

export const topicName = (cluster: string, topic: Topic): string => `codecshift/${cluster}/${topic}`;
export const topicNames = (cluster: string): string[] => (Object.keys(topics) as Topic[]).map((topic) => topicName(cluster, topic));

export function createGossip(parts: {
  pubsub: GossipSub;
  cluster: string;
  self: string;
  isMember: (node: string) => boolean;
  delivery: Delivery;
  /** somebody signed a message whom this node's list of members does not have: the list may be old */
  onUnknown: () => void;
  /** before the listeners of a topic hear of a message */
  onMessage: (topic: Topic, message: unknown, from: string) => void;
  log: Log;
}): Gossip {
  const { pubsub, delivery } = parts;
  const often = createBuckets(200, 400);
  /** what the validator has read is not read again */
  const opened = new WeakMap<Message, { topic: Topic; message: unknown; from: string }>();
  for (const topic of Object.keys(topics) as Topic[]) {
    pubsub.topicValidators.set(topicName(parts.cluster, topic), (_neighbour, message) => validate(topic, message));
  }
  // A throw in this listener would end the process: the event target raises it again outside of any catch.
  pubsub.addEventListener('message', (event) => {
    try {
      const known = opened.get(event.detail);
      if (!known) return;
      parts.onMessage(known.topic, known.message, known.from);
      delivery.deliver(known.topic, known.message as never, known.from);
    } catch (error) {
      parts.log.error({ err: error }, 'a message of a topic could not be delivered');
    }
  });

  return {
    subscribe() {
      for (const name of topicNames(parts.cluster)) pubsub.subscribe(name);
    },
    publish(topic, text) {
      pubsub
        .publish(topicName(parts.cluster, topic), new TextEncoder().encode(text))
        .catch((error: unknown) => parts.log.debug({ topic, why: messageOf(error) }, 'a hint was not sent'));
    },
  };

  function validate(topic: Topic, message: Message): TopicValidatorResult {
    if (message.type !== 'signed' || message.data.byteLength > MAX_TOPIC_BYTES) return TopicValidatorResult.Reject;
    const from = message.from.toString();
    if (from === parts.self || !often.take(from)) return TopicValidatorResult.Ignore;
    if (!parts.isMember(from)) {
      parts.onUnknown();
      return TopicValidatorResult.Ignore;
    }
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(message.data);
      opened.set(message, { topic, message: delivery.open(topic, text, from), from });
      return TopicValidatorResult.Accept;
    } catch (error) {
      parts.log.debug({ topic, from, why: messageOf(error) }, 'a message of a topic was refused');
      // To reject it would be held against the neighbour that brought it until nothing is heard of that one any more; but
      // a member signed this, and may only be newer than we are.
      return TopicValidatorResult.Ignore;
    }
  }
}
