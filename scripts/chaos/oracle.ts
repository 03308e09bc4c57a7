import { join } from 'node:path';
import type { Cluster } from '../../node/testing/cluster.ts';
import { until } from '../../node/testing/program.ts';
import { everyFile, type Finding, type Judged } from './findings.ts';
import { checkBooks } from './oracle-books.ts';
import { checkFilms } from './oracle-films.ts';
import type { Film } from './library.ts';
import type { Watch } from './watch.ts';

/** Looks at everything once, after a run has been healed and has come to rest. */
export async function judge(cluster: Cluster, films: readonly Film[], watch: Watch): Promise<Judged> {
  const findings: Finding[] = [];
  const figures: Judged['figures'] = {};
  const books = cluster.database!.books();
  try {
    const became = await checkFilms(cluster.share.path, films, findings);
    await checkBooks(books, cluster.share.path, films, became, findings, figures);
  } finally {
    await books.close();
  }
  findLeftovers(cluster, findings);
  await checkNodes(cluster, findings);
  for (const says of watch.shrunk) findings.push({ about: 'books', says });
  return { findings, figures };
}

/** A journal file that a killed process was writing (`.json.new`) is taken away by a later recovery, not at once: it may be another node's. */
const leftover =
  /(^|\/)\.tmp_|\.lock$|\.part$|\.tmp$|(^|\/)incoming\/|\.codecshift\/(journal\/(?!\d+(\.delivery)?\.json\.new$)|probe|prove)/;

function findLeftovers(cluster: Cluster, findings: Finding[]): void {
  const note = (says: string): void => void findings.push({ about: 'leftover', says });
  for (const name of everyFile(cluster.share.path)) if (leftover.test(name)) note(`${name} is left in the library`);
  for (const machine of cluster.machines) {
    for (const name of everyFile(join(machine.dataDir, 'workspace')))
      if (name !== '.ballast') note(`${name} is left in the workspace of ${machine.name}`);
    for (const name of everyFile(join(machine.dataDir, 'outbox'))) note(`${name} is left in the outbox of ${machine.name}`);
  }
}

/** Every node is up, answers at its own door, and sees the same cluster. */
async function checkNodes(cluster: Cluster, findings: Finding[]): Promise<void> {
  const seen = new Set<string>();
  for (const machine of cluster.machines) {
    if (!machine.running) {
      findings.push({ about: 'nodes', says: `CodecShift on ${machine.name} does not run` });
      continue;
    }
    // the films were decoded just now, which can cost a coordinator its lease for a moment
    let last = '';
    const ask = (): Promise<{ jobs: Record<string, number>; replaced: number } | null> =>
      machine.api<{ jobs: Record<string, number>; replaced: number }>('/status').catch((error: unknown) => ((last = String(error)), null));
    const answer = await until(`${machine.name} to show the cluster`, ask, 60_000).catch(() => last);
    if (typeof answer === 'string')
      findings.push({ about: 'nodes', says: `${machine.name} does not show the cluster: ${answer.slice(0, 300)}` });
    else seen.add(JSON.stringify([answer.jobs, answer.replaced]));
  }
  if (seen.size > 1) findings.push({ about: 'nodes', says: `the machines show different things: ${[...seen].join(' and ')}` });
}
