import { listBenched } from '../../db/benched.ts';
import { readLease } from '../../db/coordinator.ts';
import { countsByState } from '../../db/counters.ts';
import { listFinished, listHeld, listNext, runningJobs } from '../../db/job-lists.ts';
import { fileCounts, listLibraries } from '../../db/libraries.ts';
import { listNodes } from '../../db/nodes.ts';
import { trashTotals } from '../../db/originals.ts';
import { badCopies } from '../../db/rechecks.ts';
import { listNodeRoots } from '../../db/roots.ts';
import { lastScans } from '../../db/scans.ts';
import { sourceOverview } from '../../db/sources.ts';
import { lastDays, newestRuns, totals } from '../../db/stats.ts';
import type { Progress } from '../../events.ts';
import { codec, codecTone, fps, resolution, saving, savingPercent, size, sizeLike, sizeParts } from '../format.ts';
import { sum, unseenFiles } from '../models/file-cells.ts';
import { lookItems } from '../models/look.ts';
import { refusedFfmpeg } from '../models/node-ffmpeg.ts';
import { isAway, nodeCard } from '../models/node.ts';
import { askingViews } from '../models/nodes-page.ts';
import {
  heroView,
  type FinishedView,
  type HeroView,
  type LookView,
  type NextView,
  type NodesView,
  type OverviewView,
  type RunningView,
} from '../models/overview.ts';
import { runningJob } from '../models/running.ts';
import { sourceState } from '../models/sources.ts';
import type { Web } from '../web.ts';

/** What the Overview shows, from the books; each part is read by itself too, when it changes. */
export async function readOverview(web: Web): Promise<OverviewView> {
  const [hero, running, next, look, nodes, finished] = await Promise.all([
    readHero(web),
    readRunning(web),
    readNext(web),
    readLook(web),
    readNodes(web),
    readFinished(web),
  ]);
  return { hasLibraries: true, hero, running, next, look, nodes, finished };
}

export async function readHero({ db, now }: Web): Promise<HeroView> {
  const [counted, days, paces, ever, trash, scanning, resting] = await Promise.all([
    fileCounts(db),
    lastDays(db, 30),
    newestRuns(db),
    totals(db),
    trashTotals(db),
    readScanning(db),
    readResting(db),
  ]);
  const cells = counted.map((c) => (c.status === 'queued' && resting.libraries.has(c.libraryId) ? { ...c, status: 'resting' } : c));
  return heroView({ cells, days, paces, finishedEver: ever.replaced + ever.kept, trash, scanning: scanning !== null, now: now() });
}

export async function readRunning(web: Web, rows?: Awaited<ReturnType<typeof runningJobs>>): Promise<RunningView> {
  const [jobs, counts, cells, scanning, resting] = await Promise.all([
    rows ?? runningJobs(web.db),
    countsByState(web.db),
    fileCounts(web.db),
    readScanning(web.db),
    readResting(web.db),
  ]);
  await web.barcodes.learn(jobs);
  const progress = jobs.flatMap((job) => web.live.progressOf(job.id) ?? []);
  return {
    jobs: jobs.map((job) => ({ ...runningJob(job, web.live.progressOf(job.id)), strip: web.barcodes.of(job.id) })),
    together: together(progress),
    waiting: Math.max(0, counts.available - resting.files),
    resting: resting.files,
    unseen: unseenFiles(cells),
    files: sum(
      cells.filter((c) => c.status !== 'missing'),
      (c) => c.files,
    ),
    scanning,
    paused: web.settings()['queue.paused'] === true,
  };
}

/** Files that would wait if their library were switched on. */
async function readResting(db: Web['db']): Promise<{ files: number; libraries: Set<number> }> {
  const libraries = new Set((await listLibraries(db)).filter((l) => !l.enabled).map((l) => l.id));
  if (libraries.size === 0) return { files: 0, libraries };
  const cells = (await fileCounts(db)).filter((c) => c.status === 'queued' && libraries.has(c.libraryId));
  return {
    files: Math.max(
      0,
      sum(cells, (c) => c.files),
    ),
    libraries,
  };
}

async function readScanning(db: Web['db']): Promise<RunningView['scanning']> {
  const scans = (await lastScans(db)).filter((scan) => scan.state === 'running');
  return scans.length === 0 ? null : { seen: sum(scans, (s) => s.seen), inspected: sum(scans, (s) => s.inspected) };
}

