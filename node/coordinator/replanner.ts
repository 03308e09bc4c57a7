import type { Library } from '../db/libraries.ts';
import { readLibrary } from '../db/libraries.ts';
import { removeJobs } from '../db/jobs.ts';
import { filesToPlan } from '../db/replan.ts';
import { messageOf } from '../errors.ts';
import { planAgain, type InspectionParts } from './inspection.ts';

/**
 * The rules of a library are for everything that has not been encoded yet, so what waits is decided again when they change. Rules
 * that change once more meanwhile end the pass that goes by the old ones, before the next one begins: two at once would leave
 * films decided by either.
 *
 *   rules changed ─▶ (the pass before ends) ─▶ pages of files ─▶ each decided by the rules of now ─▶ done
 */
export interface Replanner {
  /** resolves when this pass is over, or another one took its place. Never rejects */
  again(library: Pick<Library, 'id' | 'name'>): Promise<void>;
}

export interface ReplannerParts extends InspectionParts {
  /** the term is over */
  signal: AbortSignal;
  onDone: (libraryId: number) => void;
  log: { warn: (facts: object, what: string) => void };
}

export function createReplanner(parts: ReplannerParts): Replanner {
  const { db, signal, log } = parts;
  const passes = new Map<number, { superseded: boolean; ended: Promise<void> }>();

  return {
    again({ id, name }) {
      const before = passes.get(id);
      if (before) before.superseded = true;
      const pass = { superseded: false, ended: Promise.resolve() };
      passes.set(id, pass);
      pass.ended = Promise.resolve(before?.ended)
        .then(() => decideAll(id, () => pass.superseded || signal.aborted))
        .catch((error: unknown) => log.warn({ library: name, why: messageOf(error) }, 'files could not be planned again'))
        .finally(() => void (passes.get(id) === pass && passes.delete(id)));
      return pass.ended;
    },
  };

  async function decideAll(libraryId: number, isOver: () => boolean): Promise<void> {
    const library = isOver() ? null : await readLibrary(db, libraryId);
    if (!library) return;
    for (let after = 0; !isOver();) {
      const page = await filesToPlan(db, libraryId, after);
      const last = page.at(-1);
      if (!last) return parts.onDone(libraryId);
      for (const file of page) {
        if (isOver()) return;
        if (file.jobId !== null)
          await removeJobs(db, { ids: [file.jobId] }, { reason: { code: 'superseded' }, excludedBy: null, fileStatus: 'new' });
        await planAgain(parts, library, file);
      }
      after = last.id;
    }
  }
}
