import { command, nodeFlags, print } from './arguments.ts';
import { running } from './running.ts';
import { bytes, duration, jobLine, type JobAnswer } from './words.ts';

const help = `codecshift status [--data-dir DIR] [--json]

Says what the running program is doing: what waits, what runs, what was won back.
`;

interface Status {
  node: { name: string; version: string };
  paused: boolean;
  jobs: Record<'waiting' | 'running' | 'held' | 'failed' | 'finished' | 'cancelled', number>;
  reclaimedBytes: number;
  replaced: number;
  kept: number;
  libraries: { id: number; name: string; files: number; bytes: number; problem: string | null }[];
  running: JobAnswer[];
}

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(['data-dir']), async ({ values }) => {
    const { api } = await running(values);
    const status = await api<Status>('GET', '/status');
    print(values['json'] === true, status, () => words(status));
  });
}

function words(s: Status): string {
  const counts = `${s.jobs.waiting} waiting, ${s.jobs.running} running, ${s.jobs.held} held, ${s.jobs.failed} failed, ${s.jobs.finished} finished`;
  const libraries = s.libraries.map(
    (l) => `  ${l.id}  ${l.name}: ${l.files} files, ${bytes(l.bytes)}${l.problem ? ` — ${l.problem}` : ''}`,
  );
  const now = s.running.map((job) => `  ${jobLine(job)}${job.progress?.leftMs ? `, ${duration(job.progress.leftMs)} left` : ''}`);
  return [
    `${s.node.name}, CodecShift ${s.node.version}${s.paused ? ' — paused' : ''}`,
    `Space reclaimed: ${bytes(s.reclaimedBytes)} from ${s.replaced} files; ${s.kept} originals kept`,
    `Jobs: ${counts}`,
    libraries.length ? 'Libraries:' : 'No library yet. Add a folder: codecshift run --library FOLDER, or on the page.',
    ...libraries,
    ...(now.length ? ['Running:', ...now] : []),
  ].join('\n');
}
