import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Ticket } from '../core/cluster.ts';
import type { Fingerprint, Probe } from '../core/media.ts';
import { makePlan, type WorkPlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import { PlainError } from '../errors.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { createControl, transcode } from '../ffmpeg/transcode.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { createLog } from '../log.ts';
import { fetchFile } from '../mesh/bulk-client.ts';
import { createBulkServer } from '../mesh/bulk-server.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { GrantedJob, ProtocolRequest } from '../mesh/messages.ts';
import { createOutbox, type Report } from '../mesh/outbox.ts';
import type { FetchOutput } from './arrive.ts';
import type { Order } from './incoming-crash.child.ts';
import { takeReports } from '../testing/mesh-samples.ts';
import { createKeeper, type Keeper } from './keeper.ts';
import { loadRoots, type KeeperRoots } from './roots.ts';
import { localSource, servedSource } from './serve.ts';

/** Keepers whose outputs are made by another node: real films, real ffmpeg; the coordinator and the worker are this test. */
const log = createLog({ level: 'fatal', pretty: true });
const worker = 'worker-c';
const ticket = { payload: '{}', signature: '' };
const ids = { term: 1, job: 1, attempt: 1 };
const name = 'Film (1999).mkv';
let tools: Tools;
let workshop: string;
let film: string;
let made: string;
let output: Buffer;
let probe: Probe;
let plan: WorkPlan;

before(async () => {
  tools = await oneFfmpeg();
  workshop = mkdtempSync(path.join(os.tmpdir(), 'codecshift-workshop-'));
  film = path.join(workshop, name);
  made = path.join(workshop, 'output.mkv');
  const lavfi = ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=320x180:d=1:r=25'];
  execFileSync(tools.ffmpeg.path, [...lavfi, '-c:v', 'libx264', '-crf', '1', '-preset', 'ultrafast', film]);
  probe = await probeFile({ tools, path: film });
  const facts = { path: name, fingerprint: await fingerprint(film), madeByUs: false, readOnly: false };
  plan = makePlan(probe, facts, defaultProfile) as WorkPlan;
  const profile = { ...defaultProfile, speed: 'fast' as const };
  const encoder = { name: 'libx265' as const, device: null };
  await transcode({ tools, plan, profile, probe, encoder, input: film, output: made, stallMs: 60_000, control: createControl() });
  output = readFileSync(made);
});
after(() => rmSync(workshop, { recursive: true, force: true }));

interface House {
  base: string;
  films: string;
  film: string;
  root: string;
  print: Fingerprint;
}

/** A library on a disk, and the first keeper that has it. */
async function house(t: TestContext, fetch: FetchOutput): Promise<House & { a: One }> {
  const base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-incoming-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const films = path.join(base, 'films');
  mkdirSync(films);
  copyFileSync(film, path.join(films, name));
  const a = await one(t, { base, node: 'keeper-a', films, fetch });
  return { base, films, film: path.join(films, name), root: a.root, print: await fingerprint(path.join(films, name)), a };
}

interface One {
  node: string;
  dataDir: string;
  root: string;
  roots: KeeperRoots;
  keeper: Keeper;
  stop(): Promise<void>;
  next(event: Report['event']): Promise<Report>;
  grant(wish: ProtocolRequest<'grant'>): Promise<unknown>;
}

async function one(
  t: TestContext,
  options: { base: string; node: string; films: string; fetch: FetchOutput; patienceMs?: number },
): Promise<One> {
  const { node } = options;
  const dataDir = path.join(options.base, node);
  mkdirSync(dataDir, { recursive: true });
  const mesh = createLocalMesh(node, log);
  const reports = takeReports(mesh);
  const outbox = createOutbox({ directory: path.join(dataDir, 'outbox'), mesh, coordinator: () => node, log, retryMs: 10 });
  await outbox.start();
  const roots = await loadRoots(dataDir);
  const { rootId } = await roots.adopt(options.films);
  const keeper = createKeeper({
    mesh,
    roots,
    tools,
    outbox,
    outputOf: () => Promise.reject(new Error('made elsewhere')),
    fetch: options.fetch,
    patienceMs: options.patienceMs ?? 60_000,
    onAdopted: async () => {},
    log,
  });
  await keeper.start();
  const stop = async (): Promise<void> => {
    await keeper.stop();
    await outbox.stop();
  };
  t.after(stop);
  return {
    node,
    dataDir,
    root: rootId,
    roots,
    keeper,
    stop,
    async next(event) {
      const report = await reports.next();
      assert.equal(report.event, event, JSON.stringify(report).slice(0, 3000));
      return report;
    },
    grant: (wish) => mesh.request(node, 'grant', wish),
  };
}

function verifyGrant(s: House, change: { attempt?: number; sizeBytes?: number } = {}): ProtocolRequest<'grant'> {
  return {
    op: 'verify',
    ...ids,
    attempt: change.attempt ?? 1,
    root: s.root,
    path: name,
    fingerprint: s.print,
    probe: probe as never,
    plan: plan as never,
    profile: defaultProfile as never,
    output: {
      node: worker,
      sizeBytes: change.sizeBytes ?? output.length,
      sha256: createHash('sha256').update(output).digest('hex'),
      frames: 25,
    },
    ticket,
    timeoutSeconds: 120,
  };
}

/** Goes on from what is there, as the data plane does; tells from where. */
function resuming(starts: number[]): FetchOutput {
  return async ({ target, onProgress }) => {
    const have = existsSync(target) ? statSync(target).size : 0;
    starts.push(have);
    appendFileSync(target, output.subarray(have));
    onProgress(output.length);
  };
}

const until = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));

