import { PlainError } from '../errors.ts';
import type { Running } from './slots.ts';

/**
 * The room on this node's disk for films and their encodes. What runs has not written everything yet, so the disk looks
 * emptier than it is; and a film that travels ahead of its time must not take the room from one that is being encoded.
 */
export interface Room {
  /** bytes that are free once everything here is written; less than none when it does not fit */
  free(): Promise<number>;
  /**
   * May another film travel ahead? One at a time, so that none waits on the line behind another that is needed later.
   * @param freeBytes as `free` said
   */
  takesOneMore(slots: number, freeBytes: number): boolean;
  /** @throws PlainError `no-space` when its source, which has to be fetched, and all outputs would not fit any more */
  make(run: Running): Promise<void>;
  /** a film did not fit: none travels ahead for a while */
  wasTooSmall(): void;
}

export interface RoomParts {
  runs: () => Iterable<Running>;
  freeBytes: () => Promise<number>;
  /** kept free for others */
  minFreeBytes: () => number;
}

/** After the room was too small for one film, so long none is claimed ahead. */
const NO_ROOM_MS = 60_000;

export function createRoom(parts: RoomParts): Room {
  let tooSmallUntil = 0;

  return {
    free,
    takesOneMore(slots, freeBytes) {
      const runs = [...parts.runs()];
      const ahead = runs.filter((run) => !run.seated).length;
      if (ahead >= slots || runs.some((run) => !run.ready) || performance.now() < tooSmallUntil) return false;
      // the next film may be as large as the largest one here, and with its output it needs that twice
      const largest = Math.max(0, ...runs.map((run) => run.grant.fingerprint.sizeBytes));
      return freeBytes - parts.minFreeBytes() >= 2 * largest;
    },
    async make(run) {
      run.toFetch = run.grant.fingerprint.sizeBytes;
      const freeBytes = await parts.freeBytes();
      const needed = stillToWrite(parts.runs()) + parts.minFreeBytes();
      if (needed <= freeBytes) return;
      throw new PlainError('There is no room on this machine to fetch the film and to encode it; it is tried again later.', {
        reason: { code: 'no-space', params: { where: 'the workspace', needed, free: freeBytes } },
        retry: true,
      });
    },
    wasTooSmall() {
      tooSmallUntil = performance.now() + NO_ROOM_MS;
    },
  };

  async function free(): Promise<number> {
    const freeBytes = await parts.freeBytes();
    return freeBytes - stillToWrite(parts.runs());
  }
}

/** Bytes that these runs may still write: the rest of their sources, and outputs as large as the originals. */
function stillToWrite(runs: Iterable<Running>): number {
  let bytes = 0;
  for (const { grant, latest, toFetch } of runs) bytes += toFetch + Math.max(0, grant.fingerprint.sizeBytes - (latest.outputBytes ?? 0));
  return bytes;
}
