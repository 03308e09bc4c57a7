import type { SourceKind } from '../core/commands.ts';
import type { Queryable } from '../db/connect.ts';
import type { Sample } from './sample.ts';

/** Beside `fillSample`: servers in every state, libraries, paths and what was told. */
export interface SourceSample {
  plex: number;
  jellyfin: number;
  sonarr: number;
  /** of the Plex server, by title */
  keys: { movies: string; shows: string; home: string };
  filmsRoot: string;
  messages: { waiting: number; unconfirmed: number; confirmed: number };
  /** a file that was replaced, and its job */
  file: number;
  job: number;
  /** what no page may ever show */
  secrets: string[];
}

export const hookSecret = 'hook-secret-of-the-plex-sample-0123456789';
const sealed = 's1.sealed-credential.of-the-sample.tag';

export async function fillSourceSample(q: Queryable, sample: Sample): Promise<SourceSample> {
  const [films] = await q.query<{ root: string }>(`select root_id as root from libraries where id = $1`, [sample.libraries.films]);
  const plex = await source(q, 'plex', 'Living room', 'http://192.168.1.10:32400', { version: '1.43.2', account: 'ada', hook: true });
  const jellyfin = await source(q, 'jellyfin', 'Attic', 'http://attic.lan:8096', {
    version: '10.11.4',
    problem: { code: 'source-away', params: { source: 'Attic', message: 'connection refused' } },
  });
  const sonarr = await source(q, 'sonarr', 'Sonarr', 'http://192.168.1.10:8989', {
    problem: { code: 'source-refuses', params: { source: 'Sonarr' } },
  });
  const movies = await library(q, plex, '1', 'Movies', 'movies', ['/data/movies', '/data/more <movies>'], 14_988, 18.9e12, true);
  await library(q, plex, '2', 'TV Shows', 'shows', ['/data/tv'], 2140, 2.9e12, false);
  await library(q, plex, '5', 'Home videos', 'other', ['O:\\Home'], null, null, false);
  await library(q, jellyfin, 'f137a2', 'Shows', 'shows', ['/media/shows'], 812, 0.9e12, false);
  await q.query(`update libraries set source = 'plex', source_library_id = $2 where id = $1`, [sample.libraries.films, movies]);
  await q.query(
    `insert into source_paths (source_id, prefix, root_id, folder, proof, proved_at) values
       ($1, '/data/movies', $2, '', '{"node-atlas":{"found":20,"otherSize":0,"of":20}}', now()), ($1, '/data/more <movies>', $2, 'More', '{}', null)`,
    [plex, films!.root],
  );
  const [done] = await q.query<{ job: number; file: number }>(
    `select id as job, file_id as file from jobs where outcome = 'replaced' and library_id = $1 order by id limit 1`,
    [sample.libraries.films],
  );
  const message = (state: string, more: string): Promise<number> => told(q, plex, done!, state, more);
  return {
    plex,
    jellyfin,
    sonarr,
    keys: { movies: '1', shows: '2', home: '5' },
    filmsRoot: films!.root,
    messages: {
      confirmed: await message('confirmed', `told_at = now() - interval '9 hours', ended_at = now() - interval '9 hours', next_at = null`),
      waiting: await message('waiting', `next_at = now() + interval '10 seconds'`),
      unconfirmed: await message(
        'unconfirmed',
        `told_at = now() - interval '2 hours', next_at = now() + interval '1 day', tries = 7, reason = '{"code":"source-unconfirmed","params":{"source":"Living room"}}'`,
      ),
    },
    file: done!.file,
    job: done!.job,
    secrets: [sealed, hookSecret],
  };
}

async function source(
  q: Queryable,
  kind: SourceKind,
  name: string,
  url: string,
  more: { version?: string; account?: string; problem?: object; hook?: boolean },
): Promise<number> {
  const [row] = await q.query<{ id: number }>(
    `insert into sources (kind, name, url, identity, version, account, credential, hook_hash, problem, problem_since, checked_at)
     values ($1, $2, $3, $2, $4, $5, $6, case when $7 then encode(sha256($8::bytea), 'hex') end, $9, case when $9::jsonb is not null then now() - interval '3 hours' end,
             now() - interval '4 minutes') returning id`,
    [
      kind,
      name,
      url,
      more.version ?? '',
      more.account ?? '',
      sealed,
      more.hook ?? false,
      Buffer.from(hookSecret),
      more.problem ? JSON.stringify(more.problem) : null,
    ],
  );
  return row!.id;
}

async function library(
  q: Queryable,
  sourceId: number,
  key: string,
  title: string,
  kind: string,
  folders: string[],
  items: number | null,
  bytes: number | null,
  watched: boolean,
): Promise<number> {
  const [row] = await q.query<{ id: number }>(
    `insert into source_libraries (source_id, key, title, kind, folders, items, bytes, watched, listed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, case when $8 then now() - interval '12 minutes' end) returning id`,
    [sourceId, key, title, kind, JSON.stringify(folders), items, bytes, watched],
  );
  return row!.id;
}

async function told(q: Queryable, sourceId: number, of: { job: number; file: number }, state: string, more: string): Promise<number> {
  const [row] = await q.query<{ id: number }>(
    `insert into source_messages (source_id, file_id, job_id, kind, library_key, folder, ref, next_at) values ($1, $2, $3, 'replaced', '1', '/data/movies', '9881', now()) returning id`,
    [sourceId, of.file, of.job],
  );
  await q.query(`update source_messages set state = '${state}', ${more} where id = $1`, [row!.id]);
  return row!.id;
}