function arrivals(s: House, node = 'keeper-a'): string[] {
  const directory = path.join(s.films, '.codecshift', 'incoming', node);
  return existsSync(directory) ? readdirSync(directory) : [];
}

function reasonOf(report: Report): unknown[] {
  return ['reason' in report && report.reason.code, 'retry' in report && report.retry];
}

test('an output of another machine comes over the real data plane, is checked and takes its place without a second copy', async (t) => {
  const server = createBulkServer({ port: 0, mbps: () => 0, log });
  const port = await server.start();
  t.after(() => server.stop());
  const s = await house(t, ({ target, sizeBytes, sha256, onProgress, signal }) => {
    const open = async (): Promise<{ host: string; port: number; identity: string; key: string; sizeBytes: number }> => ({
      host: '127.0.0.1',
      port,
      ...server.offerFile({ file: made, sizeBytes, reader: 'keeper-a', seconds: 60 }),
      sizeBytes,
    });
    return fetchFile({ open, target, sizeBytes, sha256, mbps: () => 0, stallMs: 60_000, onProgress, signal });
  });
  await s.a.grant(verifyGrant(s));
  await s.a.next('verified');
  assert.deepEqual(arrivals(s), [], 'delivered, so it is not needed twice');
  assert.deepEqual(await s.a.keeper.attempts(), [1]);
  const { op: _op, ...verify } = verifyGrant(s) as Extract<ProtocolRequest<'grant'>, { op: 'verify' }>;
  const { term, job, attempt, root, fingerprint: print, output: promised } = verify;
  const where = { path: name, target: name, sha256: promised.sha256, hardLinked: 'skip' as const };
  await s.a.grant({ op: 'replace', term, job, attempt, root, fingerprint: print, ...where });
  await s.a.next('replaced');
  assert.deepEqual(readFileSync(s.film), output);
  assert.equal(statSync(s.film).nlink, 1);
});

test('a transfer that breaks waits, is named to the coordinator, and goes on where it was', async (t) => {
  const starts: number[] = [];
  let breaks = 1;
  const s = await house(t, async (wish) => {
    if (breaks-- > 0) {
      writeFileSync(wish.target, output.subarray(0, 5000));
      throw new PlainError('the other side is away', { retry: true });
    }
    await resuming(starts)(wish);
  });
  await s.a.grant(verifyGrant(s));
  assert.deepEqual(reasonOf(await s.a.next('not-verified')), ['keeper-away', true]);
  assert.deepEqual(await s.a.keeper.attempts(), [1]);
  await s.a.grant(verifyGrant(s));
  await s.a.next('verified');
  assert.deepEqual(starts, [5000]);
});

