import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import type { Ticket } from '../core/cluster.ts';
import { noWishes, type NodeWishes } from '../core/node-wishes.ts';
import { makePlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import { PlainError } from '../errors.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { openWorkspace, type Workspace } from '../files/workspace.ts';
import { createLog } from '../log.ts';
import { fetchFile } from '../mesh/bulk-client.ts';
import { createBulkServer } from '../mesh/bulk-server.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, ProtocolRequest, TopicMessage } from '../mesh/messages.ts';
import { createOutbox, type Report } from '../mesh/outbox.ts';
import { progressWhen, welcomeOf } from '../testing/mesh-samples.ts';
import type { Sources } from './source.ts';
import { attemptSpaces } from './spaces.ts';
import { createWorker, type Worker } from './worker.ts';

/** The worker on a machine without the library: real ffmpeg and real files; coordinator and data plane are this test. */
const log = createLog({ level: 'fatal', pretty: true });
const node = 'worker-a';
const root = '00000000-0000-4000-8000-000000000000';
let tools: Tools;
let films: string;
let film: string;
let grantOf: (attempt: number) => GrantedJob;

before(async () => {
  tools = await oneFfmpeg();
  films = mkdtempSync(path.join(os.tmpdir(), 'codecshift-films-'));
  film = path.join(films, 'film.mkv');
  // long enough that its encode still goes on when a slow test pauses it
  const lavfi = ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=320x180:d=8:r=25'];
  execFileSync(tools.ffmpeg.path, [...lavfi, '-c:v', 'libx264', '-crf', '1', '-preset', 'ultrafast', film]);
  const probe = await probeFile({ tools, path: film });
  const print = await fingerprint(film);
  const profile = { ...defaultProfile, speed: 'fast' as const };
  const plan = makePlan(probe, { path: 'film.mkv', fingerprint: print, madeByUs: false, readOnly: false }, profile);
  grantOf = (attempt) => ({
    term: 1,
    job: attempt,
    attempt,
    leaseSeconds: 45,
    keeper: 'keeper-b',
    ticket: null,
    root,
    path: 'Season 1/film.mkv',
    title: 'film',
    fingerprint: print,
    probe: probe as never,
    plan: plan as never,
    profile: profile as never,
  });
});

after(() => rmSync(films, { recursive: true, force: true }));

type Fetch = Sources['fetch'];

interface Stage {
  mesh: Mesh;
  worker: Worker;
  workspace: Workspace;
  claims: ProtocolRequest<'claim'>[];
  /** grants this job to the next claim that asks for its kind */
  give(attempt: number, kind: 'normal' | 'ahead'): void;
  welcome(change?: { wishes?: Partial<NodeWishes>; minFreeBytes?: number; slots?: number }): void;
  next(): Promise<Report>;
  progress(when: (p: TopicMessage<'progress'>) => boolean): Promise<TopicMessage<'progress'>>;
  /** ffmpeg has begun to write */
  encoding(attempt: number): Promise<void>;
  claimed(when: (wish: ProtocolRequest<'claim'>) => boolean): Promise<void>;
  control(attempt: number, want: 'pause' | 'resume' | 'cancel'): Promise<unknown>;
}

/** What a good data plane does, at once. */
const copyAtOnce: Fetch = async (_grant, into, onProgress) => {
  copyFileSync(film, into);
  onProgress(readFileSync(film).length);
  return '';
};

async function stage(t: TestContext, options: { fetch?: Fetch; patienceMs?: number; claimEveryMs?: number } = {}): Promise<Stage> {
  const base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-prefetch-'));
  const mesh = createLocalMesh(node, log);
  const heard: Report[] = [];
  const claims: ProtocolRequest<'claim'>[] = [];
  const given: { attempt: number; ahead: boolean }[] = [];
  const waiters = new Set<() => void>();
  const stir = (): void => waiters.forEach((waiter) => waiter());
  const until = (done: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!done()) return;
        waiters.delete(look);
        resolve();
      };
      waiters.add(look);
      look();
    });
  mesh.handle('claim', async (wish) => {
    claims.push(wish);
    stir();
    const at = given.findIndex((g) => g.ahead === wish.ahead);
    return { granted: at < 0 ? null : grantOf(given.splice(at, 1)[0]!.attempt), why: null };
  });
  mesh.handle('report', async (report) => {
    heard.push(report);
    stir();
    return { accepted: true, why: null };
  });
  const workspace = await openWorkspace(base);
  const outbox = createOutbox({ directory: path.join(base, 'outbox'), mesh, coordinator: () => node, log, retryMs: 10 });
  await outbox.start();
  const worker = createWorker({
    mesh,
    session: root,
    outbox,
    tools,
    log,
    coordinator: () => node,
    encoders: () => [{ name: 'libx265', device: null, works: true, tenBit: true, hardware: false, reason: null, testedAt: '' }],
    detectAgain: () => {},
    source: { local: async () => null, fetch: options.fetch ?? copyAtOnce },
    workspace: attemptSpaces(workspace),
    claimEveryMs: options.claimEveryMs ?? 50,
    ...(options.patienceMs ? { patienceMs: options.patienceMs } : {}),
  });
  t.after(async () => {
    await worker.stop('cancel');
    await outbox.stop();
    rmSync(base, { recursive: true, force: true });
  });
  await worker.start();
  let taken = 0;
  return {
    mesh,
    worker,
    workspace,
    claims,
    give(attempt, kind) {
      given.push({ attempt, ahead: kind === 'ahead' });
      worker.wake();
    },
    welcome: (change = {}) =>
      worker.welcome(
        welcomeOf(node, { slots: change.slots ?? 1, minFreeBytes: change.minFreeBytes ?? 0, wishes: { ...noWishes, ...change.wishes } }),
      ),
    async next() {
      await until(() => heard.length > taken);
      return heard[taken++]!;
    },
    progress: (when) => progressWhen(mesh, when),
    encoding: (attempt) => eventually(async () => existsSync(workspace.outputOf(attempt, '.mkv'))),
    async claimed(when) {
      const from = claims.length;
      await until(() => claims.slice(from).some(when));
    },
    control: (attempt, want) => mesh.request(node, 'control', { term: 1, attempt, want }),
  };
}

