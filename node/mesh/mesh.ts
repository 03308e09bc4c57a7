import type { Protocol, ProtocolRequest, ProtocolResponse, Topic, TopicMessage } from './messages.ts';

/**
 * What a role sees of the other nodes. The roles of one process speak through it too, so that there is one path:
 * a message to oneself is encoded, checked against its schema and decoded exactly like one that crossed the network.
 */
export interface Mesh {
  /** this node's id */
  readonly self: string;
  /**
   * Asks one node and waits for its answer.
   * @throws PlainError when the node cannot be reached, refuses, answers nonsense, or the signal aborts
   */
  request<P extends Protocol>(
    to: string,
    protocol: P,
    body: ProtocolRequest<P>,
    options?: { signal?: AbortSignal },
  ): Promise<ProtocolResponse<P>>;
  /** Answers requests of one protocol; one handler per protocol. What it throws reaches the asker as a refusal. */
  handle<P extends Protocol>(protocol: P, handler: (body: ProtocolRequest<P>, from: string) => Promise<ProtocolResponse<P>>): void;
  /** A hint to everyone, this node included. May be lost. */
  publish<T extends Topic>(topic: T, message: TopicMessage<T>): void;
  subscribe<T extends Topic>(topic: T, listener: (message: TopicMessage<T>, from: string) => void): () => void;
}
