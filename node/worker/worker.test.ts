import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { makePlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import { qualityFound } from '../core/quality-found.ts';
import { PlainError } from '../errors.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { openWorkspace } from '../files/workspace.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { GrantedJob, TopicMessage } from '../mesh/messages.ts';
import { createOutbox, type Outbox, type Report } from '../mesh/outbox.ts';
import { progressWhen, welcomeOf } from '../testing/mesh-samples.ts';
import { attemptSpaces } from './spaces.ts';
import { createWorker, type Worker } from './worker.ts';

/** The worker for real, with real ffmpeg; the coordinator is this test. */
const log = createLog({ level: 'fatal', pretty: true });
const node = 'worker-a';
const session = '00000000-0000-4000-8000-000000000000';
let tools: Tools;
before(async () => void (tools = await oneFfmpeg()));

interface Stage {
  mesh: Mesh;
  worker: Worker;
  outbox: Outbox;
  workspace: Awaited<ReturnType<typeof openWorkspace>>;
  next(): Promise<Report>;
  progress(when: (p: TopicMessage<'progress'>) => boolean): Promise<TopicMessage<'progress'>>;
  /** the worker has asked for the film. Progress is told once a second, and a short encode is over before that */
  begun: Promise<void>;
  control(want: 'cancel' | 'pause' | 'resume' | 'forget'): Promise<boolean>;
}

async function stage(
  t: TestContext,
  options: {
    seconds?: number;
    source?: () => Promise<string>;
    preset?: 'slow';
    known?: number;
    claims?: () => boolean;
    heard?: Promise<void>;
  } = {},
): Promise<Stage> {
  const base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-worker-'));
  const film = path.join(base, 'film.mkv');
  execFileSync(tools.ffmpeg.path, [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    `testsrc2=s=320x180:d=${options.seconds ?? 1}:r=25`,
    '-c:v',
    'libx264',
    '-crf',
    '1',
    '-preset',
    'ultrafast',
    film,
  ]);
  const probe = await probeFile({ tools, path: film });
  const print = await fingerprint(film);
  const target = options.known === undefined ? ('number' as const) : ('good' as const);
  const profile = { ...defaultProfile, target, speed: options.preset ?? ('fast' as const) };
  const plan = makePlan(probe, { path: 'film.mkv', fingerprint: print, madeByUs: false, readOnly: false }, profile);
  const grant: GrantedJob = {
    term: 1,
    job: 1,
    attempt: 1,
    leaseSeconds: 45,
    keeper: 'keeper-b',
    ticket: null,
    root: session,
    path: 'film.mkv',
    title: 'film',
    fingerprint: print,
    probe: probe as never,
    plan: plan as never,
    profile: profile as never,
    ...(options.known === undefined ? {} : { findings: (['vmaf', 'ssim'] as const).map((metric) => findingBy(metric, options.known!)) }),
  };

  const mesh = createLocalMesh(node, log);
  const heard: Report[] = [];
  let taken = 0;
  let arrived = (): void => {};
  let given = false;
  mesh.handle('claim', async () => {
    if (given && !options.claims?.()) return { granted: null, why: null };
    given = true;
    return { granted: grant, why: null };
  });
  mesh.handle('report', async (report) => {
    heard.push(report);
    arrived();
    await options.heard;
    return { accepted: true, why: null };
  });
  const workspace = await openWorkspace(base);
  const outbox = createOutbox({ directory: path.join(base, 'outbox'), mesh, coordinator: () => node, log, retryMs: 10 });
  await outbox.start();
  const begun = Promise.withResolvers<void>();
  const worker = createWorker({
    mesh,
    session,
    outbox,
    tools,
    log,
    coordinator: () => node,
    encoders: () => [{ name: 'libx265', device: null, works: true, tenBit: true, hardware: false, reason: null, testedAt: '' }],
    detectAgain: () => {},
    source: {
      local: async () => {
        begun.resolve();
        return options.source ? options.source() : film;
      },
      fetch: () => Promise.reject(new Error('nothing is fetched here')),
    },
    workspace: attemptSpaces(workspace),
  });
  t.after(async () => {
    await worker.stop('cancel');
    await outbox.stop();
    rmSync(base, { recursive: true, force: true });
  });
  await worker.start();
  worker.welcome(welcomeOf(node));
  return {
    begun: begun.promise,
    mesh,
    worker,
    outbox,
    workspace,
    async next() {
      while (heard.length <= taken) await new Promise<void>((resolve) => (arrived = resolve));
      return heard[taken++]!;
    },
    progress: (when) => progressWhen(mesh, when),
    control: async (want) => (await mesh.request(node, 'control', { term: 1, attempt: 1, want })).accepted,
  };
}

test('a granted job becomes an output in the workspace with its size and hash, kept until it may be forgotten', async (t) => {
  const s = await stage(t);
  const report = await s.next();
  assert.equal(report.event, 'encoded', JSON.stringify(report).slice(0, 2000));
  if (report.event !== 'encoded') return;
  assert.equal(report.output.node, node);
  assert.equal(report.output.frames, 25);
  assert.equal(report.encoder, 'libx265');
  assert.ok(report.command.includes('libx265'));
  assert.deepEqual(await s.worker.attempts(), [1]);
  await s.control('forget');
  assert.deepEqual(await s.worker.attempts(), []);
});

test('a film that is too short to be measured is encoded with what similar films needed here, and the report says so', async (t) => {
  const s = await stage(t, { known: 31 });
  const report = await s.next();
  assert.equal(report.event, 'encoded', JSON.stringify(report).slice(0, 2000));
  if (report.event !== 'encoded') return;
  assert.equal(report.command[report.command.findIndex((word) => word.startsWith('-crf')) + 1], '31');
  const found = qualityFound(report.stats);
  assert.deepEqual([found?.from, found?.quality, found?.why?.code], ['finding', 31, 'goal-too-short']);
});

function findingBy(metric: 'vmaf' | 'ssim', quality: number): NonNullable<GrantedJob['findings']>[number] {
  return { encoder: 'libx265', device: null, metric, quality, score: 92, runs: 3 };
}

test('a grant whose answer comes twice is not run again over its finished output, which nobody acknowledged yet', async (t) => {
  const acknowledged = Promise.withResolvers<void>();
  let again = 0;
  const asked = Promise.withResolvers<void>();
  const claims = (): boolean => {
    if (again === 3) asked.resolve();
    return again > 0 && again++ < 3;
  };
  const s = await stage(t, { claims, heard: acknowledged.promise });
  assert.equal((await s.next()).event, 'encoded');
  while (s.worker.busy() > 0) await new Promise((resolve) => setImmediate(resolve));
  again = 1;
  s.worker.wake();
  await asked.promise;
  assert.equal(s.worker.busy(), 0);
  assert.ok(await attemptSpaces(s.workspace).completed(1, '.mkv'), 'the output is still there and whole');
  acknowledged.resolve();
  while (s.outbox.waiting().length > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('a paused encode stands still but keeps telling that it lives, and goes on where it was', async (t) => {
  const s = await stage(t, { seconds: 10, preset: 'slow' });
  await s.progress((p) => p.phase === 'encoding');
  assert.equal(await s.control('pause'), true);
  await s.progress((p) => p.paused); // a last line of ffmpeg may have been on its way
  const first = await s.progress((p) => p.paused);
  const second = await s.progress((p) => p.paused);
  assert.equal(second.percent, first.percent);
  await s.control('resume');
  assert.equal((await s.next()).event, 'encoded');
});

test('a cancelled encode ends, says so, and leaves nothing in the workspace', async (t) => {
  const s = await stage(t, { seconds: 20, preset: 'slow' });
  await s.progress((p) => p.phase === 'encoding');
  assert.equal(await s.control('cancel'), true);
  assert.equal((await s.next()).event, 'cancelled');
  while ((await s.workspace.list()).length) await new Promise((resolve) => setImmediate(resolve));
});

test('stopping gives a running encode back instead of failing it', async (t) => {
  const s = await stage(t, { seconds: 20, preset: 'slow' });
  await s.progress((p) => p.phase === 'encoding');
  await s.worker.stop('cancel');
  const report = await s.next();
  assert.deepEqual([report.event, 'reason' in report && report.reason.code], ['released', 'shut-down']);
});

test('stopping to finish lets the encode end first', async (t) => {
  const s = await stage(t);
  await s.begun;
  await s.worker.stop('finish');
  assert.equal((await s.next()).event, 'encoded');
});

test('a source that is not what was granted is reported, not encoded', async (t) => {
  const s = await stage(t, {
    source: async () => {
      throw new PlainError('it changed', { reason: { code: 'file-changed' } });
    },
  });
  const report = await s.next();
  assert.deepEqual(
    [report.event, 'reason' in report && report.reason.code, 'retry' in report && report.retry],
    ['failed', 'file-changed', false],
  );
});

test('a source that vanishes under the encode is reported as gone, not as a fault of ffmpeg', async (t) => {
  let asked = 0;
  const s = await stage(t, {
    source: async () => {
      if (++asked === 1) return path.join(os.tmpdir(), 'codecshift-no-such-film.mkv');
      throw new PlainError('it is away', { reason: { code: 'root-not-mounted' }, retry: true });
    },
  });
  const report = await s.next();
  assert.deepEqual([report.event, 'reason' in report && report.reason.code], ['failed', 'root-not-mounted']);
});

test('what a killed process left half done is removed at the start, a complete output is kept', async (t) => {
  const s = await stage(t);
  await s.next();
  await s.workspace.create(7);
  writeFileSync(s.workspace.outputOf(7, '.mkv'), 'half');
  await s.worker.start();
  assert.deepEqual(await s.worker.attempts(), [1]);
});
