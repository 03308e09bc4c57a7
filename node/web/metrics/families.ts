import type { JobState } from '../../core/job.ts';
import type { JobRow } from '../../db/job-lists.ts';
import type { FileCount } from '../../db/libraries.ts';
import type { MetricCount } from '../../db/metrics.ts';
import type { NodeRow } from '../../db/nodes.ts';
import type { Source } from '../../db/sources.ts';
import type { Progress } from '../../events.ts';
import { isAway } from '../models/node.ts';
import { counter, gauge, sums, type Family, type Pair, type Value } from './family.ts';
import { codecLabel, encoderLabel, reasonLabel, resultLabel, shortNode, wordLabel } from './labels.ts';

/** Everything that is read from the books for one answer. */
export interface Facts {
  version: string;
  commit: string;
  jobs: Record<JobState, number>;
  running: readonly JobRow[];
  progressOf(jobId: number): Progress | null;
  nodes: readonly NodeRow[];
  /** ids of machines that are there by definition: this one and the coordinator */
  present: readonly (string | null)[];
  cells: readonly FileCount[];
  scans: readonly { libraryId: number; endedAt: Date; seconds: number }[];
  sources: readonly Pick<Source, 'id' | 'kind' | 'enabled' | 'problem'>[];
  counts: readonly MetricCount[];
  deliveries: readonly { kind: string; outcome: string; total: number }[];
  libraries: readonly { id: number; rootId: string }[];
  /** free on the disk of a root; null: not known */
  freeOf(rootId: string): number | null;
  now: Date;
}

/** What CodecShift tells a monitoring program of itself. */
export function familiesOf(facts: Facts): Family[] {
  const members = facts.nodes.filter((node) => node.standing === 'approved').slice(0, 500);
  return [
    gauge('build_info', 'Which version of CodecShift coordinates.', [[{ version: facts.version, commit: facts.commit }, 1]]),
    gauge(
      'jobs',
      'Jobs by what they do now.',
      Object.entries(jobsByState(facts)).map(([state, n]) => [{ state }, n]),
    ),
    gauge(
      'nodes',
      'Machines by how they stand.',
      Object.entries(nodesByState(facts, members)).map(([state, n]) => [{ state }, n]),
    ),
    ...nodeFamilies(facts, members),
    ...libraryFamilies(facts),
    ...countedFamilies(facts),
    gauge(
      'integration_up',
      'Whether a media server can be used.',
      facts.sources.slice(0, 200).map((s) => [{ integration: `${s.kind}-${s.id}` }, s.enabled && !s.problem ? 1 : 0]),
    ),
  ];
}

function jobsByState({ jobs, running, progressOf }: Facts): Record<string, number> {
  const states = { queued: jobs.available, leased: 0, encoding: 0, delivering: 0, verifying: 0, replacing: 0 };
  for (const job of running) states[stateOf(job, progressOf(job.id))]++;
  return { ...states, failed: jobs.failed, done: jobs.completed, blocked: jobs.held, cancelled: jobs.cancelled };
}

function stateOf(job: JobRow, progress: Progress | null): 'leased' | 'encoding' | 'delivering' | 'verifying' | 'replacing' {
  const { attemptState } = job;
  if (attemptState === 'delivering' || attemptState === 'verifying' || attemptState === 'replacing') return attemptState;
  return progress?.phase === 'encoding' ? 'encoding' : 'leased';
}

function nodesByState({ nodes, present, now }: Facts, members: readonly NodeRow[]): Record<string, number> {
  const away = members.filter((node) => isAway(node, present, now));
  const paused = members.filter((node) => node.paused && !away.includes(node));
  return {
    online: members.length - away.length - paused.length,
    offline: away.length,
    pending: nodes.filter((node) => node.standing === 'pending').length,
    paused: paused.length,
  };
}

function nodeFamilies({ running, progressOf, present, libraries, freeOf, now }: Facts, members: readonly NodeRow[]): Family[] {
  const each = (value: (node: NodeRow) => number | null): Pair[] =>
    members.flatMap((node): Pair[] => {
      const n = value(node);
      return n === null ? [] : [[{ node: shortNode(node.id) }, n]];
    });
  const known = new Set(members.map((node) => node.id));
  const used = members.flatMap((node): Pair[] =>
    (['cpu', 'gpu'] as const).map((kind) => [
      { node: shortNode(node.id), kind },
      running.filter((job) => job.nodeId === node.id && kindOf(job.encoder) === kind).length,
    ]),
  );
  const moving = running.flatMap((job) => {
    const speed = progressOf(job.id)?.speed;
    return job.nodeId !== null && known.has(job.nodeId) && typeof speed === 'number' ? [{ job, speed }] : [];
  });
  const where = ({ job }: (typeof moving)[number]) => ({ node: shortNode(job.nodeId!), encoder: encoderLabel(job.encoder ?? '') });
  const runs = sums(moving, where, () => 1);
  return [
    gauge(
      'node_info',
      'Which machine a short id is.',
      members.map((node) => [{ node: shortNode(node.id), name: node.name.slice(0, 64) }, 1]),
    ),
    gauge(
      'node_up',
      'Whether a machine of the cluster is heard.',
      each((node) => (isAway(node, present, now) ? 0 : 1)),
    ),
    gauge(
      'node_slots',
      'Encodes that a machine takes at once, on all of its devices.',
      members.map((node) => [{ node: shortNode(node.id), kind: 'all' }, node.slotsWished ?? node.slots]),
    ),
    gauge('node_slots_used', 'Encodes that run on a machine, by processor or graphics chip.', used),
    gauge(
      'node_last_seen_timestamp_seconds',
      'When a machine was last heard.',
      each((node) => node.lastSeenAt.getTime() / 1000),
    ),
    gauge('disk_free_bytes', 'Free where machines work, and on the disks of libraries.', [
      ...members.flatMap((node): Pair[] => (node.tempBytes === null ? [] : [[{ root: `work:${shortNode(node.id)}` }, node.tempBytes]])),
      ...libraries.slice(0, 1000).flatMap(({ id, rootId }): Pair[] => {
        const free = freeOf(rootId);
        return free === null ? [] : [[{ root: `library:${id}` }, free]];
      }),
    ]),
    gauge(
      'encode_speed_ratio',
      'Times the speed of the film, of what is encoded now; where several are, their mean.',
      sums(moving, where, ({ speed }) => speed).map(([labels, n], i): Pair => [labels, n / runs[i]![1]]),
    ),
  ];
}

