import { PlainError } from '../errors.ts';
import { createAskLimit } from './ask-limit.ts';
import { askSelf, type Delivery } from './delivery.ts';
import { encode } from './encoding.ts';
import type { Link, Links } from './links.ts';
import type { Mesh } from './mesh.ts';
import { MAX_MESSAGE_BYTES } from './messages.ts';
import { bounded } from './patience.ts';
import { ask } from './rpc.ts';

/**
 * How this node asks another one: a place in the line, a connection that counts, a program at its end that understands,
 * and an end to the waiting in any case. Questions to oneself take the path of `local.ts`.
 */
export interface Questions extends Pick<Mesh, 'request'> {
  /** the node is gone: whoever waits for a place in its line is told */
  forget(node: string): void;
}

/** how long a request waits for a connection that is just being made */
const ADMISSION_MS = 3000;

export function createQuestions(parts: {
  self: string;
  nameOf: (node: string) => string | null;
  delivery: Delivery;
  links: Pick<Links, 'find'>;
  /** why a program does not work together with this one's; null when it does */
  apart: (link: Link) => string | null;
}): Questions {
  const { self, delivery } = parts;
  const limit = createAskLimit();
  return {
    async request(to, protocol, body, options) {
      options?.signal?.throwIfAborted();
      if (to === self) return await askSelf({ delivery, self }, protocol, body, options?.signal);
      const text = encode(body, MAX_MESSAGE_BYTES);
      const signal = bounded(options?.signal);
      const name = parts.nameOf(to) ?? to;
      return await limit.run(to, signal, async () => {
        const link = await parts.links.find(to, ADMISSION_MS);
        if (!link) throw new PlainError(`The node ${name} cannot be reached.`, { retry: true });
        const why = parts.apart(link);
        if (why !== null) throw new PlainError(why, { retry: true });
        return (await ask(link.connection, protocol, text, signal, name)) as never;
      });
    },
    forget: (node) => limit.forget(node),
  };
}
