import { sentence } from '../core/reasons.ts';
import { listBenched, type Benched } from '../db/benched.ts';
import { listCandidates, type Candidate } from '../db/candidates.ts';
import { readLease, readSchema } from '../db/coordinator.ts';
import { runningJobs } from '../db/job-lists.ts';
import { listLibraries, type Library } from '../db/libraries.ts';
import { listSpeeds, type NodeSpeed } from '../db/node-speeds.ts';
import { listNodes, type NodeRoot, type NodeRow } from '../db/nodes.ts';
import { listNodeRoots } from '../db/roots.ts';
import { isAway } from './models/node.ts';
import type { Web } from './web.ts';

/** A machine with everything that the books know about it, for the page and for the API. */
export interface KnownNode {
  node: NodeRow;
  away: boolean;
  /** it coordinates */
  leads: boolean;
  /** it holds the database; `outdated`: it knows an older schema than the database has by now, and has stepped back */
  candidate: { fresh: boolean; outdated: boolean } | null;
  /** jobs that it runs */
  running: number[];
  speeds: NodeSpeed[];
  benched: Benched[];
  roots: KnownRoot[];
}

export interface KnownRoot extends NodeRoot {
  libraries: Library[];
  /** its problem in words; '' when there is none */
  says: string;
}

export async function readKnownNodes({ db, now, node: self }: Pick<Web, 'db' | 'now' | 'node'>): Promise<KnownNode[]> {
  const [nodes, jobs, lease, roots, libraries, candidates, speeds, benched, { schema }] = await Promise.all([
    listNodes(db),
    runningJobs(db),
    readLease(db),
    listNodeRoots(db),
    listLibraries(db),
    listCandidates(db),
    listSpeeds(db),
    listBenched(db),
    readSchema(db),
  ]);
  const leader = lease.held ? lease.holder : null;
  const of = <T extends { nodeId: string | null }>(rows: readonly T[], id: string): T[] => rows.filter((row) => row.nodeId === id);
  return nodes.map((node) => ({
    node,
    away: isAway(node, [self.id, leader], now()),
    leads: node.id === leader,
    candidate: candidateOf(of(candidates, node.id)[0], schema),
    running: of(jobs, node.id).map((job) => job.id),
    speeds: of(speeds, node.id),
    benched: of(benched, node.id),
    roots: of(roots, node.id).map((root) => ({
      ...root,
      libraries: libraries.filter((library) => library.rootId === root.rootId),
      says: root.problem ? sentence({ code: root.problem, params: { path: root.path } }) : '',
    })),
  }));
}

function candidateOf(found: Candidate | undefined, schema: number): KnownNode['candidate'] {
  return found ? { fresh: found.fresh, outdated: (found.schema ?? schema) < schema } : null;
}
