import * as v from 'valibot';
import { PlainError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Mesh } from './mesh.ts';
import { MAX_MESSAGE_BYTES, MAX_TOPIC_BYTES, protocols, topics, type Protocol, type Topic } from './messages.ts';

type Handler = (body: never, from: string) => Promise<unknown>;
type Listener = (message: never, from: string) => void;

/**
 * The mesh of a node that is alone: everything is delivered to oneself, through the same encoding, size limits and
 * schemas that a message over the network meets. Roles cannot tell the difference.
 */
export function createLocalMesh(self: string, log: Log): Mesh {
  const handlers = new Map<Protocol, Handler>();
  const listeners = new Map<Topic, Set<Listener>>();
  return {
    self,
    async request(to, protocol, body, options) {
      options?.signal?.throwIfAborted();
      if (to !== self) throw new PlainError(`The node ${to} cannot be reached.`, { retry: true });
      const handler = handlers.get(protocol);
      if (!handler) throw new PlainError(`This node does not answer "${protocol}" now.`, { retry: true });
      const request = decode(protocols[protocol].request, encode(body, MAX_MESSAGE_BYTES), `${protocol} request`);
      const answer = await handler(request as never, self);
      return decode(protocols[protocol].response, encode(answer, MAX_MESSAGE_BYTES), `${protocol} answer`) as never;
    },
    handle(protocol, handler) {
      if (handlers.has(protocol)) throw new Error(`"${protocol}" already has a handler`);
      handlers.set(protocol, handler as Handler);
    },
    publish(topic, message) {
      const copy = decode(topics[topic], encode(message, MAX_TOPIC_BYTES), topic);
      for (const listener of listeners.get(topic) ?? []) queueMicrotask(() => deliver(listener, copy));
    },
    subscribe(topic, listener) {
      const set = listeners.get(topic) ?? new Set();
      listeners.set(topic, set.add(listener as Listener));
      return () => void set.delete(listener as Listener);
    },
  };

  /** A listener that throws must never take the process down. */
  function deliver(listener: Listener, message: unknown): void {
    try {
      listener(message as never, self);
    } catch (error) {
      log.error({ err: error }, 'a listener of the mesh failed');
    }
  }
}

function encode(body: unknown, limit: number): string {
  const text = JSON.stringify(body);
  const size = Buffer.byteLength(text);
  if (size > limit) throw new PlainError(`A message of ${size} bytes is larger than the mesh allows (${limit}).`);
  return text;
}

function decode<S extends v.GenericSchema>(schema: S, text: string, what: string): v.InferOutput<S> {
  const checked = v.safeParse(schema, JSON.parse(text));
  if (checked.success) return checked.output;
  const issue = checked.issues[0];
  throw new PlainError(`A ${what} was refused: ${v.getDotPath(issue) ?? ''} ${messageOf(issue.message)}`);
}
