import type { SchedulingJob, SchedulingNode } from '../../core/refusals.ts';
import { whereItCanRun } from '../../core/schedule.ts';
import { sentence } from '../../core/reasons.ts';

/** Where a waiting job can run: each member with yes, or the reason why not. */
export interface WhereView {
  where: WhereLine[];
}

export interface WhereLine {
  node: string;
  name: string;
  can: boolean;
  text: string;
}

/** A job that does not wait has no such list. Machines that are no members are no answer to the question. */
export function whereView(facts: { nodes: SchedulingNode[]; job: SchedulingJob } | null): WhereView {
  if (!facts) return { where: [] };
  const members = facts.nodes.filter((node) => node.standing === 'approved');
  const lines = whereItCanRun({ nodes: members }, facts.job).map(({ node, name, local, reason }) => ({
    node,
    name,
    can: reason === null,
    text: reason ? sentence(reason) : local ? 'Yes, the film is on its own disk.' : 'Yes, the film comes over the network.',
  }));
  return { where: lines.toSorted((a, b) => Number(b.can) - Number(a.can)) };
}
