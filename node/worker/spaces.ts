import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Workspace } from '../files/workspace.ts';
import type { WorkerParts } from './worker.ts';

/** The worker's view of the workspace: an output counts as whole once its marker is on the disk. */
export function attemptSpaces(workspace: Workspace): WorkerParts['workspace'] {
  const marker = (attempt: number): string => path.join(workspace.directoryOf(attempt), 'complete');
  return {
    async outputPath(attempt, extension) {
      await workspace.create(attempt);
      return workspace.outputOf(attempt, extension);
    },
    complete: (attempt) => writeFile(marker(attempt), '', { flush: true }),
    remove: (attempt) => workspace.remove(attempt),
    async list() {
      const whole = (attempt: number): Promise<boolean> =>
        access(marker(attempt)).then(
          () => true,
          () => false,
        );
      return Promise.all((await workspace.list()).map(async (attempt) => ({ attempt, complete: await whole(attempt) })));
    },
    freeBytes: () => workspace.freeBytes(),
  };
}
