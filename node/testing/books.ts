import postgres from 'postgres';
import { until } from './program.ts';

/**
 * What CodecShift wrote down, read by another client than its own and by plain SQL, while the program runs or after it
 * was killed. Only for an external PostgreSQL.
 */
export interface Books {
  files(): Promise<FileRow[]>;
  jobs(): Promise<JobRow[]>;
  query<T>(sql: string): Promise<T[]>;
  /** resolves when a scan later than this one is complete and nothing waits or runs any more */
  quiet(limitMs?: number, afterScan?: number): Promise<void>;
  /** the newest scan that began; 0: none yet. Whoever starts a program again has to wait for one later than this */
  newestScan(): Promise<number>;
  close(): Promise<void>;
}

export interface FileRow {
  id: number;
  path: string;
  status: string;
  reason: { code: string; params?: Record<string, string | number> } | null;
  codec: string | null;
  size_bytes: number;
  original_bytes: number | null;
}

export interface JobRow {
  id: number;
  path: string;
  state: string;
  outcome: string | null;
  failures: number;
  reason: { code: string } | null;
  attempts: string[];
}

/** @param socket the directory of the server's socket, where its address cannot be reached from here */
export function openBooks(url: string, socket?: string): Books {
  const sql = postgres(url, {
    ...(socket ? { host: socket } : {}),
    max: 2,
    connect_timeout: 10,
    onnotice: () => undefined,
    types: { int8: { to: 20, from: [20], parse: Number, serialize: String } },
  });
  const query = async <T>(text: string): Promise<T[]> => [...(await sql.unsafe(text))] as T[];
  return {
    query,
    files: () => query(`select id, path, status, reason, codec, size_bytes, original_bytes from media_files order by path`),
    jobs: () =>
      query(`select j.id, f.path, j.state, j.outcome, j.failures, j.reason,
                    array(select a.state from attempts a where a.job_id = j.id order by a.id) attempts
             from jobs j join media_files f on f.id = j.file_id order by j.id`),
    quiet: async (limitMs, afterScan = 0) =>
      void (await until('an empty queue', async () => isQuiet(await query(stillBusy(afterScan))), limitMs)),
    newestScan: async () => Number((await query<{ id: number }>('select coalesce(max(id), 0)::int as id from scans'))[0]!.id),
    close: () => sql.end({ timeout: 5 }),
  };
}

/** Zero only after at least one scan: an empty program that has not begun yet is not "quiet". */
const stillBusy = (afterScan: number): string => `
  select (select count(*) from scans where state = 'completed' and id > ${Math.trunc(afterScan)}) as scanned,
         (select count(*) from scans where state = 'running')
       + (select count(*) from jobs where state in ('available', 'running'))
       + (select count(*) from media_files where status in ('new', 'settling')) as busy`;

function isQuiet(rows: { scanned?: unknown; busy?: unknown }[]): boolean {
  return Number(rows[0]?.scanned) > 0 && Number(rows[0]?.busy) === 0;
}
