import { chmod, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { loadOptions } from '../config/load.ts';
import { PlainError } from '../errors.ts';

interface Runtime {
  url: string;
  pid: number;
  /** lets the command line in; readable by the owner of the data directory only */
  secret: string;
}

const file = (dataDir: string): string => path.join(dataDir, 'running.json');

/** Tells other commands on this machine where the program is and how to be let in. */
export async function announceRunning(dataDir: string, runtime: Runtime): Promise<void> {
  await writeFile(`${file(dataDir)}.tmp`, JSON.stringify(runtime), { mode: 0o600 });
  await chmod(`${file(dataDir)}.tmp`, 0o600);
  await rename(`${file(dataDir)}.tmp`, file(dataDir));
}

export async function withdrawRunning(dataDir: string): Promise<void> {
  await unlink(file(dataDir)).catch(() => {});
}

/** The running program of a data directory, asked over its own API. */
export async function running(
  values: Record<string, unknown>,
  timeoutMs = 60_000,
): Promise<{ api: <T>(method: string, path: string, body?: unknown) => Promise<T> }> {
  const { dataDir } = loadOptions(values);
  const runtime = await readFile(file(dataDir), 'utf8').then(
    (text) => JSON.parse(text) as Runtime,
    () => null,
  );
  const hint = `Start it with "codecshift run", or name its data directory with --data-dir (looked in ${dataDir}).`;
  if (!runtime) throw new PlainError(`CodecShift is not running here. ${hint}`);
  return {
    async api(method, route, body) {
      const headers: Record<string, string> = { accept: 'application/json', authorization: `Bearer ${runtime.secret}` };
      if (body !== undefined) headers['content-type'] = 'application/json';
      const init: RequestInit = { method, headers, signal: AbortSignal.timeout(timeoutMs) };
      if (body !== undefined) init.body = JSON.stringify(body);
      const answer = await fetch(new URL(`/api/v1${route}`, runtime.url), init).catch((error: unknown) => {
        throw new PlainError(`CodecShift does not answer at ${runtime.url}. ${hint}`, { cause: error });
      });
      const data = (await answer.json().catch(() => null)) as { error?: { message?: string } } | null;
      if (!answer.ok) throw new PlainError(data?.error?.message ?? `CodecShift answered with ${answer.status}.`);
      return data as never;
    },
  };
}
