import { randomUUID } from 'node:crypto';
import { connectDatabase, type LoneSession, type Queryable } from './connect.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';

/** The schema of a database of ours; null: there is none in it yet. */
export async function schemaOf(q: Queryable): Promise<number | null> {
  const [table] = await q.query<{ there: boolean }>(`select to_regclass('public.schema_migrations') is not null as there`);
  if (!table?.there) return null;
  return (await q.query<{ schema: number | null }>('select max(version) as schema from schema_migrations'))[0]?.schema ?? null;
}

export interface Hold {
  /**
   * In a transaction of `q`: nobody led in the meantime, and nobody can before it is over. A machine that slept or was cut off
   * may have lost the lease to a coordinator whose work is in no copy.
   * @throws PlainError
   */
  insist(q: Queryable): Promise<void>;
  /** In the transaction of `q` that made the database anew: it is held on, for the row of the lease is a new one as well. */
  keep(q: Queryable): Promise<void>;
  release(): Promise<void>;
}

const works: readonly string[] = ['a move', 'a restore'];

/** Is it a process that works on the database as a whole, and no machine that coordinates? */
export function isWork(holder: string | null): boolean {
  return holder !== null && works.includes(holder);
}

/**
 * Keeps everybody from coordinating with an external database while this process works on it as a whole. The lease is renewed
 * by a connection of its own and ends half a minute after this process died. It is taken by the words of the first schema,
 * because the database may be of any.
 * @throws PlainError when somebody coordinates
 */
export async function holdLease(
  q: Queryable,
  where: { url: string; dataDir: string; log: Log },
  what: 'a move' | 'a restore',
): Promise<Hold> {
  const session = randomUUID();
  let hasRow = (await schemaOf(q)) !== null;
  if (hasRow) await take(q, what, session);
  const second = await connectDatabase({ ...where, migrations: null });
  // once it ended it is lost for good: what was written meanwhile, under the same term, is in no copy
  const timer = setInterval(() => {
    void second
      .impatient(8000)
      .query(
        `update coordinator set lease_until = clock_timestamp() + interval '30 seconds' where session = $1 and lease_until > clock_timestamp()`,
        [session],
      )
      .catch((error: unknown) => where.log.debug({ why: messageOf(error) }, 'the lease could not be renewed'));
  }, 8000);
  return {
    async insist(later) {
      if (!hasRow) return (await schemaOf(later)) === null ? undefined : takenOver();
      const [row] = await later.query<{ held: boolean }>(
        'select lease_until > clock_timestamp() as held from coordinator where session = $1 for update',
        [session],
      );
      if (!row) takenOver();
      if (!row.held) tooLate();
    },
    async keep(later) {
      hasRow = true;
      await later.query(`update coordinator set holder = $1, session = $2, lease_until = clock_timestamp() + interval '30 seconds'`, [
        what,
        session,
      ]);
    },
    async release() {
      clearInterval(timer);
      // it ends by itself anyway: a database that is away, or that a broken transaction still holds, is not waited for
      await second
        .impatient(5000)
        .query(`update coordinator set lease_until = '-infinity' where session = $1`, [session])
        .catch(() => {});
      await second.close();
    },
  };
}

async function take(q: Queryable, what: string, session: string): Promise<void> {
  const taken = await q.query(
    `update coordinator set holder = $1, session = $2, term = term + 1, lease_until = clock_timestamp() + interval '30 seconds'
      where lease_until <= clock_timestamp() returning 1`,
    [what, session],
  );
  if (taken.length > 0) return;
  const [held] = await q.query<{ url: string | null; holder: string }>('select url, holder from coordinator');
  if (held && isWork(held.holder))
    throw new PlainError(
      `${held.holder === 'a move' ? 'A move' : 'A restore'} works on this database, or was cut off less than half a minute ago. Wait for it, then try again.`,
    );
  throw new PlainError(
    `CodecShift is running with this database${held?.url ? ` (${held.url})` : ''}. Stop it on every machine that was given the database, then try again.`,
  );
}

function takenOver(): never {
  throw new PlainError(
    'CodecShift was started with this database meanwhile, so nothing was changed. Stop it on every machine that was given the database, then try again.',
  );
}

function tooLate(): never {
  throw new PlainError(
    'This machine stood still for more than half a minute, in which another one could have written into this database, so nothing was changed. Try again.',
  );
}

/** Does something with a session and closes it, whatever comes of it. */
export async function andClose<T>(session: LoneSession, work: (session: LoneSession) => Promise<T>): Promise<T> {
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
