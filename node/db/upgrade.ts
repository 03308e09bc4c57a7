import { setTimeout as wait } from 'node:timers/promises';
import { PlainError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { noteWaiting } from './candidates.ts';
import { acquireLease, readLease, renewLease, resignLease } from './coordinator.ts';
import { copyBefore, requireRoom } from './copy-before.ts';
import { migrate, missingMigrations, type Migration, type MigrationSession } from './migrate.ts';

/**
 * Brings a database that several machines share up to date, while they run. A machine of the version before may be leading
 * in it at this moment, and its statements know nothing of what the new ones change; so a newer program touches nothing
 * before it leads itself:
 *
 *   nothing missing ─▶ done            newer than this program ─▶ refused (isNewerSchema): it works without the database
 *   empty ─▶ migrate                   nobody else can be in it
 *   older ─▶ says so in `candidates` ─▶ who leads gives the role up to it (elector.ts) ─▶ lease ─▶ copy ─▶ migrate
 *                     └─ nobody leads, or the leader vanished ─▶ lease ──────────────────────┘
 *
 * The lease is kept alive meanwhile and is handed to the elector of the same process, which goes on in the same term. An
 * older program can not take it any more once the schema is newer than it knows (`acquireLease`).
 */
export interface UpgradeOptions {
  migrations: Migration[];
  /** who does it: the lease is taken in its name */
  who: { node: string; session: string };
  /** the copy from before goes there; null: the person who runs this has backups of his own */
  dataDir: string | null;
  /** a second connection, which keeps the lease while the first one works for minutes */
  beside: MigrationSession;
  /** what happens now, for a person */
  say: (doing: string) => void;
  log: Log;
  signal?: AbortSignal | undefined;
}

const TTL_SECONDS = 20;
const ASK_MS = 300;

/** @throws PlainError that says which step failed and where the copy is; nothing of a failed step is kept */
export async function upgradeShared(session: MigrationSession, options: UpgradeOptions): Promise<void> {
  const { migrations } = options;
  const missing = await missingMigrations(session, migrations);
  if (missing.length === 0) return;
  // in an empty database, and in one whose first start broke off, nobody can lead yet
  if (missing.length === migrations.length || !(await canBeLed(session))) return upgrade(session, options, null);
  await requireRoom(session, options.dataDir);
  const term = await takeTurn(session, options);
  if (term !== null) await inTerm(session, options, term);
}

/** Waits until it leads. Null: another machine brought the database up to date meanwhile, or it does not count any more. */
async function takeTurn(session: MigrationSession, options: UpgradeOptions): Promise<number | null> {
  const { who, migrations, say, log, signal } = options;
  for (let told = false; ; told = true) {
    signal?.throwIfAborted();
    if ((await missingMigrations(session, migrations)).length === 0 || (await isLeft(session))) return null;
    await noteWaiting(session, who.node, who.session, migrations.length);
    const term = await acquireLease(session, { ...who, url: null, ttlSeconds: TTL_SECONDS });
    if (term !== null) return term;
    if (!told) {
      const doing = `This machine runs a newer version, which has to bring the database up to date. ${await leaderOf(session)} coordinates with the older one and is asked to hand over; that takes a few seconds.`;
      log.info(doing);
      say(doing);
    }
    await wait(ASK_MS, null, signal ? { signal } : {});
  }
}

async function inTerm(session: MigrationSession, options: UpgradeOptions, term: number): Promise<void> {
  const { who, beside, log } = options;
  const lease = { ...who, url: null, ttlSeconds: TTL_SECONDS };
  const keepAlive = setInterval(
    () => {
      renewLease(beside, lease).catch((error: unknown) => log.warn({ why: messageOf(error) }, 'the lease could not be renewed'));
    },
    (TTL_SECONDS / 4) * 1000,
  );
  try {
    await upgrade(session, options, term);
  } catch (error) {
    await resignLease(beside, who).catch(() => {});
    throw error;
  } finally {
    clearInterval(keepAlive);
  }
}

async function upgrade(session: MigrationSession, options: UpgradeOptions, term: number | null): Promise<void> {
  const { migrations, say, log, signal } = options;
  let copy: string | null = null;
  try {
    const applied = await migrate(session, {
      migrations,
      embedded: false,
      ...(term === null ? {} : { term }),
      ...(signal ? { signal } : {}),
      async beforeUpgrade(from) {
        say('The database is copied and then brought up to date for this version. That takes from seconds to minutes.');
        copy = await copyBefore(session, { dataDir: options.dataDir, from, log, signal });
      },
    });
    if (term !== null && applied > 0) log.info({ schema: migrations.length, copy }, 'the database was brought up to date');
  } catch (error) {
    throw withCopy(error, copy);
  }
}

/** The same error, with where the copy from before is. */
export function withCopy(error: unknown, at: string | null): unknown {
  if (at === null || !(error instanceof PlainError)) return error;
  return new PlainError(`${error.message} A backup from right before is ${at}; "codecshift restore" brings it back.`, {
    cause: error.cause,
    retry: error.retry,
  });
}

async function canBeLed(session: MigrationSession): Promise<boolean> {
  const [tables] = await session.query<{ there: boolean }>(
    `select to_regclass('public.candidates') is not null and exists (select 1 from information_schema.columns
       where table_schema = 'public' and table_name = 'coordinator' and column_name = 'prefer') as there`,
  );
  return tables!.there;
}

/** It was left for another database, or is only being filled: whoever opens it is told so, and nobody may lead in it. */
async function isLeft(session: MigrationSession): Promise<boolean> {
  const [row] = await session.query<{ left: boolean }>(
    `select to_jsonb(c) ->> 'moved_to' is not null or to_jsonb(c) ->> 'arriving' is not null as left from coordinator c`,
  );
  return row?.left === true;
}

async function leaderOf(session: MigrationSession): Promise<string> {
  const { holder } = await readLease(session);
  const [node] = await session.query<{ name: string }>(`select name from nodes where id = $1`, [holder]);
  return node?.name ?? 'Another machine';
}
