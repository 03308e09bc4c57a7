import { placeOf, withDatabaseChoice } from '../assembly/database-choice.ts';
import { settleDatabase } from '../assembly/database-truth.ts';
import { moveDatabase, type Moved } from '../assembly/move.ts';
import { leftBuiltIn, reopen, reopenBuiltIn } from '../assembly/reopen.ts';
import { isRestoreMark } from '../assembly/restore-journal.ts';
import { loadOptions, type RunOptions } from '../config/load.ts';
import { visibleName } from '../core/visible-name.ts';
import { openSession } from '../db/connect.ts';
import { readMoved } from '../db/coordinator.ts';
import { lockDirectory } from '../db/directory-lock.ts';
import { derivedTables, exportedTables } from '../db/export.ts';
import { PlainError } from '../errors.ts';
import { createLog, type Log } from '../log.ts';
import { command, nodeFlags, print } from './arguments.ts';
import { secretFrom } from './passphrase.ts';
import { confirm } from './restore.ts';
import { stopsBySignal, tellSteps } from './steps.ts';

const help = `codecshift database                                     says where the database of this machine is
codecshift database move --to postgres://… | embedded    moves it, while CodecShift is stopped
codecshift database reopen                               makes a database that was left the one that counts again,
                                                         when the one that came after it is lost

Moving copies everything in one snapshot, compares every row of both sides, and then leaves the old database: it stays as it is,
and nobody leads with it by accident. Killed in the middle, the old one is still the one that counts, and it is simply done again.

  --to-file FILE   reads the address of --to from a file, so that its password is in no list of processes
  --replace        rows that are at the destination may go; a backup of them is made first
  --embedded       reopens the built-in one that lies beside as database.moved-…
  --yes            does not ask
  --data-dir DIR  --database-url URL  --name NAME  --json
`;

const flags = {
  to: { type: 'string' },
  'to-file': { type: 'string' },
  replace: { type: 'boolean' },
  yes: { type: 'boolean' },
  embedded: { type: 'boolean' },
} as const;

export function run(args: string[]): Promise<number> {
  return command(args, help, { ...nodeFlags(['data-dir', 'database-url', 'name']), ...flags }, async ({ values, positionals }) => {
    const [action = 'show', ...rest] = positionals;
    if (!['show', 'move', 'reopen'].includes(action) || rest.length > 0)
      throw new PlainError('Only "move" and "reopen" can be done with it.');
    const asked = loadOptions(values);
    const json = values['json'] === true;
    if (action === 'show') {
      const { databaseUrl, dataDir } = await withDatabaseChoice(asked);
      const kind = databaseUrl === null ? 'embedded' : 'postgres';
      print(
        json,
        { kind, place: placeOf(databaseUrl), dataDir },
        () => `The database is ${placeOf(databaseUrl)} (data directory ${dataDir}).`,
      );
      return;
    }
    const log = createLog({ level: 'warn', pretty: process.stderr.isTTY });
    const lock = lockDirectory(asked.dataDir);
    try {
      await settleDatabase(asked.dataDir, log);
      const options = await withDatabaseChoice(asked);
      if (action === 'move') await move(options, values, log, json);
      else await reopenOne(options, values, log, json);
    } finally {
      lock.release();
    }
  });
}

async function move(options: RunOptions, values: Record<string, unknown>, log: Log, json: boolean): Promise<void> {
  const to = await destination(values);
  const { dataDir, databaseUrl: from, name } = options;
  if (from === to) throw new PlainError(`This machine uses ${placeOf(to)} already, so there is nothing to move.`);
  if (from === null && to !== null) {
    const others = await foreignTables({ url: to, dataDir, log }).catch(aboutDestination(values));
    if (others.length > 0) process.stderr.write(`${foreignWords(placeOf(to), others)}\n`);
  }
  if (values['yes'] !== true) await confirm(`Move ${placeOf(from)} to ${placeOf(to)}?`);
  const moved = await moveDatabase({
    ...{ dataDir, from, to, name, log },
    replace: values['replace'] === true,
    signal: stopsBySignal(),
    onStep: tellSteps(json),
  }).catch(from === null ? aboutDestination(values) : undefined);
  print(json, moved, () => words(moved, to, dataDir, from !== null && fromOutside(values)));
}

