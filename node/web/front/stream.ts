import { createClient, type Client } from '../live-client.ts';
import type { Partial } from '../live.ts';

/**
 * The live part of the front's own pages, and of pages whose coordinator went away: the same event stream and the same
 * script as everywhere (static/js/live.js), fed from this process instead of the database.
 *
 *   waiting, node   their region is rendered again when something changed; `build` makes a waiting page load its own
 *                   address again once somebody coordinates
 *   away            an open page of the dashboard: it says what is the matter, and goes on where it was by itself
 */
export type StreamView = 'waiting' | 'node' | 'away';

export interface FrontStreams {
  /** null when too many are open */
  open(view: StreamView, options: { csrf: string; signal: AbortSignal; acts: boolean }): ReadableStream<Uint8Array> | null;
  /** renders and sends what changed */
  refresh(): void;
  stop(): void;
}

export interface FrontStreamParts {
  csrfMark: string;
  build: string;
  /** is somebody reached who serves the dashboard? */
  isReady: () => boolean;
  /** `acts`: for somebody who may do something here */
  render: (view: StreamView, acts: boolean) => Partial[];
  onError: (error: unknown) => void;
}

const HEARTBEAT_MS = 10_000;
const MAX_CLIENTS = 256;

export function createFrontStreams(parts: FrontStreamParts): FrontStreams {
  const clients = new Map<Client, { view: StreamView; acts: boolean; last: string }>();
  const heart = setInterval(() => clients.forEach((_, client) => client.event('hb', '')), HEARTBEAT_MS).unref();

  return {
    open(view, { csrf, signal, acts }) {
      if (clients.size >= MAX_CLIENTS || signal.aborted) return null;
      const client = createClient({ csrf, csrfMark: parts.csrfMark, onClose: () => clients.delete(client) });
      clients.set(client, { view, acts, last: '' });
      signal.addEventListener('abort', () => client.close(), { once: true });
      if (view === 'away') client.event('away', '');
      else client.event('build', parts.build);
      update(client);
      return client.stream;
    },
    refresh: () => [...clients.keys()].forEach(update),
    stop() {
      clearInterval(heart);
      for (const client of [...clients.keys()]) client.close();
    },
  };

  function update(client: Client): void {
    const state = clients.get(client);
    if (!state) return;
    try {
      if (state.view !== 'node' && parts.isReady()) return release(client, state.view);
      const partials = parts.render(state.view, state.acts);
      const text = JSON.stringify(partials);
      if (text === state.last) return;
      state.last = text;
      client.send(partials);
    } catch (error) {
      parts.onError(error);
    }
  }

  function release(client: Client, view: StreamView): void {
    // another build than the page was made with: it loads its address again, which now is the dashboard
    if (view === 'waiting') client.event('build', 'ready');
    client.close();
  }
}
