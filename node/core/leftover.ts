/**
 * What a keeper can prove about a `.lock` or `.tmp_…` file by looking at it:
 *
 *   swap            a replacement that is not finished speaks of it
 *   output          a note on the disk says that this node delivered exactly this file
 *   lock            it is a lock as CodecShift writes them
 *   strange-lock, strange-tmp   only its name looks like ours: older tools leave the same names
 */
export type Evidence = 'swap' | 'output' | 'lock' | 'strange-lock' | 'strange-tmp';

/** live: in use, never touched · dead: ours and over, may be deleted · ask: a person decides */
export type LeftoverStanding = 'live' | 'dead' | 'ask';

export interface LeftoverFacts {
  evidence: Evidence;
  attempt: number | null;
  /** the node that says it made it */
  node: string | null;
  /** the keeper works on that attempt at this moment */
  busy: boolean;
}

/** What the cluster's books say about the attempt; null when they do not know it. */
export type KnownAttempt = { alive: boolean; nodes: readonly string[] } | null;

/**
 * May it be deleted? Only what is provably ours, of an attempt that the books know to be over, made by a node that belongs
 * here: several clusters may share a disk, and each numbers its attempts from one.
 */
export function judgeLeftover(
  facts: LeftoverFacts,
  known: KnownAttempt,
  members: ReadonlySet<string>,
): { standing: LeftoverStanding; why: string } {
  const { evidence, attempt, node } = facts;
  if (evidence === 'strange-lock') return { standing: 'ask', why: 'It is a lock, but not one that CodecShift made.' };
  if (evidence === 'strange-tmp')
    return { standing: 'ask', why: 'It has the name of a temporary file, but nothing proves that CodecShift made it.' };
  if (evidence === 'swap') return { standing: 'live', why: `A replacement${of(attempt)} is not finished; it is brought to its end first.` };
  const what = evidence === 'lock' ? 'lock' : 'output';
  if (facts.busy || known?.alive) return { standing: 'live', why: `Attempt ${attempt} is still at work.` };
  if (known === null) return { standing: 'ask', why: `It is the ${what}${of(attempt)}, of which this cluster knows nothing.` };
  if (node !== null && !members.has(node) && !known.nodes.includes(node))
    return { standing: 'ask', why: `It is the ${what} of a machine that does not belong to this cluster.` };
  return { standing: 'dead', why: `It is the ${what}${of(attempt)}, which is over.` };
}

function of(attempt: number | null): string {
  return attempt === null ? '' : ` of attempt ${attempt}`;
}
