import { collectDefaultMetrics, Histogram, Registry, type Metric } from 'prom-client';
import { readLease } from '../../db/coordinator.ts';
import { countsByState } from '../../db/counters.ts';
import { deliveryCounts } from '../../db/deliveries.ts';
import { runningJobs } from '../../db/job-lists.ts';
import { fileCounts, listLibraries } from '../../db/libraries.ts';
import { metricCounts, wholeScans } from '../../db/metrics.ts';
import { listNodes } from '../../db/nodes.ts';
import { listSources } from '../../db/sources.ts';
import { PlainError } from '../../errors.ts';
import { commitOf } from '../../version.ts';
import type { Web } from '../web.ts';
import type { Disks } from './disks.ts';
import { familiesOf } from './families.ts';
import type { Family } from './family.ts';

/**
 * Numbers for a monitoring program (Prometheus). Three sources, one text:
 *
 *   the books       read at most every 15 s, however many ask; counters and index ranges only, never a table as a whole
 *   requests        how long this coordinator took to answer, by the pattern of the route
 *   this process    what Node.js says of itself
 *
 * An answer takes ten seconds at most: a database that does not answer is a refusal, never a wait.
 */
export interface Metrics {
  /** `route`: the pattern, never the path */
  observe(request: { route: string; method: string; status: number; seconds: number }): void;
  /** @throws PlainError when the books cannot be read in time */
  text(openMetrics: boolean): Promise<{ type: string; body: string }>;
}

const KEPT_MS = 15_000;
const LIMIT_MS = 10_000;
/** one for the process, because its observers last as long as it does; made when somebody asks */
let ofProcess: Registry | null = null;

type Parts = Pick<Web, 'db' | 'live' | 'node' | 'now'> & { disks: Pick<Disks, 'freeOf'> };

export function createMetrics(web: Parts, limitMs = LIMIT_MS): Metrics {
  const requests = new Histogram({
    name: 'codecshift_http_request_duration_seconds',
    help: 'How long answers of the dashboard and the API took, by route.',
    labelNames: ['route', 'method', 'status_class'],
    buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10],
    registers: [],
  });
  let kept: { at: number; families: Promise<Family[]> } | null = null;

  return {
    observe({ route, method, status, seconds }) {
      const known = method === 'GET' || method === 'POST' || method === 'HEAD' ? method : 'other';
      requests.observe({ route, method: known, status_class: `${Math.floor(status / 100)}xx` }, seconds);
    },
    async text(openMetrics) {
      const type = openMetrics ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
      // a registry of its own for each answer: writing OpenMetrics cuts the end off the names of counters, for good
      const registry = new Registry<typeof type>();
      registry.setContentType(type);
      const own = [...(await processFamilies()), (await requests.get()) as unknown as Family];
      for (const family of [...(await books()), ...own]) registry.registerMetric(written(family));
      return { type, body: await registry.metrics() };
    },
  };

  function books(): Promise<Family[]> {
    const now = performance.now();
    if (kept && now - kept.at < KEPT_MS) return kept.families;
    const entry = { at: now, families: inTime(read(web), limitMs) };
    kept = entry;
    entry.families.catch(() => kept === entry && (kept = null));
    return entry.families;
  }
}

/** It does not change while the program runs. */
const commit = commitOf();

async function read({ db, live, node, now, disks }: Parts): Promise<Family[]> {
  const [jobs, running, nodes, lease, cells, scans, sources, counts, deliveries, libraries] = await Promise.all([
    countsByState(db),
    runningJobs(db),
    listNodes(db),
    readLease(db),
    fileCounts(db),
    wholeScans(db),
    listSources(db),
    metricCounts(db),
    deliveryCounts(db),
    listLibraries(db),
  ]);
  const present = [node.id, lease.held ? lease.holder : null];
  return familiesOf({
    ...{ version: node.version, commit, jobs, running, progressOf: live.progressOf, nodes, present, cells, scans },
    ...{ sources, counts, deliveries, libraries, freeOf: disks.freeOf, now: now() },
  });
}

async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PlainError('The database does not answer in time.')), limitMs).unref();
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

async function processFamilies(): Promise<Family[]> {
  if (!ofProcess) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  const told = (await ofProcess.getMetricsAsJSON()) as unknown as Family[];
  // what was not measured yet would be written as a word that the format does not know
  return told.map((family) => ({ ...family, values: family.values.filter(({ value }) => !Number.isNaN(value)) }));
}

/** What a registry writes: it asks for a name that it may have shortened, and for the values. */
function written({ name, help, type, values }: Family): Metric {
  return {
    name,
    help,
    type,
    get() {
      return { name: (this as { name: string }).name, help, type, values, aggregator: 'sum' };
    },
  } as unknown as Metric;
}
