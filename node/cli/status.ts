import { command, nodeFlags, noMoreWords, print } from './arguments.ts';
import type { Standing } from '../core/standing.ts';
import { PlainError } from '../errors.ts';
import { restraintOf, type NodeAnswer } from './nodes.ts';
import { running } from './running.ts';
import { standingLine } from './standing-words.ts';
import { bytes, counted, duration, jobLine, type JobAnswer } from './words.ts';

const help = `codecshift status [--data-dir DIR] [--json]

Says where this machine stands, what waits, what runs, what was won back.
`;

interface Status {
  node: { name: string; version: string };
  paused: boolean;
  jobs: Record<'waiting' | 'running' | 'held' | 'failed' | 'finished' | 'cancelled', number>;
  reclaimedBytes: number;
  replaced: number;
  kept: number;
  libraries: { id: number; name: string; files: number; bytes: number; enabled: boolean; looking: boolean; problem: string | null }[];
  running: JobAnswer[];
}

/** What every node says of itself, also while nobody coordinates. */
interface Here {
  node: { id: string; name: string; version: string };
  standing: Standing;
  reached: boolean;
}

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(['data-dir']), async ({ values, positionals }) => {
    noMoreWords(positionals);
    const { api } = await running(values);
    const here = await api<Here>('GET', '/node');
    // between the two questions the coordinator may go; the standing is said in any case
    const asked = here.reached ? await api<Status>('GET', '/status').catch(onlyPlain) : null;
    const status = asked instanceof PlainError ? null : asked;
    const nodes = status ? await api<{ items: NodeAnswer[] }>('GET', '/nodes').catch(onlyPlain) : null;
    const problem = asked instanceof PlainError ? asked.message : null;
    print(values['json'] === true, { ...status, here }, () =>
      [
        `${here.node.name}, CodecShift ${here.node.version}`,
        standingLine(here.standing, here.node, here.reached),
        status ? words(status) : (problem ?? ''),
        ...(nodes && !(nodes instanceof PlainError) ? restrained(nodes.items) : []),
      ].join('\n'),
    );
  });
}

function onlyPlain(error: unknown): PlainError {
  if (error instanceof PlainError) return error;
  throw error;
}

/** Machines that stand still or hold back, and why. */
function restrained(nodes: NodeAnswer[]): string[] {
  return nodes.flatMap((node) => {
    const why = node.standing === 'approved' ? restraintOf(node).trim() : '';
    return why ? [`${node.name}: ${why}`] : [];
  });
}

function words(s: Status): string {
  const counts = `${s.jobs.waiting} waiting, ${s.jobs.running} running, ${s.jobs.held} held, ${s.jobs.failed} failed, ${s.jobs.finished} finished`;
  const libraries = s.libraries.map(
    (l) =>
      `  ${l.id}  ${l.name}: ${counted(l.files, 'file')}, ${bytes(l.bytes)}${l.looking ? ', only looked at: nothing is converted yet' : l.enabled ? '' : ', switched off'}${l.problem ? ` — ${l.problem}` : ''}`,
  );
  const now = s.running.map((job) => `  ${jobLine(job)}${job.progress?.leftMs ? `, ${duration(job.progress.leftMs)} left` : ''}`);
  return [
    ...(s.paused ? ['Paused: running jobs finish, no new one begins.'] : []),
    `Space reclaimed: ${bytes(s.reclaimedBytes)} from ${counted(s.replaced, 'file')}; ${counted(s.kept, 'file')} left as ${s.kept === 1 ? 'it was' : 'they were'}`,
    `Jobs: ${counts}`,
    libraries.length ? 'Libraries:' : 'No library yet. Add a folder: codecshift run --library FOLDER, or on the page.',
    ...libraries,
    ...(now.length ? ['Running:', ...now] : []),
  ].join('\n');
}
