import { PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { askSelf, createDelivery } from './delivery.ts';
import { encode } from './encoding.ts';
import type { Mesh } from './mesh.ts';
import { MAX_TOPIC_BYTES } from './messages.ts';
import { bounded } from './patience.ts';

/**
 * The mesh of a node that is alone: everything is delivered to oneself, through the same encoding, size limits and
 * schemas that a message over the network meets. Roles cannot tell the difference.
 */
export function createLocalMesh(self: string, log: Log): Mesh {
  const delivery = createDelivery(log);
  return {
    self,
    async request(to, protocol, body, options) {
      if (to !== self) throw new PlainError(`The node ${to} cannot be reached.`, { retry: true });
      return await bounded(options?.signal, (limit) => askSelf({ delivery, self }, protocol, body, limit));
    },
    handle: (protocol, handler) => delivery.handle(protocol, handler),
    publish(topic, message) {
      delivery.deliver(topic, delivery.open(topic, encode(message, MAX_TOPIC_BYTES), self), self);
    },
    subscribe: (topic, listener) => delivery.subscribe(topic, listener),
  };
}
