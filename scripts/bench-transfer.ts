import { spawn, type ChildProcess } from 'node:child_process';
import { constants, createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createLog } from '../node/log.ts';
import { fetchFile, type BulkAddress } from '../node/mesh/bulk-client.ts';
import { createBulkServer } from '../node/mesh/bulk-server.ts';
import { tlsSettings } from '../node/mesh/bulk-tls.ts';

/**
 * What `fetchFile` costs over a bare download of the same file by node:https with the same cipher, which checks nothing,
 * resumes nothing and counts nothing: `node scripts/node.cjs scripts/bench-transfer.ts [--mib 1024] [--rounds 5] [--dir /somewhere]`.
 *
 * Sender and receiver are two processes on this machine; the receiver writes to a disk and syncs. The rounds alternate,
 * because nothing else can be compared; medians are printed, and the ratio of each pair of rounds.
 */
const { values: options, positionals } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '5' },
    dir: { type: 'string', default: tmpdir() },
  },
  allowPositionals: true,
});
const [kindOrRole, role, ...words] = positionals;
type Kind = 'bare https' | 'fetchFile';

if (role === 'send') await send(kindOrRole as Kind, words[0]!);
else if (role === 'receive') await receive(kindOrRole as Kind, words[0]!, JSON.parse(words[1]!) as Offer);
else await compare();

interface Offer extends BulkAddress {
  sizeBytes: number;
}
interface Cost {
  seconds: number;
  cpuSeconds: number;
  /** high-water mark of the resident memory */
  rssMib: number;
}

