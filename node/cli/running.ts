import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { loadOptions } from '../config/load.ts';
import { codeOf, messageOf, PlainError } from '../errors.ts';
import { serviceDataDirs } from './service/record.ts';

interface Runtime {
  url: string;
  pid: number;
  /** lets the command line in; readable by the owner of the data directory only */
  secret: string;
  /** PEM of what it shows at that address; absent without TLS */
  certificate?: string | null;
  /** its libraries are added, or it waits for a person; before, a start may still fail */
  ready?: boolean;
}

/** The running program of this machine, as far as the command line may ask it. */
export interface Running {
  pid: number;
  url: string;
  ready: boolean;
  api: <T>(method: string, path: string, body?: unknown) => Promise<T>;
  /** a file of the API, written as it comes; whole or not at all. With a body it is asked for by POST */
  download: (path: string, file: string, body?: unknown) => Promise<void>;
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

/** The running program of a data directory, asked over its own API. Unless one is named, a service of this machine counts too. */
export async function running(values: Record<string, unknown>, timeoutMs = 60_000): Promise<Running> {
  const { dataDir } = loadOptions(values);
  const isNamed = values['data-dir'] !== undefined || Boolean(process.env['CODECSHIFT_DATA_DIR']);
  const places = isNamed ? [dataDir] : [dataDir, ...serviceDataDirs().filter((each) => each !== dataDir)];
  const runtime = await firstRuntime(places);
  const hint = `Start it with "codecshift run", or name its data directory with --data-dir (looked in ${places.join(' and ')}).`;
  if (!runtime) throw new PlainError(`CodecShift is not running here. ${hint}`);
  const silent = (error: unknown): never => {
    throw new PlainError(`CodecShift does not answer at ${runtime.url}. ${hint}`, { cause: error });
  };
  return {
    pid: runtime.pid,
    url: runtime.url,
    ready: runtime.ready === true,
    async api(method, route, body) {
      const headers: Record<string, string> = { accept: 'application/json', authorization: `Bearer ${runtime.secret}` };
      if (body !== undefined) headers['content-type'] = 'application/json';
      const sent = body === undefined ? null : JSON.stringify(body);
      const answer = await ask(new URL(`/api/v1${route}`, runtime.url), { method, headers, sent, timeoutMs, runtime }).catch(silent);
      if (answer.status < 200 || answer.status > 299) throw refusal(answer);
      return answer.data as never;
    },
    async download(route, target, body) {
      const headers: Record<string, string> = { authorization: `Bearer ${runtime.secret}` };
      if (body !== undefined) headers['content-type'] = 'application/json';
      const asked = body === undefined ? { method: 'GET', sent: null } : { method: 'POST', sent: JSON.stringify(body) };
      const signal = AbortSignal.timeout(2 * 3600_000);
      const response = await send(new URL(`/api/v1${route}`, runtime.url), { ...asked, headers, signal, runtime }).catch(silent);
      if (response.statusCode !== 200) throw refusal(await answerOf(response).catch(silent));
      try {
        await pipeline(response, createWriteStream(`${target}.part`, { mode: 0o600 }));
        await rename(`${target}.part`, target);
      } catch (cause) {
        await unlink(`${target}.part`).catch(() => {});
        throw new PlainError(`${target} could not be written: ${messageOf(cause)}.`, { cause });
      }
    },
  };
}

/** @throws PlainError when there is one that belongs to another user */
async function firstRuntime(places: readonly string[]): Promise<Runtime | null> {
  for (const dataDir of places) {
    try {
      return JSON.parse(await readFile(file(dataDir), 'utf8')) as Runtime;
    } catch (error) {
      if (codeOf(error) === 'EACCES')
        throw new PlainError(
          `The program of ${dataDir} belongs to another user, and only that one and root may ask it: say the same with sudo.`,
          {
            cause: error,
          },
        );
    }
  }
  return null;
}

async function ask(
  url: URL,
  wish: { method: string; headers: Record<string, string>; sent: string | null; timeoutMs: number; runtime: Runtime },
): Promise<Answer> {
  const { method, headers, sent, timeoutMs, runtime } = wish;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await answerOf(await send(url, { method, headers, sent, signal, runtime }));
  } catch (error) {
    // http says only that it was aborted; that it took too long is what the doctor wants to know
    throw signal.aborted ? signal.reason : error;
  }
}

/**
 * Over TLS exactly the certificate is believed that the program itself wrote down, whatever names are in it: what leads here is
 * the address of this machine, not a name of the certificate.
 */
async function send(
  url: URL,
  wish: { method: string; headers: Record<string, string>; sent: string | null; signal: AbortSignal; runtime: Runtime },
): Promise<IncomingMessage> {
  const { method, headers, sent, signal, runtime } = wish;
  const init = { method, headers, agent: false, signal };
  const pinned = { ca: runtime.certificate ?? [], allowPartialTrustChain: true, checkServerIdentity: () => undefined };
  const request = url.protocol === 'https:' ? httpsRequest(url, { ...init, ...pinned }) : httpRequest(url, init);
  request.end(sent ?? undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  // a line that breaks later is told by the response; without a listener it would end the process
  request.on('error', () => {});
  return response;
}

interface Answer {
  status: number;
  /** null where it is no JSON */
  data: unknown;
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, data: parsed(Buffer.concat(chunks).toString('utf8')) };
}

/** In the words of the program, if it said any. */
function refusal({ status, data }: Answer): PlainError {
  return new PlainError((data as { error?: { message?: string } } | null)?.error?.message ?? `CodecShift answered with ${status}.`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
