import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Mesh } from './mesh.ts';
import type { ProtocolRequest, ProtocolResponse } from './messages.ts';

export type Hello = ProtocolRequest<'hello'>;
export type Welcome = ProtocolResponse<'hello'>;

export interface Greeter {
  start(): void;
  stop(): void;
  /** the node that coordinates, as far as this node knows, or null */
  coordinator(): string | null;
  /** something about this node changed: tell now; resolves when the coordinator knows, or could not be told */
  tell(): Promise<void>;
  onWelcome(listener: (welcome: Welcome) => void): void;
}

/**
 * Keeps this node known to the coordinator: says hello when a coordinator is heard of, when something about the node
 * changed, and every 15 seconds. The answer carries what gossip may have lost. Only the highest term is followed.
 */
export function createGreeter(options: { mesh: Mesh; facts: () => Promise<Hello>; log: Log; everyMs?: number }): Greeter {
  const { mesh, log } = options;
  const listeners: ((welcome: Welcome) => void)[] = [];
  let current: { node: string; term: number } | null = null;
  let timer: NodeJS.Timeout | undefined;
  let unsubscribe: (() => void) | undefined;
  let talking: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  return {
    start() {
      unsubscribe = mesh.subscribe('coordinator', (message) => {
        if (current && message.term <= current.term) return;
        current = { node: message.node, term: message.term };
        void tell();
      });
      timer = setInterval(() => void tell(), options.everyMs ?? 15_000);
      timer.unref();
    },
    stop() {
      unsubscribe?.();
      clearInterval(timer);
      current = null;
    },
    coordinator: () => current?.node ?? null,
    tell,
    onWelcome: (listener) => void listeners.push(listener),
  };

  /** One hello at a time; whoever asks meanwhile shares the one after it, because its facts are newer. */
  function tell(): Promise<void> {
    if (!talking) return (talking = hello().finally(() => (talking = null)));
    next ??= talking.then(() => {
      next = null;
      return tell();
    });
    return next;
  }

  async function hello(): Promise<void> {
    if (!current) return;
    try {
      const welcome = await mesh.request(current.node, 'hello', await options.facts(), { signal: AbortSignal.timeout(20_000) });
      for (const listener of listeners) listener(welcome);
    } catch (error) {
      log.debug({ why: messageOf(error) }, 'the coordinator did not answer a hello');
    }
  }
}