async function compare(): Promise<void> {
  const [mib, rounds] = [Number(options.mib), Number(options.rounds)];
  const folder = mkdtempSync(join(options.dir, 'codecshift-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const source = join(folder, 'source');
  await writeRandom(source, mib);
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}; Node.js ${process.version}`,
  );
  console.log(`${mib} MiB, ${rounds} rounds each, loopback, to disk and synced; sha256 on the receiver's side only with fetchFile\n`);
  const pairs: Record<Kind, Result>[] = [];
  for (let round = 0; round < rounds; round++) {
    const bare = await once('bare https', source, join(folder, 'target'));
    const ours = await once('fetchFile', source, join(folder, 'target'));
    pairs.push({ 'bare https': bare, fetchFile: ours });
    console.log(`round ${round + 1}: ${line(bare)}  |  ${line(ours)}`);
  }
  const of = (kind: Kind, what: (result: Result) => number): number => median(pairs.map((pair) => what(pair[kind])));
  for (const kind of ['bare https', 'fetchFile'] as const) {
    const [speed, sender, receiver] = [of(kind, (r) => r.mbPerSecond), of(kind, (r) => r.senderPerGb), of(kind, (r) => r.receiverPerGb)];
    console.log(`\n${kind.padEnd(10)} ${speed.toFixed(0)} MB/s, CPU s/GB ${sender.toFixed(2)} sender + ${receiver.toFixed(2)} receiver`);
    console.log(
      `           memory at most ${of(kind, (r) => r.senderRss).toFixed(0)} MiB sender, ${of(kind, (r) => r.receiverRss).toFixed(0)} MiB receiver`,
    );
  }
  const ratio = (what: (result: Result) => number): string =>
    median(pairs.map((p) => what(p.fetchFile) / what(p['bare https']))).toFixed(2);
  console.log(
    `\nfetchFile against bare https: throughput ×${ratio((r) => r.mbPerSecond)}, processor ×${ratio((r) => r.senderPerGb + r.receiverPerGb)}`,
  );
}

interface Result {
  mbPerSecond: number;
  senderPerGb: number;
  receiverPerGb: number;
  senderRss: number;
  receiverRss: number;
}

async function once(kind: Kind, source: string, target: string): Promise<Result> {
  rmSync(target, { force: true });
  const sender = start(kind, 'send', [source]);
  const offer = await sender.line();
  const receiver = start(kind, 'receive', [target, offer]);
  const got = JSON.parse(await receiver.line()) as Cost;
  sender.child.stdin!.end();
  const gave = JSON.parse(await sender.line()) as Cost;
  const gigabytes = statSync(source).size / 1e9;
  if (statSync(target).size !== statSync(source).size) throw new Error(`${kind} brought another size`);
  return {
    mbPerSecond: (gigabytes * 1000) / got.seconds,
    senderPerGb: gave.cpuSeconds / gigabytes,
    receiverPerGb: got.cpuSeconds / gigabytes,
    senderRss: gave.rssMib,
    receiverRss: got.rssMib,
  };
}

function start(kind: Kind, role: 'send' | 'receive', args: string[]): { child: ChildProcess; line: () => Promise<string> } {
  const child = spawn(process.execPath, [import.meta.filename, kind, role, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return {
    child,
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the ${role} process of ${kind} ended without a word`);
      return value;
    },
  };
}

async function send(kind: Kind, file: string): Promise<void> {
  const sizeBytes = statSync(file).size;
  const ended = new Promise((resolve) => process.stdin.resume().once('end', resolve));
  const offer = kind === 'fetchFile' ? await offerOurs(file, sizeBytes) : await offerBare(file);
  const cost = measure();
  console.log(JSON.stringify({ host: '127.0.0.1', sizeBytes, ...offer }));
  await ended;
  console.log(JSON.stringify(cost()));
  process.exit();
}

async function offerOurs(file: string, sizeBytes: number): Promise<Omit<Offer, 'host' | 'sizeBytes'>> {
  const server = createBulkServer({ port: 0, mbps: () => 0, log: createLog({ level: 'warn', pretty: true }) });
  return { port: await server.start(), ...server.offerFile({ file, sizeBytes, reader: 'bench', seconds: 600 }) };
}

async function offerBare(file: string): Promise<Omit<Offer, 'host' | 'sizeBytes'>> {
  const psk = Buffer.alloc(32, 7);
  const server = createServer({ ...tlsSettings, pskCallback: () => psk }, (_request, response) => {
    response.setHeader('content-length', statSync(file).size);
    pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), response).catch(() => process.exit(1));
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return { port: (server.address() as AddressInfo).port, identity: 'bench', key: psk.toString('base64url') };
}

async function receive(kind: Kind, target: string, offer: Offer): Promise<void> {
  const cost = measure();
  if (kind === 'fetchFile') {
    const signal = AbortSignal.timeout(600_000);
    const { sizeBytes } = offer;
    await fetchFile({ open: async () => offer, target, sizeBytes, sha256: null, mbps: () => 0, stallMs: 20_000, signal });
  } else await receiveBare(target, offer);
  console.log(JSON.stringify(cost()));
}

async function receiveBare(target: string, { host, port, identity, key }: Offer): Promise<void> {
  const psk = Buffer.from(key, 'base64url');
  const agent = new Agent({ ...tlsSettings, pskCallback: () => ({ psk, identity }), checkServerIdentity: () => undefined });
  const asked = request({ host, port, agent });
  const [response] = (await new Promise((resolve, reject) => {
    asked.once('response', (...args) => resolve(args)).once('error', reject);
    asked.end();
  })) as [NodeJS.ReadableStream];
  await pipeline(response, createWriteStream(target, { highWaterMark: 1 << 20 }));
  const handle = await open(target, constants.O_RDWR);
  await handle.datasync();
  await handle.close();
}

function measure(): () => Cost {
  const [started, before] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(before);
    return {
      seconds: (performance.now() - started) / 1000,
      cpuSeconds: (user + system) / 1e6,
      rssMib: process.resourceUsage().maxRSS / 1024,
    };
  };
}

async function writeRandom(path: string, mib: number): Promise<void> {
  const { randomBytes } = await import('node:crypto');
  const handle = await open(path, 'w');
  for (let written = 0; written < mib; written++) await handle.write(randomBytes(1024 * 1024));
  await handle.sync();
  await handle.close();
}

function line({ mbPerSecond, senderPerGb, receiverPerGb }: Result): string {
  return `${mbPerSecond.toFixed(0).padStart(4)} MB/s, CPU s/GB ${senderPerGb.toFixed(2)} + ${receiverPerGb.toFixed(2)}`;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