/** @throws PlainError */
async function destination(values: Record<string, unknown>): Promise<string | null> {
  const file = values['to-file'];
  if (file !== undefined && values['to'] !== undefined) throw new PlainError('--to and --to-file exclude each other: say one of them.');
  const to = values['to'] ?? (typeof file === 'string' ? await secretFrom(file, 'address') : undefined);
  if (to === 'embedded') return null;
  if (typeof to === 'string' && /^postgres(ql)?:\/\//.test(to.trim())) return to.trim();
  throw new PlainError('Say where to: --to postgres://user:password@host/database, or --to embedded.');
}

/** Only the destination is reached by an address then, and that was named by another option than the usual one. */
function aboutDestination(values: Record<string, unknown>): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof PlainError) || !error.message.startsWith('PostgreSQL at ')) throw error;
    const option = values['to-file'] === undefined ? '--to' : '--to-file';
    throw new PlainError(error.message.replaceAll('--database-url', option), { cause: error });
  };
}

/** Of somebody else, in the place where CodecShift's own go. */
async function foreignTables(where: { url: string; dataDir: string; log: Log }): Promise<string[]> {
  const session = await openSession(where);
  try {
    const rows = await session.query<{ name: string }>(
      `select table_name as name from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE' and not table_name = any($1::text[]) order by 1`,
      [[...exportedTables, ...derivedTables]],
    );
    return rows.map(({ name }) => name);
  } finally {
    await session.close();
  }
}

export function foreignWords(place: string, tables: readonly string[]): string {
  const shown = tables.slice(0, 3).map((name) => visibleName(name, 60));
  const more = tables.length > shown.length ? ` and ${tables.length - shown.length} more` : '';
  return `Heed: ${place} is not empty. It has tables that are not of CodecShift (${shown.join(', ')}${more}). They stay, but a database of its own is better.`;
}

function fromOutside(values: Record<string, unknown>): boolean {
  return values['database-url'] !== undefined || Boolean(process.env['DATABASE_URL'] ?? process.env['DATABASE_URL_FILE']);
}

function words({ from, to, comparison, safety, aside, notes }: Moved, url: string | null, dataDir: string, outside: boolean): string {
  return [
    `Moved from ${from} to ${to}: ${comparison.rows.toLocaleString('en')} rows in ${comparison.tables.length} tables, each compared with its copy, and all are equal.`,
    ...(safety ? [`What was there before is in the backup ${safety}.`] : []),
    `This machine uses ${to} from now on; that is written in database.json of ${dataDir}.`,
    ...(url === null && outside
      ? [
          'Remove --database-url, DATABASE_URL and DATABASE_URL_FILE from where this machine is started: the old database refuses to be led.',
        ]
      : []),
    ...(url !== null
      ? ['Another machine that shall be able to coordinate is started with the same address in --database-url or DATABASE_URL.']
      : ['Other machines that were given the old address work on as members once they are started without it.']),
    ...notes,
    ...(aside ? [`The old database lies unused in ${aside}. Delete it when you are sure.`] : []),
  ].join('\n');
}

async function reopenOne(options: RunOptions, values: Record<string, unknown>, log: Log, json: boolean): Promise<void> {
  const { databaseUrl, dataDir } = options;
  if (values['embedded'] === true) return reopenHome(options, values, log, json);
  if (databaseUrl === null)
    throw new PlainError('Name the database that was left with --database-url, or say --embedded for the built-in one.');
  const session = await openSession({ url: databaseUrl, dataDir, log });
  try {
    const { movedTo, movedAt, arriving } = await readMoved(session);
    if (movedTo === null && arriving === null) throw new PlainError(`${placeOf(databaseUrl)} was not left; it counts already.`);
    const place = placeOf(databaseUrl);
    const was =
      arriving === null
        ? `${place} was left on ${movedAt?.toISOString().slice(0, 10)}. What happened since is not in it.`
        : `${isRestoreMark(arriving) ? 'A backup was put back into' : 'Everything was moved into'} ${place} by a machine that did not finish it. If that machine comes back, it may go on with another database, and both would be led.`;
    if (values['yes'] !== true) await confirm(`${was} Let it count ${arriving === null ? 'again' : 'without that machine'}?`);
    await reopen(session);
    print(json, { reopened: place }, () =>
      arriving === null ? `${place} counts again, as it was when it was left.` : `${place} counts, as it was brought there.`,
    );
  } finally {
    await session.close();
  }
}

async function reopenHome({ databaseUrl, dataDir }: RunOptions, values: Record<string, unknown>, log: Log, json: boolean): Promise<void> {
  if (values['yes'] !== true)
    await confirm(
      `${(await leftBuiltIn(dataDir)) ?? 'The built-in database'} was left. What happened since is not in it. Let it count again?`,
    );
  const left = await reopenBuiltIn({ dataDir, url: databaseUrl, log });
  print(
    json,
    { reopened: left },
    () =>
      `The built-in database counts again, as it was when it was left; ${left} stays as it is.${databaseUrl !== null && fromOutside(values) ? ' Remove --database-url, DATABASE_URL and DATABASE_URL_FILE from where this machine is started.' : ''}`,
  );
}