async function eventually(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 2));
}

function reasonOf(report: Report): unknown[] {
  return [report.event, 'reason' in report ? report.reason.code : null, 'retry' in report ? report.retry : null];
}

const outputTicket = (attempt: number, sizeBytes: number): Ticket => ({
  kind: 'ticket',
  cluster: '',
  term: 1,
  job: attempt,
  attempt,
  holder: node,
  reader: 'keeper-b',
  issuedAt: 0,
  what: 'output',
  extension: '.mkv',
  sizeBytes,
  sha256: 'a'.repeat(64),
});

test('a film that is not here is fetched over the real data plane, encoded, and only its output stays', async (t) => {
  const server = createBulkServer({ port: 0, mbps: () => 0, log });
  const port = await server.start();
  t.after(() => server.stop());
  let opened = 0;
  const s = await stage(t, {
    fetch: async (grant, into, onProgress, signal) => {
      const sizeBytes = grant.fingerprint.sizeBytes;
      const open = async (): Promise<{ host: string; port: number; identity: string; key: string; sizeBytes: number }> => {
        opened++;
        return { host: '127.0.0.1', port, ...server.offerFile({ file: film, sizeBytes, reader: node, seconds: 60 }), sizeBytes };
      };
      const wish = { open, target: into, sizeBytes, sha256: null, mbps: () => 0, stallMs: 60_000, onProgress, signal };
      return (await fetchFile(wish)).sha256;
    },
  });
  s.welcome();
  s.give(1, 'normal');
  const report = await s.next();
  assert.equal(report.event, 'encoded', JSON.stringify(report).slice(0, 2000));
  if (report.event !== 'encoded') return;
  assert.equal(opened, 1);
  assert.equal(report.output.node, node);
  assert.equal(existsSync(s.workspace.sourceOf(1, 'film.mkv')), false, 'the source went with the end of its encode');
  const served = await s.worker.outputFor(outputTicket(1, report.output.sizeBytes));
  assert.equal(readFileSync(served.file).length, report.output.sizeBytes);
  await assert.rejects(s.worker.outputFor(outputTicket(1, report.output.sizeBytes - 1)), { retry: false });
  await assert.rejects(s.worker.outputFor(outputTicket(2, report.output.sizeBytes)), { retry: false });
});

