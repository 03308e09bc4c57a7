import type { Queryable } from './connect.ts';
import { text } from './values.ts';

/**
 * The coordinator's lease: one row, the database's clock, and a term that grows with every new holder session. All
 * other tables refuse writes that do not carry the current term (migration 0001, `assert_term`).
 */
export interface Lease {
  term: number;
  holder: string | null;
  session: string | null;
  url: string | null;
  /** nobody else can take it before this moment */
  held: boolean;
}

export interface Candidate {
  node: string;
  /** a uuid made at process start: a restarted holder is a new session and takes a new term */
  session: string;
  url: string | null;
  ttlSeconds: number;
  /** a term that is known to have been: the next one is above it, also when the database is older than that (a backup) */
  above?: number;
  /** how many migrations its program knows: in a newer database it may not lead, nor begin to. Left out: the asker knows all */
  schema?: number;
}

/**
 * Takes the lease when it is free, or renews it without a new term when this very session holds it. Returns the term, or null
 * when another session leads. A newer program asks with the same words in a database that has its old schema still, so a
 * column that came later than the row's first ones is read through jsonb.
 */
export async function acquireLease(q: Queryable, who: Candidate): Promise<number | null> {
  if (await renewLease(q, who)) return (await readLease(q)).term;
  const rows = await q.query<{ term: number }>(
    `update coordinator c set term = greatest(term, $5) + 1, holder = $1, session = $2, url = $3, prefer = null, prefer_until = null,
            lease_until = clock_timestamp() + make_interval(secs => $4)
      where lease_until <= clock_timestamp() and (prefer is null or prefer = $1 or prefer_until <= clock_timestamp())
        and ${notNewer('$6')}
        and to_jsonb(c) ->> 'moved_to' is null and to_jsonb(c) ->> 'arriving' is null
     returning term`,
    [who.node, who.session, text(who.url), who.ttlSeconds, who.above ?? 0, who.schema ?? null],
  );
  return rows[0]?.term ?? null;
}

/** False: the lease ended or another session has it; stop leading at once. */
export async function renewLease(q: Queryable, who: Candidate): Promise<boolean> {
  const rows = await q.query(
    `update coordinator set lease_until = clock_timestamp() + make_interval(secs => $3), url = $4
      where holder = $1 and session = $2 and lease_until > clock_timestamp() and ${notNewer('$5')} returning 1`,
    [who.node, who.session, who.ttlSeconds, text(who.url), who.schema ?? null],
  );
  return rows.length > 0;
}

/** Statements of an older program would not know what a newer schema asks of its rows. */
function notNewer(known: string): string {
  return `not exists (select 1 from schema_migrations where version > coalesce(${known}::int, version))`;
}

/** The newest schema of this database, and which version of CodecShift made it so, if it said. */
export async function readSchema(q: Queryable): Promise<{ schema: number; program: string | null }> {
  const [row] = await q.query<{ schema: number; program: string | null }>(
    `select version as schema, to_jsonb(m) ->> 'program' as program from schema_migrations m order by version desc limit 1`,
  );
  return row ?? { schema: 0, program: null };
}

/** A graceful stop frees the lease at once, so that only crashes wait for it to end. */
export async function resignLease(q: Queryable, who: Pick<Candidate, 'node' | 'session'>): Promise<void> {
  await q.query(`update coordinator set lease_until = '-infinity' where holder = $1 and session = $2`, [who.node, who.session]);
}

/** The next one to take the lease shall be this node; everybody else lets it pass for so long. */
export async function preferCandidate(q: Queryable, node: string, seconds: number): Promise<void> {
  await q.query(`update coordinator set prefer = $1, prefer_until = clock_timestamp() + make_interval(secs => $2)`, [node, seconds]);
}

/**
 * Ends a lease that a dead process left behind. Only for the embedded database, whose directory lock proves that no other
 * process can be the holder: after a crash nobody waits there.
 */
export async function endAbandonedLease(q: Queryable): Promise<void> {
  await q.query(`update coordinator set lease_until = '-infinity' where lease_until > clock_timestamp()`);
}

export async function readLease(q: Queryable): Promise<Lease> {
  const [row] = await q.query<Lease>(`select term, holder, session, url, lease_until > clock_timestamp() as held from coordinator`);
  if (!row) throw new Error('the coordinator table has no row');
  return row;
}

/** Whether this database is the truth, or was left for another one, or is not complete yet. */
export interface MovedState {
  movedTo: string | null;
  movedAt: Date | null;
  arriving: string | null;
}

/** Through jsonb, because a database of before may have no such columns. */
export async function readMoved(q: Queryable): Promise<MovedState> {
  const [row] = await q.query<MovedState>(
    `select to_jsonb(c) ->> 'moved_to' as "movedTo", (to_jsonb(c) ->> 'moved_at')::timestamptz as "movedAt",
            to_jsonb(c) ->> 'arriving' as arriving from coordinator c`,
  );
  return row ?? { movedTo: null, movedAt: null, arriving: null };
}

/** Nobody leads with this database from now on. */
export async function markMoved(q: Queryable, to: string): Promise<void> {
  await q.query(`update coordinator set moved_to = $1, moved_at = now(), lease_until = '-infinity'`, [text(to)]);
}

/** It is the truth, whatever was said of it before. */
export async function clearMoved(q: Queryable): Promise<void> {
  await q.query(`update coordinator set moved_to = null, moved_at = null, arriving = null`);
}

/** A move brings everything here; until it is over nobody leads with it. */
export async function markArriving(q: Queryable, move: string): Promise<void> {
  await q.query(`update coordinator set arriving = $1`, [move]);
}

/** That move is decided: it is the truth. Nothing happens when something else was brought here meanwhile. */
export async function openArrived(q: Queryable, move: string): Promise<void> {
  await q.query(`update coordinator set moved_to = null, moved_at = null, arriving = null where arriving = $1`, [move]);
}
