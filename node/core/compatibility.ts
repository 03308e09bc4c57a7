/**
 * May two machines with different versions of CodecShift work together? Decided by what each says it can speak, never by
 * its version number, which is for people.
 *
 *   theirs.max < ours.min ─▶ too old        theirs.min > ours.max ─▶ too new        otherwise ─▶ they work together
 *
 * A new field that older programs may overlook, a new kind of message that they may refuse, a new word in a list that they
 * may skip: these change nothing here. `max` grows with a message that means something else than before; `min` grows when
 * the old meaning is no longer understood, which should be two versions later, so that neighbours always fit. What must
 * never change at all, because by it two machines find out that they do not fit: `meet`, the signed statements, the topics
 * `coordinator` and `members`, and in PostgreSQL the tables `coordinator`, `candidates` and `schema_migrations`.
 */
export interface ProtocolRange {
  min: number;
  max: number;
}

export interface Program {
  version: string;
  speaks: ProtocolRange;
}

/** What this build speaks. */
export const speaks: ProtocolRange = { min: 1, max: 1 };

/** What a program speaks that does not say: the first ones. */
export const unsaid: ProtocolRange = { min: 1, max: 1 };

/** What they are, seen from here. */
export type Fit = 'same' | 'older' | 'newer' | 'too-old' | 'too-new';

export function fitOf(ours: Program, theirs: Program): Fit {
  if (theirs.speaks.max < ours.speaks.min) return 'too-old';
  if (theirs.speaks.min > ours.speaks.max) return 'too-new';
  const order = compareVersions(theirs.version, ours.version);
  return order === 0 ? 'same' : order < 0 ? 'older' : 'newer';
}

/** A whole sentence that is true on both sides: who runs what, and which of the two has to be upgraded. Null: they fit. */
export function whyApart(us: Program & { name: string }, them: Program & { name: string }): string | null {
  const fit = fitOf(us, them);
  if (fit !== 'too-old' && fit !== 'too-new') return null;
  const [older, newer] = fit === 'too-old' ? [them, us] : [us, them];
  return `${older.name} runs CodecShift ${older.version}, which is too old to work with ${newer.name} (${newer.version}). Upgrade ${older.name}.`;
}

/** The same for the machine's own page and console, about the one that coordinates. Null: they fit. */
export function whyIdle(us: Program, coordinator: Program & { name: string }): string | null {
  const fit = fitOf(us, coordinator);
  if (fit !== 'too-old' && fit !== 'too-new') return null;
  const older = fit === 'too-old' ? coordinator.name : 'this machine';
  return `This machine runs CodecShift ${us.version}, the coordinator ${coordinator.name} ${coordinator.version}: these two cannot work together. Upgrade ${older}. Until then this machine takes no work; what it has finished is kept and handed in afterwards.`;
}

/** About one machine, in the list of all, as the coordinator sees it; '' when both run the same. */
export function versionNote(coordinator: Program, machine: Program, standsIn: 'no more' | 'as before' = 'as before'): string {
  const { version } = coordinator;
  const kept = 'it takes no work until then. What it has finished is kept there and handed in afterwards.';
  switch (fitOf(coordinator, machine)) {
    case 'same':
      return '';
    case 'too-old':
      return `Too old to work with the coordinator, which runs ${version}. Upgrade this machine; ${kept}`;
    case 'too-new':
      return `The coordinator runs ${version}, which is too old to work with this machine. Upgrade the coordinator; ${kept}`;
    case 'older':
      return `Older than the coordinator, which runs ${version}. They work together${standsIn === 'no more' ? ', but it cannot stand in as coordinator any more' : ''}; upgrade it when it suits you.`;
    case 'newer':
      return `The coordinator runs ${version}, which is older. They work together; upgrade the other machines when it suits you.`;
  }
}

/**
 * Below zero when `a` is the older version. By the numbers between the dots; a version with something behind a "-" comes
 * before the one without. Anything else is read as far as it has numbers: a version is another machine's word.
 */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [numbersOf(a), numbersOf(b)];
  for (let i = 0; i < Math.max(x.numbers.length, y.numbers.length); i++) {
    const difference = (x.numbers[i] ?? 0) - (y.numbers[i] ?? 0);
    if (difference !== 0) return difference;
  }
  if (x.before === y.before) return 0;
  if (x.before === '') return 1;
  if (y.before === '') return -1;
  return x.before < y.before ? -1 : 1;
}

function numbersOf(version: string): { numbers: number[]; before: string } {
  const [plain = '', ...before] = version.split('+')[0]!.split('-');
  return { numbers: plain.split('.').map((part) => Number(/^\d{1,9}/.exec(part)?.[0] ?? 0)), before: before.join('-') };
}
