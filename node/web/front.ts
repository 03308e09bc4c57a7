import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { createFrontApp, isOwn, type Note } from './front/app.ts';
import { listen, nameInUrl } from './front/listen.ts';
import type { FrontParts, LocalApp } from './front/parts.ts';
import { forward, hostOf } from './front/proxy.ts';
import { createReach } from './front/reach.ts';
import { openListener, type FrontListener } from './front/tls.ts';
import { visitorOf } from './front/visitor.ts';
import { refuse } from './errors.ts';
import { isHook } from './hooks.ts';
import { bearerOf, isKnownHost, type Visitor } from './security.ts';
import { loadAssets } from './static.ts';

/**
 * The one HTTP listener of a node. It is there before anything else and through everything that happens to the cluster, so
 * that every machine shows the dashboard, and says what it waits for while it cannot.
 *
 *   browser ─▶ Host gate ─▶ who asks? ─┬─ /node, /healthz, … ─▶ this machine's own pages (front/app.ts)
 *              (own names)  (own secret) ├─ this node coordinates ─▶ the application (server.ts) in this process
 *                                      ├─ another one does ─▶ tunnel (front/proxy.ts) ─▶ `tunnelEntrance` there ─▶ its application
 *                                      └─ nobody, or it does not answer ─▶ the waiting page (front/waiting.ts)
 *
 *   front:  starting ─ start() ─▶ open ◀── changed(): streams that lead to the former coordinator end, pages load themselves again
 *
 * The node that the browser talks to knows its own names and its own secret, so the first two gates are here, for both ways.
 * Origin and form token are checked by whoever acts: the application with the cluster's secret, `/node` with this node's own. Who
 * may act at all is decided by the application (auth/gate.ts), and for `/node` by its door (front/door.ts).
 */
export interface Front {
  /** @throws PlainError when the address cannot be used, with one sentence that says why */
  start(): Promise<{ url: string }>;
  stop(): Promise<void>;
  /** the standing, the coordinator or what is around changed; missed calls are made good within a second */
  changed(): void;
  /** PEM of the certificate that it shows; null while it speaks without TLS */
  certificate(): string | null;
}

const LOOK_MS = 1000;
/** Through one tunnel; each holds one of its 32 connections (mesh/bulk-client.ts), and pages need some too. Programs keep no page waiting. */
const MAX_TUNNELLED: Record<StreamKind, number> = { page: 20, program: 4 };

type StreamKind = 'page' | 'program';

