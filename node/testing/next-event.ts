import type { EventMap, Events } from '../events.ts';

/** The next event of a kind that is the one waited for. Ask for it before whatever brings it. */
export function nextEvent<K extends keyof EventMap>(
  events: Events,
  type: K,
  when: (event: EventMap[K]) => boolean = () => true,
): Promise<EventMap[K]> {
  return new Promise((resolve) => {
    const off = events.on(type, (event) => {
      if (!when(event)) return;
      off();
      resolve(event);
    });
  });
}
