import { speaks, whyIdle, type Program } from '../core/compatibility.ts';
import type { VersionTrouble } from '../core/standing.ts';
import type { Log } from '../log.ts';
import { version } from '../version.ts';
import { steppedBackWords } from './belonging.ts';

/** What keeps this machine from its part of the work because its program is older or newer than that of the others. */
export interface Versions {
  trouble(): VersionTrouble | null;
  /** on the console too, once for each trouble: a machine in a cupboard has nobody who opens its page */
  say(): void;
  /** the database is newer than this program, which leads in it no more */
  steppedBack(): boolean;
  stepBack(newer: { schema: number; program: string | null }): void;
}

export function watchVersions(parts: {
  /** why it stepped back before it began, if it did */
  fromStart: string | null;
  coordinator: () => string | null;
  programOf: (node: string) => Program | null;
  nameOf: (node: string) => string | null;
  log: Log;
}): Versions {
  let back = parts.fromStart;
  let said = '';
  return {
    trouble,
    say() {
      const says = trouble()?.says ?? '';
      if (says !== '' && says !== said) parts.log.warn(says);
      said = says;
    },
    steppedBack: () => back !== null,
    stepBack({ schema, program }) {
      const by = program ? ` by CodecShift ${program}` : '';
      back = steppedBackWords(
        `The database was brought up to date${by} (its schema is version ${schema} now), and this machine still runs ${version}. Upgrade this machine.`,
      );
    },
  };

  function trouble(): VersionTrouble | null {
    const node = parts.coordinator();
    const theirs = node === null ? null : parts.programOf(node);
    const apart = node && theirs && whyIdle({ version, speaks }, { ...theirs, name: parts.nameOf(node) ?? node });
    if (apart) return { state: 'apart', says: apart };
    return back === null ? null : { state: 'stepped-back', says: back };
  }
}
