import type { Fingerprint } from '../core/media.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { TranscodeControl } from '../ffmpeg/transcode.ts';
import type { GrantedJob } from '../mesh/messages.ts';
import { patienceFor, whileAlive } from '../mesh/patience.ts';
import type { Spaces } from './spaces.ts';

/** Where the films of granted jobs come from. */
export interface Sources {
  /**
   * Absolute path of the film on a disk of this node; null: not here, or not the very file that was planned, so it is
   * fetched.
   * @throws PlainError `root-not-mounted`, `file-changed`, … when this node is the keeper: nobody else has it
   */
  local(grant: GrantedJob, signal: AbortSignal): Promise<string | null>;
  /**
   * Brings the film from the grant's keeper into a file, on from what an earlier try left there. Resolves with the
   * SHA-256 of the whole, proved block by block on the way.
   */
  fetch(grant: GrantedJob, into: string, onProgress: (bytes: number) => void, signal: AbortSignal): Promise<string>;
}

export interface BringParts {
  sources: Sources;
  workspace: Pick<Spaces, 'sourcePath' | 'isCopyOf' | 'removeSource'>;
  /** called once it is known that the film has to be fetched; throws `no-space` */
  makeRoom: () => Promise<void>;
  onBytes: (bytes: number) => void;
  control: TranscodeControl;
  /** a keeper that sends nothing for so long is away: the job goes back */
  patienceMs?: number | undefined;
}

export interface Source {
  file: string;
  fetched: boolean;
}

/**
 * The film of a grant as a file of this node: by its own mount, else from the keeper into the attempt's directory.
 * @throws PlainError with a reason
 */
export async function bringSource(parts: BringParts, grant: GrantedJob, signal: AbortSignal): Promise<Source> {
  const here = await parts.sources.local(grant, signal);
  if (here !== null) return { file: here, fetched: false };
  await parts.makeRoom();
  const into = parts.workspace.sourcePath(grant.attempt, grant.path);
  await fetchUnlessPaused(parts, grant, into, signal).catch((error: unknown) => {
    throw signal.aborted ? error : unreachable(error, grant);
  });
  if (await parts.workspace.isCopyOf(into, grant.fingerprint as Fingerprint, signal)) return { file: into, fetched: true };
  await parts.workspace.removeSource(grant.attempt, grant.path);
  throw new PlainError(`${grant.path} arrived different from what was planned; it is fetched again later.`, {
    reason: { code: 'source-unreachable', params: { message: 'it arrived different from what was planned' } },
    retry: true,
  });
}

/** A pause lets the line free: the transfer is broken off, and goes on where it was. */
async function fetchUnlessPaused(parts: BringParts, grant: GrantedJob, into: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    await untilResumed(parts.control, signal);
    const pause = new AbortController();
    const unlisten = parts.control.onChange((paused) => paused && pause.abort());
    try {
      await whileAlive(
        {
          signal: AbortSignal.any([signal, pause.signal]),
          silentMs: parts.patienceMs ?? patienceFor(grant.fingerprint.sizeBytes),
          tooLong: () => away(grant),
        },
        (until, alive) => {
          const onBytes = (bytes: number): void => (alive(), parts.onBytes(bytes));
          return parts.sources.fetch(grant, into, onBytes, until);
        },
      );
      return;
    } catch (error) {
      if (signal.aborted || !pause.signal.aborted) throw error;
    } finally {
      unlisten();
    }
  }
}

async function untilResumed(control: TranscodeControl, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!control.paused) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const unlisten = control.onChange((paused) => !paused && resolve());
  const stop = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  await promise.finally(() => {
    unlisten();
    signal.removeEventListener('abort', stop);
  });
}

function away(grant: GrantedJob): PlainError {
  return new PlainError(`The machine that has ${grant.path} does not answer; the file is fetched again later.`, {
    reason: { code: 'keeper-away' },
    retry: true,
  });
}

const aboutTheFilm = new Set<string>(['file-changed', 'missing', 'not-a-file', 'outside-root']);

/** A keeper that went away is nobody's failure; anything else that has no reason of its own is one of the transfer. */
function unreachable(error: unknown, grant: GrantedJob): PlainError {
  const plain = error instanceof PlainError ? error : null;
  // what its keeper says about the film is final; a refusal of anything else ends this run, not the job
  if (plain?.reason)
    return aboutTheFilm.has(plain.reason.code) ? plain : new PlainError(plain.message, { cause: error, reason: plain.reason, retry: true });
  return new PlainError(`${grant.path} could not be fetched: ${messageOf(error)}`, {
    cause: error,
    retry: true,
    reason: plain?.retry ? { code: 'keeper-away' } : { code: 'source-unreachable', params: { message: messageOf(error).slice(0, 500) } },
  });
}