test('the next film is fetched while the first is encoded, and its encode begins without a fetch in between', async (t) => {
  const fetched: number[] = [];
  const s = await stage(t, {
    fetch: async (grant, ...rest) => {
      fetched.push(grant.attempt);
      return copyAtOnce(grant, ...rest);
    },
  });
  const phases: string[] = [];
  s.mesh.subscribe('progress', (p) => void (p.attempt === 2 && phases.push(p.phase)));
  s.welcome();
  s.give(1, 'normal');
  await s.encoding(1);
  await s.control(1, 'pause'); // the first one shall not end before the second one waits
  s.give(2, 'ahead');
  await s.progress((p) => p.attempt === 2 && p.phase === 'waiting');
  assert.equal(s.worker.busy(), 1);
  await assert.rejects(s.worker.outputFor(outputTicket(2, 1)), { retry: true }, 'it may be asked for again');
  s.give(3, 'ahead');
  await s.progress((p) => p.attempt === 2);
  assert.deepEqual(await s.worker.attempts(), [1, 2], 'one ahead for each slot');
  await s.control(1, 'resume');
  const ended = [await s.next(), await s.next()].map((r) => [r.event, r.attempt]);
  assert.deepEqual(ended, [
    ['encoded', 1],
    ['encoded', 2],
  ]);
  assert.deepEqual(fetched.slice(0, 2), [1, 2]);
  assert.equal(fetched.filter((a) => a === 2).length, 1);
  const waited = phases.lastIndexOf('waiting');
  assert.equal(phases.slice(waited).includes('fetching'), false, phases.join(' '));
  assert.ok(s.claims.some((wish) => wish.ahead && wish.freeSlots === 0));
});

test('a free slot is filled before anything is claimed ahead', async (t) => {
  const s = await stage(t);
  s.welcome({ slots: 1, wishes: { slots: 2 } });
  s.give(1, 'normal');
  await s.encoding(1);
  await s.control(1, 'pause');
  await s.claimed(() => true);
  assert.equal(s.worker.slots(), 2, 'the wish for this node comes before the setting of all');
  assert.equal(
    s.claims.some((wish) => wish.ahead),
    false,
  );
});

test('a paused machine stands still with encodes and transfers, and goes on where it was; one paused by hand stays so', async (t) => {
  const broken = Promise.withResolvers<void>();
  let calls = 0;
  const s = await stage(t, {
    async fetch(grant, into, onProgress, signal) {
      if (grant.attempt === 1) return copyAtOnce(grant, into, onProgress, signal);
      if (++calls === 2) {
        assert.equal(readFileSync(into, 'utf8'), 'the first half');
        return copyAtOnce(grant, into, onProgress, signal);
      }
      writeFileSync(into, 'the first half');
      return await new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => (broken.resolve(), reject(signal.reason as Error)), { once: true }),
      );
    },
  });
  s.welcome();
  s.give(1, 'normal');
  await s.encoding(1);
  await s.control(1, 'pause');
  s.give(2, 'ahead');
  await s.progress((p) => p.attempt === 2 && p.phase === 'fetching');
  s.welcome({ wishes: { paused: true } });
  await broken.promise;
  const asked = s.claims.length;
  await s.progress((p) => p.attempt === 2 && p.paused);
  s.worker.wake();
  assert.equal(s.claims.length, asked, 'nothing is claimed');
  s.welcome();
  await s.progress((p) => p.attempt === 2 && p.phase === 'waiting' && !p.paused);
  assert.equal(calls, 2);
  const first = await s.progress((p) => p.attempt === 1);
  assert.equal(first.paused, true, 'a person paused this one');
  await s.control(1, 'resume');
  assert.deepEqual(reasonOf(await s.next()).slice(0, 1), ['encoded']);
});

