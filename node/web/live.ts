import type { EventMap, Events, Progress } from '../events.ts';
import type { Log } from '../log.ts';
import { createChannel, type Channel } from './live-channel.ts';
import { createClient, type Client } from './live-client.ts';

/**
 * Live pages: one stream per open page, `/events?view=overview`.
 *
 *   events ──▶ hub ──▶ channel (one per view and key, shared by everybody who looks at the same thing)
 *                        region "running": dirty ─200 ms─▶ rendered once ─▶ sent to all when it changed
 *                        tick: the newest progress of running jobs, at most once a second
 *                                 ├──▶ client: sends, or keeps the latest partial per target while the browser is slow
 *                                 └──▶ client …
 *
 * A connection begins with a snapshot of every region, so a reconnect heals whatever was missed: there is no replay
 * and nothing is polled. An event is only a hint to read again; what a region shows comes from PostgreSQL.
 * Two named events go beside the partials: `hb` every ten seconds (the page's watchdog waits for it) and `build`
 * with the hash of the assets (a page of an older version reloads itself).
 *
 * Usage in a page module:
 *
 *   web.live.register('queue', {
 *     params: ['state', 'page'],                 // other parameters are dropped; the rest makes the key
 *     regions: {
 *       'queue-rows': { on: ['job.changed', 'queue.changed'], render: async (params) => web.views.render('queue/_rows', …) },
 *     },
 *     tick: (running) => running.map((p) => ({ target: `job-${p.jobId}-live`, swap: 'outerMorph', html: … })),
 *   });
 *
 * The page's HTML has the same ids, and gives its stream as `web.page(c, { live: { view: 'queue', query: { state } }, … })`.
 * A region's HTML replaces the children of the element with its id (innerMorph); a tick is for numbers and bars only and
 * must not contain buttons or forms: morphing would undo what htmx did to them while a request is under way.
 */
export interface Live {
  register(name: string, view: LiveView): void;
  /** what this view shows, not everybody who may look may see */
  isForAdmins(name: string): boolean;
  /** the newest progress of one job that is running now, or null */
  progressOf(jobId: number): Progress | null;
  /** opens a stream, or null when the view is unknown or there are too many */
  open(
    name: string,
    query: URLSearchParams,
    options: { csrf: string; signal: AbortSignal; readOnly?: boolean; onEnd?: () => void },
  ): ReadableStream<Uint8Array> | null;
  /** says something to every open page */
  broadcast(partials: Partial[]): void;
  /** ends all streams; browsers try to come back by themselves */
  stop(): void;
  readonly clients: number;
}

export interface LiveView {
  params?: readonly string[];
  /** its page is an admin's, so this is too */
  forAdmins?: true;
  /** element id → how its children are made */
  regions: Record<string, Region>;
  tick?: (running: Progress[], params: URLSearchParams) => Partial[];
}

export interface Region {
  on: readonly (keyof EventMap)[];
  /** false: this event does not concern this page */
  when?: (type: keyof EventMap, event: EventMap[keyof EventMap], params: URLSearchParams) => boolean;
  /** rendered at most once in this time, in milliseconds; 1000 when not given */
  everyMs?: number;
  render: (params: URLSearchParams) => string | Promise<string>;
}

export interface Partial {
  /** an element id, without # */
  target: string;
  swap: 'innerMorph' | 'outerMorph' | 'innerHTML' | 'append' | 'prepend' | 'delete';
  html: string;
}

export interface LiveOptions {
  events: Events;
  log: Log;
  /** hash of the assets the pages were made for */
  build: string;
  /** stands for the form token in shared HTML, see page.ts */
  csrfMark: string;
  tickMs?: number;
  heartbeatMs?: number;
  maxClients?: number;
}

/** progress that was not renewed for so long belongs to a job that is over */
const STALE_MS = 30_000;

export function createLive(options: LiveOptions): Live {
  const { events, log, tickMs = 1000, heartbeatMs = 10_000, maxClients = 256 } = options;
  const views = new Map<string, LiveView>();
  const channels = new Map<string, Channel>();
  const clients = new Set<Client>();
  const running = new Map<number, { progress: Progress; at: number }>();
  let moved = false;

  /** what a view or the ticker wants to hear; no list of its own, which a new event would be missing from */
  const ears = new Map<keyof EventMap, () => void>();
  listenTo('job.progressed');
  const ticker = setInterval(tick, tickMs).unref();
  const heart = setInterval(() => clients.forEach((client) => client.event('hb', '')), heartbeatMs).unref();

  return {
    register(name, view) {
      if (views.has(name)) throw new Error(`live view ${name} is registered twice`);
      views.set(name, view);
      for (const { on } of Object.values(view.regions)) on.forEach(listenTo);
    },
    isForAdmins: (name) => views.get(name)?.forAdmins ?? false,
    progressOf: (jobId) => running.get(jobId)?.progress ?? null,
    open(name, query, { csrf, signal, readOnly = false, onEnd }) {
      const names = name === 'shell' ? ['shell'] : ['shell', name];
      if (clients.size >= maxClients || !views.has(name) || signal.aborted) return null;
      const joined = names.filter((each) => views.has(each)).map((each) => join(each, query));
      const client = createClient({ csrf, csrfMark: options.csrfMark, readOnly, onClose: () => (leave(client, joined), onEnd?.()) });
      clients.add(client);
      signal.addEventListener('abort', () => client.close(), { once: true });
      client.event('build', options.build);
      for (const channel of joined) void channel.add(client);
      return client.stream;
    },
    broadcast: (partials) => clients.forEach((client) => client.send(partials)),
    stop() {
      clearInterval(ticker);
      clearInterval(heart);
      ears.forEach((stop) => stop());
      for (const client of [...clients]) client.close();
    },
    get clients() {
      return clients.size;
    },
  };

  function listenTo(type: keyof EventMap): void {
    if (!ears.has(type))
      ears.set(
        type,
        events.on(type, (event) => heard(type, event)),
      );
  }

  function heard<K extends keyof EventMap>(type: K, event: EventMap[K]): void {
    if (type === 'job.progressed') {
      const progress = event as Progress;
      running.set(progress.jobId, { progress, at: performance.now() });
      moved = true;
    }
    for (const channel of channels.values()) channel.heard(type, event);
  }

  function tick(): void {
    for (const [jobId, { at }] of running) if (performance.now() - at > STALE_MS) running.delete(jobId);
    if (!moved || channels.size === 0) return;
    moved = false;
    const latest = [...running.values()].map((r) => r.progress);
    for (const channel of channels.values()) channel.tick(latest);
  }

  function join(name: string, query: URLSearchParams): Channel {
    const view = views.get(name)!;
    const params = pick(query, view.params ?? []);
    const key = `${name}?${params}`;
    let channel = channels.get(key);
    if (!channel) {
      channel = createChannel({
        view,
        params,
        onError: (error, region) => log.error({ err: error, view: name, region }, 'a live region could not be made'),
      });
      channels.set(key, channel);
    }
    return channel;
  }

  function leave(client: Client, joined: Channel[]): void {
    clients.delete(client);
    for (const channel of joined) channel.remove(client);
    for (const [key, channel] of channels) {
      if (channel.size > 0) continue;
      channel.stop();
      channels.delete(key);
    }
  }
}

/** Only the named parameters, in a fixed order and bounded, so that strangers cannot make channels without end. */
function pick(query: URLSearchParams, names: readonly string[]): URLSearchParams {
  const params = new URLSearchParams();
  for (const name of [...names].sort()) {
    const value = query.get(name);
    if (value !== null && value.length <= 200) params.set(name, value);
  }
  return params;
}
