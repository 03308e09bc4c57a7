import type { EventMap, Progress } from '../events.ts';
import type { Client } from './live-client.ts';
import type { LiveView, Partial, Region } from './live.ts';

/** Everybody who looks at the same view with the same parameters. Each region is rendered once for all of them. */
export interface Channel {
  readonly size: number;
  add(client: Client): Promise<void>;
  remove(client: Client): void;
  heard<K extends keyof EventMap>(type: K, event: EventMap[K]): void;
  tick(running: Progress[]): void;
  stop(): void;
}

interface RegionState {
  id: string;
  region: Region;
  last: string | null;
  renderedAt: number;
  timer: NodeJS.Timeout | null;
  /** the render that is under way, and whether something happened since it began */
  rendering: Promise<void> | null;
  again: boolean;
}

/** Events come in bursts: a scan or a finished job emits several within a few milliseconds. */
const DEBOUNCE_MS = 150;
const EVERY_MS = 1000;
/** a region that could not be made is tried again after so long */
const AGAIN_MS = 2000;

export function createChannel(options: {
  view: LiveView;
  params: URLSearchParams;
  onError: (error: unknown, region: string) => void;
}): Channel {
  const { view, params, onError } = options;
  /** everybody who joined, and those of them who have their snapshot */
  const members = new Set<Client>();
  const clients = new Set<Client>();
  const lastTick = new Map<string, string>();
  let stopped = false;
  const states: RegionState[] = Object.entries(view.regions).map(([id, region]) => ({
    id,
    region,
    last: null,
    renderedAt: -Infinity,
    timer: null,
    rendering: null,
    again: false,
  }));

  return {
    get size() {
      return members.size;
    },
    async add(client) {
      members.add(client);
      await Promise.all(states.map((state) => fresh(state)));
      if (client.closed || stopped) return;
      client.send(states.flatMap((state) => (state.last === null ? [] : [partialOf(state)])));
      clients.add(client);
    },
    remove(client) {
      members.delete(client);
      clients.delete(client);
    },
    heard(type, event) {
      for (const state of states) {
        if (state.region.on.includes(type) && (state.region.when?.(type, event, params) ?? true)) plan(state);
      }
    },
    tick(running) {
      if (clients.size === 0 || !view.tick) return;
      try {
        const partials = view.tick(running, params).filter((p) => lastTick.get(p.target) !== p.html);
        for (const p of partials) lastTick.set(p.target, p.html);
        if (lastTick.size > 500) lastTick.clear();
        if (partials.length > 0) for (const client of clients) client.send(partials);
      } catch (error) {
        onError(error, 'tick');
      }
    },
    stop() {
      stopped = true;
      for (const state of states) if (state.timer) clearTimeout(state.timer);
    },
  };

  function plan(state: RegionState): void {
    if (stopped || state.timer) return;
    if (state.rendering) {
      state.again = true;
      return;
    }
    const wait = Math.max(DEBOUNCE_MS, state.renderedAt + (state.region.everyMs ?? EVERY_MS) - performance.now());
    state.timer = setTimeout(() => {
      state.timer = null;
      void render(state);
    }, wait);
    state.timer.unref();
  }

  /** What a newcomer is shown: what was made in this second already, else made anew. */
  async function fresh(state: RegionState): Promise<void> {
    if (state.rendering) await state.rendering;
    if (state.timer === null && state.last !== null && performance.now() - state.renderedAt < EVERY_MS) return;
    await render(state);
  }

  function render(state: RegionState): Promise<void> {
    state.rendering ??= work(state).finally(() => {
      state.rendering = null;
      if (state.again) {
        state.again = false;
        plan(state);
      }
    });
    return state.rendering;
  }

  async function work(state: RegionState): Promise<void> {
    state.renderedAt = performance.now();
    try {
      const html = await state.region.render(params);
      if (html === state.last || stopped) return;
      state.last = html;
      // What a tick sent is older than this: the next one must go out even if its text is the same.
      lastTick.clear();
      for (const client of clients) client.send([partialOf(state)]);
    } catch (error) {
      onError(error, state.id);
      // the event is used up, and the page must not show for ever what was before it
      setTimeout(() => plan(state), AGAIN_MS).unref();
    }
  }
}

function partialOf(state: RegionState): Partial {
  return { target: state.id, swap: 'innerMorph', html: state.last ?? '' };
}
