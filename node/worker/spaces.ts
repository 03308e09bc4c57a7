import { access, lstat, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Workspace } from '../files/workspace.ts';
import type { WorkerParts } from './worker.ts';

/** The worker's view of the workspace: an output counts as whole once its marker is on the disk. */
export function attemptSpaces(workspace: Workspace): WorkerParts['workspace'] {
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
