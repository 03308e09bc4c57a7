import type { PathRule } from '../core/commands.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

/** What a source calls `prefix` is `folder` below the root. */
export interface SourcePath extends PathRule {
  sourceId: number;
  /** null: saved against a warning */
  provedAt: Date | null;
  /** by node id: how many of the samples it found */
  proof: Record<string, { found: number; otherSize: number; of: number }>;
}

/** Of one source, or of all. */
export function listSourcePaths(q: Queryable, sourceId: number | null = null): Promise<SourcePath[]> {
  return q.query<SourcePath>(
    `select source_id as "sourceId", prefix, root_id as "rootId", folder, proof, proved_at as "provedAt" from source_paths
      where $1::int is null or source_id = $1 order by source_id, prefix`,
    [sourceId],
  );
}

/** The whole set of rules of a source in place of the old one. Inside a transaction with what follows from it. */
export async function replaceSourcePaths(
  q: Queryable,
  sourceId: number,
  rules: (PathRule & { proof: SourcePath['proof']; proved: boolean })[],
): Promise<void> {
  await q.query(`delete from source_paths where source_id = $1`, [sourceId]);
  await q.query(
    `insert into source_paths (source_id, prefix, root_id, folder, proof, proved_at)
     select $1, r.prefix, r.root, r.folder, r.proof, case when r.proved then now() end
       from jsonb_to_recordset($2::jsonb) as r(prefix text, root uuid, folder text, proof jsonb, proved boolean)`,
    [
      sourceId,
      json(rules.map((r) => ({ prefix: text(r.prefix), root: r.rootId, folder: text(r.folder), proof: r.proof, proved: r.proved }))),
    ],
  );
}
