/**
 * An original that the books learned of from the note beside it in the trash. Whether it may go by itself one day is
 * decided here: only where a film stands in its place, and where the machine that put it there is one of this house.
 */
export interface Found {
  /** since when it waits there, by its note */
  since: string;
  /** output: it stood in the place of an original that was put back */
  kind: 'original' | 'output';
  /** where what replaced it was put; null: its note does not say */
  replacedBy: string | null;
  /** why it is never deleted by itself; null: it goes when its time is over, like any other */
  stays: 'nothing-in-place' | 'other-house' | null;
}

/** Above every attempt that was ever counted, and above the samples of films (5e14 and on). */
export const FOUND_FROM = 7e14;

export function staysFor(facts: { inPlace: boolean; node: string | null; members: ReadonlySet<string> }): Found['stays'] {
  if (facts.node !== null && !facts.members.has(facts.node)) return 'other-house';
  return facts.inPlace ? null : 'nothing-in-place';
}