test('a machine that begins nothing new gives back what only waits, and finishes what it encodes', async (t) => {
  const s = await stage(t);
  s.welcome();
  s.give(1, 'normal');
  await s.encoding(1);
  await s.control(1, 'pause');
  s.give(2, 'ahead');
  await s.progress((p) => p.attempt === 2 && p.phase === 'waiting');
  s.welcome({ wishes: { draining: true } });
  assert.deepEqual(reasonOf(await s.next()).slice(0, 2), ['released', 'waiting-for-node']);
  const asked = s.claims.length;
  await s.control(1, 'resume');
  const report = await s.next();
  assert.deepEqual([report.event, report.attempt, s.claims.length], ['encoded', 1, asked]);
});

test('where source and output would not fit, nothing is fetched and nothing is claimed ahead', async (t) => {
  let fetched = 0;
  const s = await stage(t, { fetch: async () => String(++fetched) });
  s.welcome({ minFreeBytes: 1e18 });
  s.give(1, 'normal');
  assert.deepEqual(reasonOf(await s.next()), ['failed', 'no-space', true]);
  assert.equal(fetched, 0);
  assert.equal(
    s.claims.some((wish) => wish.ahead),
    false,
  );
  await eventually(async () => (await s.workspace.list()).length === 0);
});

test('what arrives different from what was planned is not encoded', async (t) => {
  const s = await stage(t, {
    async fetch(grant, into, onProgress, signal) {
      await copyAtOnce(grant, into, onProgress, signal);
      truncateSync(into, 30_000);
      return '';
    },
  });
  s.welcome();
  s.give(1, 'normal');
  assert.deepEqual(reasonOf(await s.next()), ['failed', 'source-unreachable', true]);
});

test('a keeper that falls silent is nobody’s failure; one that refuses tells why', async (t) => {
  const answers: Fetch[] = [
    (_grant, _into, _onProgress, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })),
    () => Promise.reject(new PlainError('it changed', { reason: { code: 'file-changed' } })),
    () => Promise.reject(new PlainError('not now', { retry: true })),
    () => Promise.reject(new PlainError('over', { reason: { code: 'lease-lost' } })),
  ];
  const s = await stage(t, { patienceMs: 100, fetch: (...all) => answers.shift()!(...all) });
  s.welcome();
  for (const expected of [
    ['failed', 'keeper-away', true],
    ['failed', 'file-changed', false],
    ['failed', 'keeper-away', true],
    ['failed', 'lease-lost', true],
  ]) {
    s.give(5 - answers.length, 'normal');
    assert.deepEqual(reasonOf(await s.next()), expected);
  }
});

test('a transfer that is cancelled ends at once and leaves nothing', async (t) => {
  const s = await stage(t, {
    fetch: (_grant, into, _onProgress, signal) => {
      writeFileSync(into, 'half');
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
    },
  });
  s.welcome();
  s.give(1, 'normal');
  await s.progress((p) => p.phase === 'fetching');
  await s.control(1, 'cancel');
  assert.equal((await s.next()).event, 'cancelled');
  await eventually(async () => (await s.workspace.list()).length === 0);
});

test('an offer of work that this machine cannot do is not asked for', async (t) => {
  const s = await stage(t, { claimEveryMs: 3600_000 });
  s.welcome();
  await eventually(async () => s.claims.length === 1);
  const claimed = s.claimed(() => true);
  s.mesh.publish('offers', { term: 1, classes: [99] });
  await new Promise((resolve) => setImmediate(resolve));
  s.mesh.publish('offers', { term: 1, classes: [99, s.worker.classes()[0]!] });
  await claimed;
  assert.equal(s.claims.length, 2);
});
