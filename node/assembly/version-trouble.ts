import { speaks, whyIdle, type Program } from '../core/compatibility.ts';
import type { Retirement } from '../coordinator/elector.ts';
import type { VersionTrouble } from '../core/standing.ts';
import type { Log } from '../log.ts';
import { version } from '../version.ts';
import { steppedBackWords } from './belonging.ts';
import { leftWords } from './database-left.ts';

/** What keeps this machine from its part of the work because its program is older or newer than that of the others. */
export interface Versions {
  trouble(): VersionTrouble | null;
  /** on the console too, once for each trouble: a machine in a cupboard has nobody who opens its page */
  say(): void;
  /** the database is newer than this program, another cluster's, or was left for another: it leads in it no more */
  steppedBack(): boolean;
  stepBack(why: Retirement): void;
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
    stepBack: (why) => void (back = steppedBackWords(retiredWords(why))),
  };

  function trouble(): VersionTrouble | null {
    const node = parts.coordinator();
    const theirs = node === null ? null : parts.programOf(node);
    const apart = node && theirs && whyIdle({ version, speaks }, { ...theirs, name: parts.nameOf(node) ?? node });
    if (apart) return { state: 'apart', says: apart };
    return back === null ? null : { state: 'stepped-back', says: back };
  }
}

function retiredWords(why: Retirement): string {
  if ('movedTo' in why) return leftWords(why);
  return 'cluster' in why ? estrangedWords(why) : outdatedWords(why);
}

function outdatedWords({ schema, program }: Extract<Retirement, { schema: number }>): string {
  const by = program ? ` by CodecShift ${program}` : '';
  return `The database was brought up to date${by} (its schema is version ${schema} now), and this machine still runs ${version}. Upgrade this machine.`;
}

function estrangedWords({ cluster }: Extract<Retirement, { cluster: string }>): string {
  return `The database that this machine was given holds the cluster "${cluster}" now, and this machine belongs to another one: a backup of that cluster was put back over it. To take part there, stop this machine, move cluster.json out of its data directory, and start it again; to stay where it belongs, start it without --database-url.`;
}
