import { access, lstat, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Ticket } from '../core/cluster.ts';
import type { Fingerprint } from '../core/media.ts';
import { PlainError } from '../errors.ts';
import type { Workspace } from '../files/workspace.ts';

/** The worker's view of the workspace: a directory for each attempt. */
export interface Spaces {
  /** the attempt's own directory, empty */
  create: (attempt: number) => Promise<void>;
  outputPath: (attempt: number, extension: string) => string;
  /** where a fetched source goes; `name` is its path in the library */
  sourcePath: (attempt: number, name: string) => string;
  isCopyOf: (file: string, film: Pick<Fingerprint, 'sizeBytes' | 'hash'>, signal?: AbortSignal) => Promise<boolean>;
  removeSource: (attempt: number, name: string) => Promise<void>;
  /** the output is whole: it may be kept over a restart */
  complete: (attempt: number) => Promise<void>;
  /** the output, once it is whole */
  completed: (attempt: number, extension: string) => Promise<{ file: string; sizeBytes: number } | null>;
  remove: (attempt: number) => Promise<void>;
  list: () => Promise<{ attempt: number; complete: boolean }[]>;
  freeBytes: () => Promise<number>;
}

/** An output counts as whole once its marker is on the disk. */
export function attemptSpaces(workspace: Workspace): Spaces {
  const marker = (attempt: number): string => path.join(workspace.directoryOf(attempt), 'complete');
  const whole = (attempt: number): Promise<boolean> =>
    access(marker(attempt)).then(
      () => true,
      () => false,
    );
  return {
    create: async (attempt) => void (await workspace.create(attempt)),
    outputPath: (attempt, extension) => workspace.outputOf(attempt, extension),
    sourcePath: (attempt, name) => workspace.sourceOf(attempt, name),
    isCopyOf: (file, film, signal) => workspace.isCopyOf(file, film, signal),
    removeSource: (attempt, name) => rm(workspace.sourceOf(attempt, name), { force: true }),
    complete: (attempt) => writeFile(marker(attempt), '', { flush: true }),
    async completed(attempt, extension) {
      const file = workspace.outputOf(attempt, extension);
      const found = (await whole(attempt)) ? await lstat(file).catch(() => null) : null;
      return found?.isFile() ? { file, sizeBytes: found.size } : null;
    },
    remove: (attempt) => workspace.remove(attempt),
    list: async () => Promise.all((await workspace.list()).map(async (attempt) => ({ attempt, complete: await whole(attempt) }))),
    freeBytes: () => workspace.freeBytes(),
  };
}

/**
 * The finished output that a ticket speaks of, for the data plane.
 * @throws PlainError when it is not here (`delivery-failed`), or not yet (then it may be asked for again)
 */
export async function outputFor(
  spaces: Spaces,
  ticket: Ticket,
  isRunning: (attempt: number) => boolean,
): Promise<{ file: string; sizeBytes: number }> {
  if (ticket.what !== 'output') throw new PlainError('This ticket is not for an output.', { reason: { code: 'delivery-failed' } });
  const found = await spaces.completed(ticket.attempt, ticket.extension);
  if (found?.sizeBytes === ticket.sizeBytes) return found;
  throw new PlainError(`The output of attempt ${ticket.attempt} is not on this machine.`, {
    reason: { code: 'delivery-failed', params: { message: 'its worker does not have it any more' } },
    retry: !found && isRunning(ticket.attempt),
  });
}
