import type { Queryable } from './connect.ts';
import type { NodeRoot } from './nodes.ts';
import { text } from './values.ts';

/** A root: a directory tree known by the id in its marker file, wherever nodes mount it. */
export async function upsertRoot(q: Queryable, id: string): Promise<void> {
  await q.query(`insert into roots (id) values ($1) on conflict (id) do nothing`, [id]);
}

export interface RootReport {
  root: string;
  path: string;
  writable: boolean;
  problem: string | null;
}

/**
 * Replaces what is known about a node's roots by what its hello said, in one statement. Unknown roots are created. A path
 * that moved, or that can be written to only now, has to be proved anew; but the only one that is proved stays so, or a
 * copy of the disk on another machine, which is waiting for just that, would take its place.
 */
export async function setNodeRoots(q: Queryable, nodeId: string, roots: RootReport[]): Promise<void> {
  await q.query(
    `with said as (
       select * from unnest($2::uuid[], $3::text[], $4::boolean[], $5::text[]) as s(root_id, path, writable, problem)
     ), made as (
       insert into roots (id) select root_id from said on conflict (id) do nothing
     ), gone as (
       delete from node_roots where node_id = $1 and root_id not in (select root_id from said)
     )
     insert into node_roots (node_id, root_id, path, writable, problem)
     select $1, root_id, path, writable, problem from said
     on conflict (node_id, root_id) do update set path = excluded.path, writable = excluded.writable,
       problem = excluded.problem, checked_at = now(),
       proved_at = case
         when node_roots.path = excluded.path and not (excluded.writable and not node_roots.writable and node_roots.problem is null)
           then node_roots.proved_at
         when not exists (select 1 from node_roots o where o.root_id = excluded.root_id and o.node_id <> $1 and o.proved_at is not null)
           then node_roots.proved_at end`,
    [nodeId, roots.map((r) => r.root), roots.map((r) => text(r.path)), roots.map((r) => r.writable), roots.map((r) => text(r.problem))],
  );
}

const columns = `node_id as "nodeId", root_id as "rootId", path, writable, problem, checked_at as "checkedAt",
  proved_at as "provedAt"`;

/** Where nodes have which root; of one node, or of all. */
export function listNodeRoots(q: Queryable, nodeId: string | null = null): Promise<NodeRoot[]> {
  return q.query<NodeRoot>(`select ${columns} from node_roots where $1::text is null or node_id = $1 order by node_id, path`, [nodeId]);
}

/**
 * The approved nodes that can write under this root, those heard of lately first, and among them always the one that had it
 * first: what one machine sees of a file (its inode, its times) may look different through another one's mount.
 */
export function keepersOf(q: Queryable, rootId: string): Promise<NodeRoot[]> {
  return q.query<NodeRoot>(
    `select r.node_id as "nodeId", r.root_id as "rootId", r.path, r.writable, r.problem, r.checked_at as "checkedAt", r.proved_at as "provedAt"
       from node_roots r join nodes n on n.id = r.node_id
      where r.root_id = $1 and r.writable and r.problem is null and r.proved_at is not null and n.standing = 'approved'
      order by n.last_seen_at > now() - interval '45 seconds' desc, r.proved_at, n.id`,
    [rootId],
  );
}

/** Paths that may be copies of their root: they have to show the same bytes as one that is proved. */
export function unprovedRoots(q: Queryable): Promise<NodeRoot[]> {
  return q.query<NodeRoot>(`select ${columns} from node_roots where proved_at is null and problem is null order by checked_at limit 100`);
}

/** This path showed what was written through another one, or is the only one there ever was. */
export async function setProved(q: Queryable, nodeId: string, rootId: string): Promise<void> {
  await q.query(
    `with known as (update roots set ever_proved = true where id = $2 and not ever_proved)
     update node_roots set proved_at = now() where node_id = $1 and root_id = $2`,
    [nodeId, rootId],
  );
}

/** Was any path of this root ever known to be the disk itself? Then a further one that is alone now may be its copy. */
export async function wasEverProved(q: Queryable, rootId: string): Promise<boolean> {
  const [row] = await q.query<{ ever: boolean }>(`select ever_proved as ever from roots where id = $1`, [rootId]);
  return row?.ever ?? false;
}

/** A person says that this path is the disk itself: believed when no machine of the cluster could show the contrary. */
export async function believePath(q: Queryable, nodeId: string, root: { id: string; path: string; writable: boolean }): Promise<boolean> {
  const rows = await q.query(
    `insert into node_roots (node_id, root_id, path, writable, proved_at)
     select $1, $2, $3, $4, now()
      where not exists (select 1 from node_roots o join nodes n on n.id = o.node_id
                         where o.root_id = $2 and o.node_id <> $1 and o.proved_at is not null and n.standing = 'approved')
     on conflict (node_id, root_id) do update set path = excluded.path, writable = excluded.writable, proved_at = now()
     returning 1`,
    [nodeId, root.id, text(root.path), root.writable],
  );
  return rows.length > 0;
}

export function listRoots(q: Queryable): Promise<{ id: string }[]> {
  return q.query(`select id from roots order by id limit 500`);
}
