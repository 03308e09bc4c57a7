import { PlainError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Membership } from './membership.ts';
import type { Mesh } from './mesh.ts';
import type { ProtocolRequest, ProtocolResponse, TopicMessage } from './messages.ts';

export type Hello = ProtocolRequest<'hello'>;
export type Welcome = ProtocolResponse<'hello'>;

export interface Greeter {
  start(): void;
  stop(): void;
  /** the node that coordinates, as far as this node knows, or null */
  coordinator(): string | null;
  /** milliseconds since the coordinator was last heard of; null when there never was one */
  silentMs(): number | null;
  /** something about this node changed: tell now; resolves when the coordinator knows, or could not be told */
  tell(): Promise<void>;
  onWelcome(listener: (welcome: Welcome) => void): void;
}

export interface GreeterParts {
  mesh: Mesh;
  facts: () => Promise<Hello>;
  /** verifies certificates and keeps the highest; null: every coordinator that announces itself is believed (tests) */
  membership: Membership | null;
  log: Log;
  everyMs?: number;
}

/**
 * Keeps this node known to the coordinator: says hello when a coordinator is heard of, when something about the node
 * changed or was decided, and every 15 seconds. The answer carries what gossip may have lost. Only the highest
 * certificate of this very cluster is followed, whoever shows it.
 */
export function createGreeter(parts: GreeterParts): Greeter {
  const { mesh, membership, log } = parts;
  const listeners: ((welcome: Welcome) => void)[] = [];
  /** only without a membership: who announced the highest term */
  let believed: { node: string; term: number } | null = null;
  let stopped = false;
  let heardAt: number | null = null;
  let revision = -1;
  let timer: NodeJS.Timeout | undefined;
  const offs: (() => void)[] = [];
  let talking: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  return {
    start() {
      offs.push(mesh.subscribe('coordinator', heard));
      if (membership) offs.push(membership.onCertificate(follow));
      timer = setInterval(() => void tell(), parts.everyMs ?? 15_000);
      timer.unref();
      void tell();
    },
    stop() {
      for (const off of offs.splice(0)) off();
      clearInterval(timer);
      stopped = true;
    },
    coordinator: () => current()?.node ?? null,
    silentMs: () => (heardAt === null ? null : performance.now() - heardAt),
    tell,
    onWelcome: (listener) => void listeners.push(listener),
  };

  /** Asked anew each time: a certificate is also adopted by others, before and after this one listens. */
  function current(): { node: string; term: number } | null {
    if (stopped) return null;
    return membership ? (membership.certificate()?.certificate ?? null) : believed;
  }

  function heard(message: TopicMessage<'coordinator'>): void {
    const before = current()?.term;
    if (membership && message.certificate) membership.adoptCertificate(message.certificate);
    else if (!membership && (!believed || message.term > believed.term)) follow(message);
    const now = current();
    if (now?.node !== message.node || now.term !== message.term) return;
    heardAt = performance.now();
    const isNews = message.revision !== revision && now.term === before;
    revision = message.revision;
    if (isNews) void tell();
  }

  function follow(to: { node: string; term: number }): void {
    believed = { node: to.node, term: to.term };
    void tell();
  }

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
    const to = current();
    if (!to) return;
    try {
      const welcome = await mesh.request(to.node, 'hello', await parts.facts(), { signal: AbortSignal.timeout(20_000) });
      if (welcome.certificate) membership?.adoptCertificate(welcome.certificate);
      if (welcome.members) membership?.adoptMembers(welcome.members);
      if (current()?.node !== welcome.coordinator) throw new PlainError('another node coordinates by now');
      heardAt = performance.now();
      for (const listener of listeners) listener(welcome);
    } catch (error) {
      log.debug({ why: messageOf(error) }, 'the coordinator did not answer a hello');
    }
  }
}