export function createFront(parts: FrontParts): Front {
  const reach = createReach(parts, () => changed());
  /** what is under way outside this node's own pages, with the way it went */
  const underway = new Map<ServerResponse, { key: string; stream: StreamKind | null; end: () => void }>();
  const visits = new WeakMap<IncomingMessage, { visitor: Visitor; app?: LocalApp; note?: Note }>();
  let listener: FrontListener | null = null;
  let own: ReturnType<typeof createFrontApp> | null = null;
  let assets: Awaited<ReturnType<typeof loadAssets>> | null = null;
  let timer: NodeJS.Timeout | null = null;

  const toApp = getRequestListener((request, env) => {
    const visit = visits.get((env as { incoming: IncomingMessage }).incoming)!;
    return visit.app
      ? visit.app(request, { visitor: visit.visitor })
      : own!.app.fetch(request, { visitor: visit.visitor, note: visit.note });
  });

  return {
    async start() {
      assets = await loadAssets();
      own = createFrontApp(parts, reach, assets);
      listener = await openListener(parts.tls ?? { kind: 'off' }, receive, { log: parts.log, onRenewed: () => parts.onRenewed?.() });
      const port = await listen(listener.server, parts.host, parts.port);
      reach.look();
      timer = setInterval(changed, LOOK_MS).unref();
      return { url: `${listener.secure ? 'https' : 'http'}://${nameInUrl(parts.host)}:${port}/` };
    },

    /** Streams end at once, requests under way are finished, for at most five seconds. */
    async stop() {
      const closing = listener;
      listener = null;
      if (timer) clearInterval(timer);
      reach.stop();
      own?.streams.stop();
      for (const { stream, end } of underway.values()) if (stream) end();
      if (closing?.server.listening) await closing.close();
    },

    changed,
    certificate: () => listener?.certificate() ?? null,
  };

  function receive(incoming: IncomingMessage, outgoing: ServerResponse): void {
    try {
      handle(incoming, outgoing);
    } catch (error) {
      parts.log.error({ err: error }, 'a request failed before anybody had it');
      outgoing.destroy();
    }
  }

  function changed(): void {
    try {
      const moved = reach.look();
      const key = reach.key();
      if (moved) for (const way of [...underway.values()]) if (way.key !== key) way.end();
      own?.streams.refresh();
    } catch (error) {
      // called by a timer and by whoever noticed a change: neither may die of it
      parts.log.error({ err: error }, 'the front could not follow a change');
    }
  }

  function handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    outgoing.on('error', () => {});
    const visitor = visitorOf(incoming);
    const path = (incoming.url ?? '').split('?', 1)[0]!;
    const refusal = admit(incoming, visitor);
    if (refusal) return answer(incoming, outgoing, visitor, { refusal });
    if (isOwn(path) || (path.startsWith('/static/') && assets!.has(path))) return answer(incoming, outgoing, visitor);
    route(incoming, outgoing, visitor);
  }

  function route(incoming: IncomingMessage, outgoing: ServerResponse, visitor: Visitor): void {
    const way = reach.way();
    const key = reach.key();
    const stream = streamOf(incoming.url!.split('?', 1)[0]!);
    const track = (end: () => void): void => void underway.set(outgoing, { key, stream, end });
    outgoing.once('close', () => underway.delete(outgoing));
    if (way.kind === 'nowhere') return answer(incoming, outgoing, visitor);
    if (way.kind === 'local') {
      visits.set(incoming, { visitor, app: way.app });
      track(() => void (stream && outgoing.end()));
      return void toApp(incoming, outgoing);
    }
    if (stream && [...underway.values()].filter((u) => u.stream === stream).length >= MAX_TUNNELLED[stream])
      return answer(incoming, outgoing, visitor, { refusal: refuse('too-many') });
    const failed = (error: Error, sent: boolean): void => {
      underway.delete(outgoing);
      const isRead = incoming.method === 'GET' || incoming.method === 'HEAD';
      // what the former coordinator left unanswered says nothing about the next one
      if (key !== reach.key() && isRead) return route(incoming, outgoing, visitor);
      if (key === reach.key()) reach.failed(error);
      answer(incoming, outgoing, visitor, { trouble: { error, sent } });
      changed();
    };
    track(forward(incoming, outgoing, { open: way.open, visitor, failed }).cut);
  }

  /** Gate 1, and the command line's secret; null: come in. */
  function admit(incoming: IncomingMessage, visitor: Visitor): Note['refusal'] | null {
    if (!incoming.url?.startsWith('/')) return refuse('not-found');
    // a media server calls this machine by whatever name leads to it, and shows a secret that no stranger's page has
    const isMessage = incoming.method === 'POST' && isHook(incoming.url.split('?', 1)[0]!);
    if (!isMessage && !isKnownHost(hostOf(incoming), [parts.host, ...parts.allowedHosts()])) return refuse('unknown-host');
    const bearer = bearerOf(incoming.headers.authorization, parts.secret);
    if (bearer === 'wrong') return refuse('wrong-token');
    if (bearer === 'right') visitor.asks = 'cli';
    return null;
  }

  function answer(incoming: IncomingMessage, outgoing: ServerResponse, visitor: Visitor, note?: Note): void {
    visits.set(incoming, { visitor, ...(note ? { note } : {}) });
    void toApp(incoming, outgoing);
  }
}

/** What lasts for as long as somebody listens, and ends when the coordinator changes; null: an ordinary request. */
function streamOf(path: string): StreamKind | null {
  return path === '/events' ? 'page' : path === '/api/v1/events' ? 'program' : null;
}