test('a keeper that was killed in the middle of a transfer goes on with it at its next start', async (t) => {
  const starts: number[] = [];
  const s = await house(t, resuming(starts));
  await s.a.stop();
  const firstHalf = output.subarray(0, 7000).toString('base64');
  const order: Order = { node: 'keeper-a', dataDir: s.a.dataDir, grant: verifyGrant(s), firstHalf };
  const program = fileURLToPath(new URL('./incoming-crash.child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const again = await one(t, { base: s.base, node: 'keeper-a', films: s.films, fetch: resuming(starts) });
  assert.deepEqual(await again.keeper.attempts(), [1]);
  await again.grant(verifyGrant(s));
  await again.next('verified');
  assert.deepEqual(starts, [7000]);
  assert.deepEqual(arrivals(s), []);
});

test('two keepers of one root never touch what arrives for the other', async (t) => {
  const begun = Promise.withResolvers<void>();
  const s = await house(t, ({ target, signal }) => {
    writeFileSync(target, output.subarray(0, 6000));
    begun.resolve();
    return until(signal);
  });
  await s.a.grant(verifyGrant(s));
  await begun.promise;
  const b = await one(t, { base: s.base, node: 'keeper-b', films: s.films, fetch: resuming([]) });
  assert.deepEqual(await b.keeper.attempts(), []);
  await b.keeper.drop([1]);
  assert.deepEqual(arrivals(s), ['1.mkv']);
  await b.grant(verifyGrant(s));
  await b.next('verified');
  assert.equal(statSync(path.join(s.films, '.codecshift', 'incoming', 'keeper-a', '1.mkv')).size, 6000);
  assert.deepEqual(arrivals(s, 'keeper-b'), []);
});

test('an attempt that is given up ends its transfer at once and takes with it what arrived', async (t) => {
  const begun = Promise.withResolvers<void>();
  const s = await house(t, ({ target, signal }) => {
    writeFileSync(target, 'half');
    begun.resolve();
    return until(signal);
  });
  await s.a.grant(verifyGrant(s));
  await begun.promise;
  await s.a.grant(verifyGrant(s, { attempt: 2 })); // waits in the line behind the first
  await s.a.grant({ op: 'discard', ...ids, attempt: 2, root: s.root, path: name });
  assert.deepEqual(arrivals(s), ['1.mkv']);
  await s.a.keeper.drop([1]);
  assert.deepEqual(arrivals(s), ['1.mkv'], 'it is being worked on');
  await s.a.grant({ op: 'discard', ...ids, root: s.root, path: name });
  assert.deepEqual(arrivals(s), []);
  assert.deepEqual(await s.a.keeper.attempts(), []);
});

test('what the coordinator knows to be over goes, and nothing else', async (t) => {
  const s = await house(t, ({ target }) => {
    writeFileSync(target, 'half');
    return Promise.reject(new PlainError('away', { retry: true }));
  });
  for (const attempt of [1, 11]) {
    await s.a.grant(verifyGrant(s, { attempt }));
    await s.a.next('not-verified');
  }
  await s.a.keeper.drop([1]);
  assert.deepEqual(arrivals(s), ['11.mkv']);
  assert.deepEqual(await s.a.keeper.attempts(), [11]);
});

test('what nobody asked for since a day goes at the start; what is fresh, or not named like ours, stays', async (t) => {
  const s = await house(t, resuming([]));
  await s.a.stop();
  const directory = path.join(s.films, '.codecshift', 'incoming', 'keeper-a');
  mkdirSync(directory, { recursive: true });
  for (const file of ['5.mkv', '6.mkv', 'notes.txt']) writeFileSync(path.join(directory, file), 'x');
  const old = new Date(Date.now() - 25 * 3600_000);
  for (const file of ['5.mkv', 'notes.txt']) utimesSync(path.join(directory, file), old, old);
  await one(t, { base: s.base, node: 'keeper-a', films: s.films, fetch: resuming([]) });
  assert.deepEqual(arrivals(s), ['6.mkv', 'notes.txt']);
});

test('a file that has a second name by now is never written to again', async (t) => {
  const s = await house(t, resuming([]));
  const directory = path.join(s.films, '.codecshift', 'incoming', 'keeper-a');
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, '1.mkv'), 'a film of the library');
  linkSync(path.join(directory, '1.mkv'), path.join(s.films, 'other.mkv'));
  await s.a.grant(verifyGrant(s));
  await s.a.next('verified');
  assert.equal(readFileSync(path.join(s.films, 'other.mkv'), 'utf8'), 'a film of the library');
});

