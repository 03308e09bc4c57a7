import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterDatabase } from '../../node/testing/cluster-database.ts';

/** One change of who coordinates, as an onlooker at the database saw it. */
export interface Reign {
  term: number;
  name: string;
  /** milliseconds since 1970 */
  at: number;
}

export interface Watch {
  /** null while nobody holds the lease, or the database says nothing */
  coordinator(): { name: string; term: number } | null;
  reigns: Reign[];
  /** terms that were seen to shrink: never */
  shrunk: string[];
  /** one question, soon answered or not at all; null when the database does not answer */
  ask<T>(sql: string): Promise<T[] | null>;
  /** The waiting of failed jobs is cut short: what else takes minutes would be most of a run. */
  hurry(): Promise<void>;
  stop(): Promise<void>;
}

/** Looks at the lease row four times a second, past the network, through every end of the database. */
export function startWatch(database: ClusterDatabase): Watch {
  const reigns: Reign[] = [];
  const shrunk: string[] = [];
  let now: { name: string; term: number } | null = null;
  let over = false;
  const ask = <T>(sql: string): Promise<T[] | null> => database.ask<T>(sql).catch(() => null);
  const loop = (async () => {
    while (!over) {
      const [row] = (await ask<{ term: number; name: string | null; held: boolean }>(lease)) ?? [];
      now = row?.held && row.name !== null ? { name: row.name, term: row.term } : null;
      const last = reigns.at(-1);
      if (last && row && row.term < last.term) shrunk.push(`the term went from ${last.term} back to ${row.term}`);
      if (now && now.term !== last?.term) reigns.push({ ...now, at: Date.now() });
      await pause(250);
    }
  })();

  return {
    coordinator: () => now,
    reigns,
    shrunk,
    ask,
    async hurry() {
      await ask(hurry);
    },
    async stop() {
      over = true;
      await loop;
    },
  };
}

const lease = `select c.term, n.name, c.lease_until > clock_timestamp() as held from coordinator c left join nodes n on n.id = c.holder`;

/** In the name of the current term, as every write. Time that does not pass must not use up the tries either. */
const hurry = `
  begin;
  set local lock_timeout = '1s';
  select set_config('codecshift.term', (select term::text from coordinator), true);
  update jobs set retry_at = now(), failures = least(failures, max_failures / 2) where state = 'available' and retry_at > now() + interval '1 second';
  commit`;
