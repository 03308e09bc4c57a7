import type { Connection } from '@libp2p/interface';
import type { ProtocolRange } from '../core/compatibility.ts';
import type { Log } from '../log.ts';

/**
 * The connections of this node and whether they count.
 *
 *   open ──▶ meeting ──both have met──▶ admitted ──▶ closed
 *               └──no answer, another cluster──▶ closed
 *
 * Connected is not admitted: on the side that is refused a dial succeeds first and ends a moment later. Nothing but
 * `meet` and `join` is asked or answered before a connection is admitted. Two programs that are too far apart meet and are
 * admitted, so that they learn of it and of each other's versions; nothing else is asked then (core/compatibility.ts).
 */
export interface Link {
  node: string;
  connection: Connection;
  /** its clock minus ours */
  clockMs: number;
  latencyMs: number | null;
  name: string;
  version: string;
  speaks: ProtocolRange;
}

type Facts = Pick<Link, 'clockMs' | 'latencyMs' | 'name' | 'version' | 'speaks'>;

export interface Links {
  opened(connection: Connection): void;
  closed(connection: Connection): void;
  admit(connection: Connection, facts: Facts): void;
  /** true once the connection is admitted, false when it never will be */
  admission(connection: Connection): Promise<boolean>;
  /** the admitted connection of a node, waited for while one is being made; null when there is none */
  find(node: string, waitMs: number): Promise<Link | null>;
  of(node: string): Link | null;
  all(): Link[];
  isOpen(node: string): boolean;
  /** ends every connection of a node at once, with all its streams */
  cut(node: string, why: string): void;
  onMet(listener: (node: string) => void): () => void;
  onLost(listener: (node: string) => void): () => void;
}

interface Opened {
  connection: Connection;
  node: string;
  link: Link | null;
  verdict: PromiseWithResolvers<boolean>;
}

/** a connection that nobody meets on is closed after this */
const MEETING_MS = 10_000;

export function createLinks(log: Log): Links {
  const open = new Map<string, Opened>();
  const met = new Set<(node: string) => void>();
  const lost = new Set<(node: string) => void>();

  const links: Links = {
    opened(connection) {
      if (connection.status !== 'open' || open.has(connection.id)) return;
      const verdict = Promise.withResolvers<boolean>();
      open.set(connection.id, { connection, node: connection.remotePeer.toString(), link: null, verdict });
      const timer = setTimeout(() => {
        if (open.get(connection.id)?.link === null) connection.abort(new Error('nobody met on this connection'));
      }, MEETING_MS).unref();
      void verdict.promise.then(() => clearTimeout(timer));
    },
    closed(connection) {
      const entry = open.get(connection.id);
      if (!entry) return;
      open.delete(connection.id);
      entry.verdict.resolve(false);
      if (entry.link && !links.of(entry.node)) tell(lost, entry.node);
    },
    admit(connection, facts) {
      links.opened(connection);
      const entry = open.get(connection.id);
      if (!entry) return;
      const first = !links.of(entry.node);
      entry.link = { node: entry.node, connection, ...facts };
      entry.verdict.resolve(true);
      if (first) tell(met, entry.node);
    },
    admission: async (connection) => (await open.get(connection.id)?.verdict.promise) ?? false,
    async find(node, waitMs) {
      const link = links.of(node);
      if (link || !links.isOpen(node)) return link;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      await Promise.race([promise, ...[...open.values()].filter((one) => one.node === node).map((one) => one.verdict.promise)]);
      clearTimeout(timer);
      return links.of(node);
    },
    of: (node) => [...open.values()].findLast((one) => one.node === node && one.link && one.connection.status === 'open')?.link ?? null,
    all: () => [...new Set([...open.values()].map(({ node }) => node))].map((node) => links.of(node)).filter((link) => link !== null),
    isOpen: (node) => [...open.values()].some((one) => one.node === node && one.connection.status === 'open'),
    cut(node, why) {
      for (const entry of [...open.values()].filter((one) => one.node === node)) entry.connection.abort(new Error(why));
    },
    onMet: (listener) => add(met, listener),
    onLost: (listener) => add(lost, listener),
  };
  return links;

  function tell(listeners: Set<(node: string) => void>, node: string): void {
    for (const listener of listeners) {
      queueMicrotask(() => {
        try {
          listener(node);
        } catch (error) {
          log.error({ err: error }, 'a listener of the mesh failed');
        }
      });
    }
  }
}

function add<T>(set: Set<T>, listener: T): () => void {
  set.add(listener);
  return () => void set.delete(listener);
}