test('what goes wrong on the way has its own name: room, damage, silence, a worker that lost it', async (t) => {
  const answers: FetchOutput[] = [];
  const s = await house(t, (wish) => answers.shift()!(wish));
  const no = (code: 'hash-mismatch' | 'file-changed' | 'delivery-failed', retry: boolean): FetchOutput => {
    return ({ target }) => (writeFileSync(target, 'x'), Promise.reject(new PlainError('no', { reason: { code }, retry })));
  };
  await s.a.grant(verifyGrant(s, { sizeBytes: 1e15 }));
  assert.deepEqual(reasonOf(await s.a.next('not-verified')), ['no-space', true]);
  answers.push(no('hash-mismatch', false));
  await s.a.grant(verifyGrant(s));
  assert.deepEqual(reasonOf(await s.a.next('not-verified')), ['hash-mismatch', true]);
  assert.deepEqual(arrivals(s), []);
  for (const code of ['file-changed', 'delivery-failed'] as const) {
    answers.push(no(code, false));
    await s.a.grant(verifyGrant(s));
    assert.deepEqual(reasonOf(await s.a.next('not-verified')), ['delivery-failed', true], 'it is encoded again');
  }
  await s.a.stop();
  const b = await one(t, { base: s.base, node: 'keeper-b', films: s.films, patienceMs: 50, fetch: ({ signal }) => until(signal) });
  await b.grant(verifyGrant(s));
  assert.deepEqual(reasonOf(await b.next('not-verified')), ['keeper-away', true]);
});

const sourceTicket = (s: House, change: { root?: string; path?: string; print?: Fingerprint } = {}): Ticket => ({
  kind: 'ticket',
  cluster: '',
  ...ids,
  holder: 'keeper-a',
  reader: worker,
  issuedAt: 0,
  what: 'source',
  root: change.root ?? s.root,
  path: change.path ?? name,
  fingerprint: change.print ?? s.print,
});

test('a ticket opens exactly the film that was planned, and no way leads out of the library', async (t) => {
  const s = await house(t, resuming([]));
  const never = new AbortController().signal;
  assert.deepEqual(await servedSource(s.a.roots, sourceTicket(s), never), { file: s.film, sizeBytes: s.print.sizeBytes });
  mkdirSync(path.join(s.base, 'secret'));
  copyFileSync(s.film, path.join(s.base, 'secret', name));
  symlinkSync(path.join(s.base, 'secret'), path.join(s.films, 'way'));
  symlinkSync(path.join(s.base, 'secret', name), path.join(s.films, 'link.mkv'));
  const print = await fingerprint(path.join(s.base, 'secret', name));
  for (const [hostile, code] of [
    [`../secret/${name}`, 'outside-root'],
    [`way/${name}`, 'outside-root'],
    ['link.mkv', 'not-a-file'],
    [path.join(s.base, 'secret', name), 'outside-root'],
    [`x/../../secret/${name}`, 'outside-root'],
    ['', 'not-a-file'],
    [`Film\0`, 'outside-root'],
    ['gone.mkv', 'missing'],
  ] as const)
    await assert.rejects(
      servedSource(s.a.roots, sourceTicket(s, { path: hostile, print }), never),
      (error: PlainError) => error.reason?.code === code && !error.retry,
      hostile,
    );
  const unknown = sourceTicket(s, { root: '11111111-1111-4111-8111-111111111111' });
  await assert.rejects(
    servedSource(s.a.roots, unknown, never),
    (error: PlainError) => error.reason?.code === 'root-not-mounted' && error.retry,
  );
  appendFileSync(s.film, 'changed');
  await assert.rejects(
    servedSource(s.a.roots, sourceTicket(s), never),
    (error: PlainError) => error.reason?.code === 'file-changed' && !error.retry,
  );
});

test('a film is read here only when it is the very file; another node fetches it, its keeper says what is wrong', async (t) => {
  const s = await house(t, resuming([]));
  const never = new AbortController().signal;
  const grant = (keeper: string): GrantedJob => ({ keeper, root: s.root, path: name, fingerprint: s.print }) as GrantedJob;
  const parts = { node: 'keeper-a', roots: s.a.roots };
  assert.equal(await localSource(parts, grant('keeper-a'), never), s.film);
  assert.equal(await localSource(parts, grant('keeper-b'), never), s.film);
  appendFileSync(s.film, 'changed');
  assert.equal(await localSource(parts, grant('keeper-b'), never), null);
  await assert.rejects(localSource(parts, grant('keeper-a'), never), (e: PlainError) => e.reason?.code === 'file-changed');
  rmSync(path.join(s.films, '.codecshift', 'root.json'));
  assert.equal(await localSource(parts, grant('keeper-b'), never), null);
  await assert.rejects(localSource(parts, grant('keeper-a'), never), (e: PlainError) => e.reason?.code === 'root-not-mounted');
});