function libraryFamilies({ cells, scans }: Facts): Family[] {
  const there = cells.filter((cell) => cell.status !== 'missing');
  const labels = (cell: FileCount) => ({ library: cell.libraryId, codec_class: codecLabel(cell.codec) });
  return [
    gauge(
      'library_files',
      'Files of a library, by what they are coded in.',
      sums(there, labels, (cell) => cell.files),
    ),
    gauge(
      'library_bytes',
      'Size of these files.',
      sums(there, labels, (cell) => cell.bytes),
    ),
    gauge(
      'scan_last_success_timestamp_seconds',
      'When the last whole scan of a library ended.',
      scans.map((scan) => [{ library: scan.libraryId }, scan.endedAt.getTime() / 1000]),
    ),
    gauge(
      'scan_duration_seconds',
      'How long the last whole scan of a library took.',
      scans.map((scan) => [{ library: scan.libraryId }, scan.seconds]),
    ),
  ];
}

/** From the database, where they outlive restarts and other coordinators. */
function countedFamilies({ counts, deliveries }: Facts): Family[] {
  const of = (name: string) => counts.filter((count) => count.name === name);
  const plain = (name: string): Pair[] => [[{}, total(of(name))]];
  const one = (label: string, name: string, value: (text: string) => string): Pair[] =>
    sums(
      of(name),
      ({ a }) => ({ [label]: value(a) }),
      ({ n }) => n,
    );
  return [
    counter(
      'jobs_finished_total',
      'Jobs that came to an end, by what came of it and why.',
      sums(
        of('job_ended'),
        ({ a, b }) => ({ result: resultLabel(a), reason: reasonLabel(b) }),
        ({ n }) => n,
      ),
    ),
    counter('source_bytes_total', 'Size of the originals that were replaced.', plain('source_bytes')),
    counter('output_bytes_total', 'Size of the files that replaced them.', plain('output_bytes')),
    counter('saved_bytes_total', 'What was won by that. An original that is put back takes nothing away again.', plain('saved_bytes')),
    counter('media_seconds_encoded_total', 'Length of the films that were converted.', one('encoder', 'media_seconds', encoderLabel)),
    durations(of('job_bucket'), of('job_seconds')),
    counter(
      'verification_failures_total',
      'Checks that kept a new file from replacing its original.',
      one('check', 'check_failed', wordLabel),
    ),
    counter('auth_failures_total', 'Sign-ins that were refused.', one('method', 'sign_in_refused', wordLabel)),
    counter(
      'integration_requests_total',
      'What media servers were told after a film changed, by whether they showed it.',
      sums(
        of('source_told'),
        ({ a, b }) => ({ integration: wordLabel(a), outcome: wordLabel(b) }),
        ({ n }) => n,
      ),
    ),
    counter(
      'notifications_total',
      'Messages to people, by the kind of place and whether they got through.',
      sums(
        deliveries,
        ({ kind, outcome }) => ({ target_type: wordLabel(kind), outcome: wordLabel(outcome) }),
        (d) => d.total,
      ),
    ),
  ];
}

const limits = ['60', '300', '900', '1800', '3600', '7200', '14400', '28800', '+Inf'];

function durations(buckets: readonly MetricCount[], seconds: readonly MetricCount[]): Family {
  const name = 'codecshift_job_duration_seconds';
  const encoders = [...new Set(buckets.map(({ a }) => encoderLabel(a)))].sort();
  const values = encoders.flatMap((encoder): Value[] => {
    const mine = buckets.filter(({ a }) => encoderLabel(a) === encoder);
    const upTo = (i: number): number => total(mine.filter(({ b }) => limits.indexOf(b) <= i));
    return [
      ...limits.map((le, i) => ({ metricName: `${name}_bucket`, labels: { le, encoder }, value: upTo(i) })),
      { metricName: `${name}_sum`, labels: { encoder }, value: total(seconds.filter(({ a }) => encoderLabel(a) === encoder)) },
      { metricName: `${name}_count`, labels: { encoder }, value: total(mine) },
    ];
  });
  return { name, help: 'How long whole runs took that ended well, from the grant to the changed file.', type: 'histogram', values };
}

function total(counts: readonly MetricCount[]): number {
  return counts.reduce((sum, { n }) => sum + n, 0);
}

function kindOf(encoder: string | null): 'cpu' | 'gpu' {
  return encoder === null || encoder.startsWith('lib') ? 'cpu' : 'gpu';
}
