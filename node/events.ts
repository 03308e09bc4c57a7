import { EventEmitter } from 'node:events';
import type { Reason } from './core/reasons.ts';

/**
 * Things that happened inside this process, in the past tense. An event is a hint that something is worth reading
 * again: it carries ids and live numbers, never the truth, which is in PostgreSQL.
 */
export interface EventMap {
  'job.changed': { jobId: number; fileId: number | null; libraryId: number | null };
  'job.progressed': Progress;
  /** the colours of a running film are known */
  'job.coloured': { jobId: number; attemptId: number };
  'queue.changed': { why: string };
  'scan.progressed': { libraryId: number; seen: number; inspected: number; done: boolean };
  'library.changed': { libraryId: number };
  'node.changed': { nodeId: string };
  /** a machine looked how much is free on the disk of a root */
  'root.measured': { rootId: string; freeBytes: number };
  'settings.changed': { keys: string[] };
  'activity.added': { kind: string; severity: number };
  'cleanup.changed': { rootId: string };
  /** a media server: what is known of it, its libraries, its paths, or what it was told */
  'source.changed': { sourceId: number };
  /** what came of telling a target something */
  'notices.changed': { targetId: number };
  /** lines came into the log of this machine */
  'log.grew': { lines: 'some' };
  'coordinator.changed': { term: number | null };
  /** something is done with the backups, or one is new or gone */
  'backup.changed': { busy: boolean };
  /** people, their sessions or tokens, or how they are let in: whoever remembers some reads them anew */
  'access.changed': { what: 'people' | 'sessions' | 'tokens' | 'setup' };
}

/** Live numbers of one running attempt; percent 0…100, times in milliseconds, sizes in bytes. */
export interface Progress {
  jobId: number;
  attemptId: number;
  nodeId: string;
  phase: 'fetching' | 'waiting' | 'encoding' | 'delivering' | 'verifying' | 'replacing';
  percent: number;
  fps: number | null;
  speed: number | null;
  leftMs: number | null;
  outputBytes: number | null;
  expectedBytes: number | null;
  paused: boolean;
  /** no encode yet: pieces of the film are tried until its setting is found */
  searching?: boolean | undefined;
  /** why it stands still, when no person paused it */
  why?: Reason | null;
}

export interface Events {
  on<K extends keyof EventMap>(type: K, listener: (event: EventMap[K]) => void): () => void;
  emit<K extends keyof EventMap>(type: K, event: EventMap[K]): void;
}

/** A typed in-process bus. A listener that throws is reported to `onError` and never reaches the emitter. */
export function createEvents(onError: (error: unknown) => void): Events {
  const bus = new EventEmitter().setMaxListeners(0);
  return {
    on(type, listener) {
      const safe = (event: EventMap[typeof type]): void => {
        try {
          listener(event);
        } catch (error) {
          onError(error);
        }
      };
      bus.on(type, safe);
      return () => void bus.off(type, safe);
    },
    emit(type, event) {
      bus.emit(type, event);
    },
  };
}
