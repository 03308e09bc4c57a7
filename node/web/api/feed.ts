import { randomBytes } from 'node:crypto';
import type { EventMap, Events, Progress } from '../../events.ts';
import { progressJson } from './job-answer.ts';

/**
 * What happens, for programs: `GET /api/v1/events`. The same hints that keep the pages live, each with an id.
 *
 *   events ─▶ ring (the last 1,000) ─▶ reader: sends from its own place in the ring, as fast as it is read
 *       └─ progress: the newest per job, at most once a second, no id
 *
 * Nothing is kept for a reader. One that is so slow, or was away for so long, that its place has left the ring is told `resync`:
 * what it missed is not told any more, and it reads anew what it shows. An id names the process that made it, so a reader that
 * comes back to another coordinator is told the same. A reader that takes nothing at all for two minutes is sent away.
 */
export interface Feed {
  /** null when there are too many, of all or of one `key` */
  open(wish: FeedWish): ReadableStream<Uint8Array> | null;
  stop(): void;
  readonly readers: number;
}

export interface FeedWish {
  /** who reads, for the limit */
  key: string;
  /** the id that was seen last, '' for none */
  after: string;
  /** null: all of them */
  types: ReadonlySet<string> | null;
  signal: AbortSignal;
  onEnd: () => void;
}

/** What programs are told of; people and their sessions are nobody's business here. */
export const feedTypes = [
  'job.changed',
  'job.progressed',
  'queue.changed',
  'scan.progressed',
  'library.changed',
  'node.changed',
  'settings.changed',
  'activity.added',
  'cleanup.changed',
  'source.changed',
  'coordinator.changed',
] as const satisfies readonly (keyof EventMap)[];

export interface FeedOptions {
  events: Events;
  heartbeatMs?: number;
  tickMs?: number;
  stuckMs?: number;
  ring?: number;
  maxReaders?: number;
  maxPerKey?: number;
}

interface Reader {
  wish: FeedWish;
  /** the number of the last event that it got */
  at: number;
  /** when it last took something */
  took: number;
  controller: ReadableStreamDefaultController<Uint8Array>;
}

const encoder = new TextEncoder();
/** bytes that wait for a reader before it is left behind */
const WINDOW = 64 * 1024;

export function createFeed(options: FeedOptions): Feed {
  const { events, heartbeatMs = 15_000, tickMs = 1000, stuckMs = 120_000, ring: size = 1000, maxReaders = 64, maxPerKey = 8 } = options;
  const epoch = randomBytes(5).toString('hex');
  const ring: { type: string; text: string }[] = [];
  const moved = new Map<number, Progress>();
  const readers = new Set<Reader>();
  /** number of the newest event; the oldest in the ring is `newest - ring.length + 1` */
  let newest = 0;

  const offs = feedTypes.map((type) => events.on(type, (event) => heard(type, event)));
  const ticker = setInterval(tick, tickMs).unref();
  const heart = setInterval(beat, heartbeatMs).unref();

  return {
    open(wish) {
      const mine = [...readers].filter((reader) => reader.wish.key === wish.key).length;
      if (readers.size >= maxReaders || mine >= maxPerKey || wish.signal.aborted) return null;
      return begin(wish);
    },
    stop() {
      clearInterval(ticker);
      clearInterval(heart);
      offs.forEach((off) => off());
      for (const reader of [...readers]) close(reader);
    },
    get readers() {
      return readers.size;
    },
  };

  function begin(wish: FeedWish): ReadableStream<Uint8Array> {
    let reader!: Reader;
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          reader = { wish, at: placeOf(wish.after), took: performance.now(), controller };
          readers.add(reader);
          wish.signal.addEventListener('abort', () => close(reader), { once: true });
          // at once, so that whoever waits knows that it is connected; its id is where this reader is, not where we are
          write(reader, `retry: 2000\n${reader.at < 0 ? '' : `id: ${epoch}-${reader.at}\n`}event: hello\ndata: {}\n\n`);
        },
        pull: () => {
          reader.took = performance.now();
          send(reader);
        },
        cancel: () => end(reader),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: WINDOW }),
    );
  }

  /** Where to go on; -1: nobody knows any more what came after that. */
  function placeOf(after: string): number {
    if (after === '') return newest;
    const [of, number] = after.split('-');
    const at = of === epoch && /^\d{1,15}$/.test(number ?? '') ? Number(number) : -1;
    return at > newest ? -1 : at;
  }

  function heard<K extends keyof EventMap>(type: K, event: EventMap[K]): void {
    if (type === 'job.progressed') {
      const progress = event as Progress;
      moved.set(progress.jobId, progress);
      return;
    }
    newest += 1;
    ring.push({ type, text: `id: ${epoch}-${newest}\nevent: ${type}\ndata: ${JSON.stringify(event, withoutZero)}\n\n` });
    if (ring.length > size) ring.shift();
    for (const reader of readers) send(reader);
  }

  /** As much as fits; the rest stays in the ring until the reader takes it, or until it has left. */
  function send(reader: Reader): void {
    while (isHungry(reader) && reader.at !== newest) {
      const first = newest - ring.length + 1;
      if (reader.at < first - 1) {
        reader.at = newest;
        write(reader, `id: ${epoch}-${newest}\nevent: resync\ndata: {}\n\n`);
        return;
      }
      const { type, text } = ring[reader.at + 1 - first]!;
      reader.at += 1;
      if (wants(reader, type)) write(reader, text);
    }
  }

  function tick(): void {
    for (const reader of readers)
      if (isHungry(reader) && wants(reader, 'job.progressed'))
        for (const progress of moved.values()) write(reader, `event: job.progressed\ndata: ${JSON.stringify(told(progress))}\n\n`);
    moved.clear();
  }

  function beat(): void {
    for (const reader of [...readers]) {
      if (isHungry(reader)) write(reader, ': still here\n\n');
      else if (performance.now() - reader.took > stuckMs) sendAway(reader);
    }
  }

  function wants({ wish: { types } }: Reader, type: string): boolean {
    return types === null || types.has(type);
  }

  function isHungry({ controller }: Reader): boolean {
    return (controller.desiredSize ?? 0) > 0;
  }

  function write(reader: Reader, text: string): void {
    if (readers.has(reader)) reader.controller.enqueue(encoder.encode(text));
  }

  function close(reader: Reader): void {
    if (!readers.has(reader)) return;
    end(reader);
    try {
      reader.controller.close();
    } catch {
      /* the reader went away in the same moment */
    }
  }

  /** Its connection is cut: what was written would wait for ever. */
  function sendAway(reader: Reader): void {
    end(reader);
    reader.controller.error(new Error('a reader of the event stream took nothing any more'));
  }

  function end(reader: Reader): void {
    if (readers.delete(reader)) reader.wish.onEnd();
  }
}

function told(progress: Progress): object {
  const { jobId, attemptId, nodeId, outputBytes, expectedBytes, paused } = progress;
  return { jobId, attemptId, nodeId, ...progressJson(progress), outputBytes, expectedBytes, paused };
}

/** "Of no job" is 0 inside, and null to everybody else. */
function withoutZero(key: string, value: unknown): unknown {
  return key === 'jobId' && value === 0 ? null : value;
}