export function together(progress: readonly Progress[]): string {
  const encoding = progress.filter((p) => p.phase === 'encoding' && !p.paused && p.fps !== null);
  return encoding.length > 1 ? `${fps(sum(encoding, (p) => p.fps ?? 0))} together` : '';
}

const orders: Record<string, string> = {
  saving: 'biggest saving first',
  oldest: 'longest in the library first',
  smallest: 'smallest first',
};

export async function readNext(web: Web): Promise<NextView> {
  const [jobs, counts, resting] = await Promise.all([listNext(web.db, 7), countsByState(web.db), readResting(web.db)]);
  return {
    waiting: Math.max(0, counts.available - resting.files),
    resting: resting.files,
    order: orders[String(web.settings()['queue.order'] ?? 'saving')] ?? '',
    jobs: jobs.map((job) => ({
      id: job.id,
      title: job.title,
      detail: job.detail,
      library: job.libraryName,
      format: [resolution(job.width, job.height), codec(job.codec)].filter(Boolean).join(' '),
      tone: codecTone(job.codec),
      size: size(job.inputBytes),
      saving: saving(job.inputBytes, job.expectedBytes),
    })),
  };
}

export async function readLook({ db, now, node: self }: Web): Promise<LookView> {
  const [lease, libraries, held, counts, nodes, roots, bad, benched, sources] = await Promise.all([
    readLease(db),
    listLibraries(db),
    listHeld(db, undefined, { size: 3 }),
    countsByState(db),
    listNodes(db),
    listNodeRoots(db),
    badCopies(db),
    listBenched(db),
    sourceOverview(db),
  ]);
  const names = new Map(nodes.map((n) => [n.id, n.name]));
  // a missing disk is told once, by the name of its library
  const told = new Set(libraries.filter((l) => l.problem && l.enabled).map((l) => l.rootId));
  // a path that is only read is no fault while another machine can replace files there
  const kept = new Set(roots.filter((r) => r.writable && r.problem === null && r.provedAt !== null).map((r) => r.rootId));
  const inUse = new Set(libraries.map((l) => l.rootId).filter((root) => !told.has(root)));
  return {
    items: lookItems({
      libraries,
      held: held.rows,
      heldCount: counts.held,
      failedCount: counts.failed,
      badCopies: bad,
      benched,
      sources: sources.map((s) => ({ id: s.id, name: s.name, state: sourceState(s, now()), unconfirmed: s.unconfirmed })),
      nodes: nodes
        .filter((n) => n.standing === 'approved')
        .map((n) => ({
          name: n.name,
          away: isAway(n, [self.id, lease.held ? lease.holder : null], now()),
          draining: n.draining,
          working: n.encoders.filter((e) => e.works).length,
          tested: n.encoders.length,
          refused: refusedFfmpeg(n),
        })),
      roots: roots
        .filter((r) => inUse.has(r.rootId) && (r.problem !== null || r.writable || !kept.has(r.rootId)))
        .map((r) => ({ ...r, nodeName: names.get(r.nodeId) ?? 'a node' })),
    }),
  };
}

export async function readNodes({ db, now, node: self }: Web): Promise<NodesView> {
  const [nodes, running, lease] = await Promise.all([listNodes(db), runningJobs(db), readLease(db)]);
  const leader = lease.held ? lease.holder : null;
  const busy = (id: string): number => running.filter((job) => job.nodeId === id).length;
  const members = nodes.filter((n) => n.standing === 'approved');
  return {
    pending: askingViews(nodes, now()).pending,
    nodes: members.map((node) => nodeCard(node, busy(node.id), leader === node.id, isAway(node, [self.id, leader], now()), now())),
  };
}

export async function readFinished({ db }: Web): Promise<FinishedView> {
  const page = await listFinished(db, undefined, { size: 5 });
  return {
    jobs: page.rows.map((job) => {
      const kept = job.outcome !== 'replaced' || job.outputBytes === null;
      const after = job.outputBytes ?? job.inputBytes;
      return {
        id: job.id,
        title: job.title,
        detail: job.detail,
        kept,
        sizes: kept ? '' : pair(job.inputBytes, after),
        saving: job.outcome === 'restored' ? 'Restored' : kept ? 'Kept original' : savingPercent(job.inputBytes, after),
      };
    }),
  };
}

/** "22.7 → 8.9 GB": the unit once when both share it */
function pair(before: number, after: number): string {
  const unit = sizeParts(before).unit;
  const to = sizeLike(after, before);
  return to.endsWith(`\u00a0${unit}`) ? `${sizeParts(before).value} → ${to}` : `${size(before)} → ${to}`;
}
