import { execFileSync, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { openBooks } from './books.ts';
import type { Books } from './books.ts';
import { familyOf } from './network-commands.ts';
import type { Network } from './network.ts';
import { findPostgres } from './postgres.ts';

/** A PostgreSQL on a machine of its own, which the others reach only over the network `db`, and which really ends. */
export interface ClusterDatabase {
  /** what the nodes are given as DATABASE_URL */
  url: string;
  readonly running: boolean;
  /** resolves when it takes connections, after its recovery */
  start(): Promise<void>;
  /** 'fast' ends sessions in order, 'immediate' and 'power' are crashes: of the server, and of its whole machine */
  stop(how: 'fast' | 'immediate' | 'power'): Promise<void>;
  pause(): void;
  resume(): void;
  /** for the judge, past the network, while the server stays up; to be closed */
  books(): Books;
  /** one question by a client that lives no longer than the answer, and seconds at most: no end of the server hangs or harms it */
  ask<T>(sql: string): Promise<T[]>;
}

/** Makes a server on the machine `db`. @throws Error when this machine has no PostgreSQL */
export async function createClusterDatabase(network: Network, machine: string, directory: string): Promise<ClusterDatabase> {
  const bin = findPostgres();
  if (bin === null) throw new Error('no PostgreSQL on this machine');
  const user = { uid: idOf('-u'), gid: idOf('-g') };
  const data = makeServer(bin, directory, user);
  const url = `postgres://postgres:test@${network.address(machine, 'db')}:5432/postgres`;
  const words = [join(bin, 'postgres'), '-D', data, '-k', directory, '-p', '5432', ...settings(network.address(machine, 'db'))];
  let server: ChildProcess | null = null;
  const books = (): Books => openBooks(url, directory);

  return {
    url,
    get running() {
      return server !== null;
    },
    async start() {
      if (server) return;
      const child = network.spawnAs(machine, user, words, { cwd: '/' });
      server = child;
      child.once('exit', () => void (server === child && (server = null)));
      await ready(child, join(directory, 'log'));
    },
    async stop(how) {
      const child = server;
      if (!child?.pid) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (how === 'power') for (const pid of familyOf(child.pid)) signal(pid, 'SIGKILL');
      else signal(child.pid, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await gone;
      server = null;
    },
    // a postmaster that stands still alone would leave its sessions at work
    pause: () => void (server?.pid && familyOf(server.pid).forEach((pid) => signal(pid, 'SIGSTOP'))),
    resume: () => void (server?.pid && familyOf(server.pid).forEach((pid) => signal(pid, 'SIGCONT'))),
    books,
    ask: <T>(sql: string) => askOnce<T>(directory, sql),
  };
}

async function askOnce<T>(socket: string, sql: string): Promise<T[]> {
  const client = new pg.Client({
    ...{ host: socket, port: 5432, user: 'postgres', password: 'test', database: 'postgres' },
    ...{ connectionTimeoutMillis: 2000, query_timeout: 2000 },
    types: { getTypeParser: ((id: number) => (id === 20 ? Number : pg.types.getTypeParser(id))) as typeof pg.types.getTypeParser },
  });
  // an error beside a question has nobody else who hears it
  client.on('error', () => undefined);
  try {
    await client.connect();
    const result = (await client.query(sql)) as pg.QueryResult | pg.QueryResult[];
    return (Array.isArray(result) ? result.at(-1)! : result).rows as T[];
  } finally {
    await Promise.race([client.end().catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 500).unref())]);
  }
}

function settings(address: string): string[] {
  const values = {
    listen_addresses: `127.0.0.1,${address}`,
    max_connections: 200,
    shared_buffers: '64MB',
    fsync: 'on',
    // a client behind a cut cable must not hold its session, and with it its locks, for hours
    tcp_keepalives_idle: 5,
    tcp_keepalives_interval: 2,
    tcp_keepalives_count: 3,
  };
  return Object.entries(values).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
}

function makeServer(bin: string, directory: string, user: { uid: number; gid: number }): string {
  const data = join(directory, 'data');
  const password = join(directory, 'password');
  mkdirSync(directory, { recursive: true });
  writeFileSync(password, 'test', { mode: 0o600 });
  for (const owned of [directory, password]) chownSync(owned, user.uid, user.gid);
  const words = ['-D', data, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${password}`, '--encoding=UTF8', '--locale=C', '-N'];
  const made = spawnSync(join(bin, 'initdb'), words, { ...user, cwd: '/', encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`initdb ended with ${made.status}: ${made.stderr}`);
  appendFileSync(join(data, 'pg_hba.conf'), 'host all all 10.0.0.0/8 scram-sha-256\n');
  return data;
}

function ready(child: ChildProcess, log: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error('PostgreSQL did not become ready within four minutes')), 240_000);
    const hear = (chunk: Buffer): void => {
      if (existsSync(dirname(log))) appendFileSync(log, chunk); // its last words may come when its folder is gone
      if (!chunk.toString().includes('ready to accept connections')) return;
      clearTimeout(limit);
      resolve();
    };
    child.stdout!.on('data', hear);
    child.stderr!.on('data', hear);
    child.once('exit', (code) => {
      clearTimeout(limit);
      reject(new Error(`PostgreSQL ended with ${code}; its words are in ${log}`));
    });
  });
}

function idOf(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ended meanwhile
  }
}
