import type { Probe } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import { qualityFound } from '../core/quality-found.ts';
import { titleClass, type Finding } from '../core/quality.ts';
import type { Database } from '../db/connect.ts';
import { listFindings, recordFinding } from '../db/quality-findings.ts';

interface Film {
  probe: Probe;
  plan: WorkPlan;
  profile: Profile;
}

/** What this node found for films like this one; undefined where the profile asks for no goal. */
export async function findingsOf(db: Database, nodeId: string, film: Film): Promise<Finding[] | undefined> {
  const { target } = film.profile;
  if (target === undefined || target === 'number' || !film.plan.video) return undefined;
  return listFindings(db, nodeId, titleClass(film.probe, film.plan, film.profile), target);
}

/** Remembers what a search found. Only what was measured and met the goal is worth knowing; the rest was this film's own trouble. */
export async function keepFinding(
  db: Database,
  run: { nodeId: string; encoder: string; stats: Record<string, unknown> },
  film: Film,
): Promise<void> {
  const found = qualityFound(run.stats);
  if (!found?.measured?.met || found.from !== 'samples' || found.target !== film.profile.target) return;
  const device = run.stats['device'];
  await recordFinding(db, {
    nodeId: run.nodeId,
    encoder: run.encoder,
    device: typeof device === 'string' ? device.slice(0, 200) : null,
    titleClass: titleClass(film.probe, film.plan, film.profile),
    target: found.target,
    metric: found.measured.metric,
    quality: found.quality,
    score: found.measured.score,
  });
}
