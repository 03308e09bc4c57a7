import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePorts } from './free-ports.ts';
import { memoryFolder } from './memory-folder.ts';

/** A real PostgreSQL for tests: its own directory, its own port on this machine, gone afterwards; it need not outlive a power cut. */
export interface TestPostgres {
  /** the superuser's URL of the database `postgres` */
  url: string;
  port: number;
  directory: string;
  /** 'immediate' is what a crash of the server looks like from outside */
  restart(mode: 'fast' | 'immediate'): Promise<void>;
  /** the server ends, its data stays */
  halt(mode: 'fast' | 'immediate'): Promise<void>;
  /** after `halt`: the same server on the same port */
  resume(): Promise<void>;
  /** stops it and removes its directory; blocks, so that it also works while the process exits */
  stop(): void;
}

/** The directory with initdb and pg_ctl, or null when this machine has no PostgreSQL. */
export function findPostgres(): string | null {
  const debian = '/usr/lib/postgresql';
  const versions = fs.existsSync(debian) ? fs.readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = [
    process.env['CODECSHIFT_TEST_POSTGRES_BIN'],
    ...versions.map((version) => path.join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(path.delimiter),
  ];
  return candidates.find((bin) => bin && fs.existsSync(path.join(bin, 'initdb')) && fs.existsSync(path.join(bin, 'pg_ctl'))) ?? null;
}

/** Makes and starts a server. As root it runs as the user `postgres`, because PostgreSQL refuses root. */
export async function startPostgres(bin: string | null = findPostgres()): Promise<TestPostgres> {
  if (bin === null)
    throw new Error('no PostgreSQL on this machine: install it, or set CODECSHIFT_TEST_POSTGRES_BIN to the directory of initdb');
  const user = serverUser();
  const directory = fs.mkdtempSync(path.join(memoryFolder(), 'codecshift-postgres-'));
  const data = path.join(directory, 'data');
  const passwordFile = path.join(directory, 'password');
  fs.writeFileSync(passwordFile, 'test password', { mode: 0o600 });
  if (user) for (const owned of [directory, passwordFile]) fs.chownSync(owned, user.uid, user.gid);
  await runTool(
    path.join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--locale=C', '-N'],
    user,
  );
  const port = await freePorts(1);
  const settings = `-p ${port} -k '${directory}' -c listen_addresses=127.0.0.1 -c max_connections=200 -c shared_buffers=64MB -c fsync=off`;
  const control = (...args: string[]): Promise<void> =>
    runTool(path.join(bin, 'pg_ctl'), ['-D', data, '-w', '-t', '120', '-o', settings, '-l', path.join(directory, 'log'), ...args], user);
  await control('start');
  return {
    url: `postgres://postgres:test%20password@127.0.0.1:${port}/postgres`,
    port,
    directory,
    restart: (mode) => control('restart', '-m', mode),
    halt: (mode) => control('stop', '-m', mode),
    resume: () => control('start'),
    stop() {
      spawnSync(path.join(bin, 'pg_ctl'), ['-D', data, '-w', '-m', 'immediate', 'stop'], { stdio: 'ignore', ...user, cwd: '/' });
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface ServerUser {
  uid: number;
  gid: number;
}

function serverUser(): ServerUser | null {
  if (process.getuid?.() !== 0) return null;
  const ask = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: ask('-u'), gid: ask('-g') };
}

async function runTool(file: string, args: string[], user: ServerUser | null): Promise<void> {
  // output to a file, not a pipe: the server inherits it and would hold a pipe open for ever
  const log = path.join(os.tmpdir(), `codecshift-tool-${process.pid}-${Math.random().toString(36).slice(2)}.log`);
  const handle = fs.openSync(log, 'w');
  try {
    const child = spawn(file, args, { ...user, stdio: ['ignore', handle, handle], cwd: '/' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`${path.basename(file)} ended with ${code}: ${fs.readFileSync(log, 'utf8')}`);
  } finally {
    fs.closeSync(handle);
    fs.rmSync(log, { force: true });
  }
}
