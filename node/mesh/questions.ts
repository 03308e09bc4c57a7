import { PlainError } from '../errors.ts';
import { createAskLimit } from './ask-limit.ts';
import { askSelf, type Delivery } from './delivery.ts';
import { encode } from './encoding.ts';
import type { Link, Links } from './links.ts';
import type { Mesh } from './mesh.ts';
import { MAX_MESSAGE_BYTES, type Protocol } from './messages.ts';
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
    request: (to, protocol, body, options) =>
      bounded(options?.signal, (signal) =>
        to === self ? askSelf({ delivery, self }, protocol, body, signal) : askOther(to, protocol, encode(body, MAX_MESSAGE_BYTES), signal),
      ),
    forget: (node) => limit.forget(node),
  };

  async function askOther(to: string, protocol: Protocol, text: string, signal: AbortSignal): Promise<never> {
    const name = parts.nameOf(to) ?? to;
    return await limit.run(to, signal, async () => {
      const link = await parts.links.find(to, ADMISSION_MS);
      if (!link) throw new PlainError(`The node ${name} cannot be reached.`, { retry: true });
      const why = parts.apart(link);
      if (why !== null) throw new PlainError(why, { retry: true });
      return (await ask(link.connection, protocol, text, signal, name)) as never;
    });
  }
}
