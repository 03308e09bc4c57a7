import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { defaultManners, type Manners } from '../core/manner-wishes.ts';
import { nothingFelt, type Senses } from '../core/manners.ts';
import type { Window } from '../core/node-wishes.ts';
import { makePlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import { parseProcessors } from '../ffmpeg/courtesy.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { openWorkspace } from '../files/workspace.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { GrantedJob, TopicMessage } from '../mesh/messages.ts';
import { createOutbox, type Report } from '../mesh/outbox.ts';
import { welcomeOf } from '../testing/mesh-samples.ts';
import { createHousehold, type Household } from './household.ts';
import { attemptSpaces } from './spaces.ts';
import { createWorker, type Worker } from './worker.ts';

/** A worker in a house: real ffmpeg, real signals; what the machine feels, and how fast time goes by, is this test's. */
const log = createLog({ level: 'fatal', pretty: true });
const node = 'worker-a';
const session = '00000000-0000-4000-8000-000000000000';
const linux = process.platform === 'linux' ? false : 'reads /proc';
let base: string;
let tools: Tools;
let short: Film;
/** its encode lasts until a slow test has seen it stand still */
let long: Film;

interface Film {
  file: string;
  grantOf(attempt: number): GrantedJob;
}

before(async () => {
  tools = await oneFfmpeg();
  base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-household-'));
  [short, long] = [await makeFilm(4), await makeFilm(20)];
});
after(() => rmSync(base, { recursive: true, force: true }));

async function makeFilm(seconds: number): Promise<Film> {
  const film = path.join(base, `film-${seconds}.mkv`);
  const lavfi = ['-v', 'error', '-f', 'lavfi', '-i', `testsrc2=s=320x180:d=${seconds}:r=25`];
  execFileSync(tools.ffmpeg.path, [...lavfi, '-c:v', 'libx264', '-crf', '1', '-preset', 'ultrafast', film]);
  const probe = await probeFile({ tools, path: film });
  const print = await fingerprint(film);
  const profile = { ...defaultProfile, speed: 'fast' as const };
  const plan = makePlan(probe, { path: 'film.mkv', fingerprint: print, madeByUs: false, readOnly: false }, profile);
  const grantOf = (attempt: number): GrantedJob => ({
    ...{ term: 1, job: attempt, attempt, leaseSeconds: 45, keeper: node, ticket: null, root: session, path: 'film.mkv', title: 'film' },
    ...{ fingerprint: print, probe: probe as never, plan: plan as never, profile: profile as never },
  });
  return { file: film, grantOf };
}

interface Stage {
  worker: Worker;
  household: Household;
  /** what the machine feels from now on; `later`: so many seconds have passed */
  feel(senses: Partial<Senses>, later?: number): void;
  wish(manners: Partial<Manners>, more?: { slots?: number; schedule?: Window[] }): void;
  give(attempt: number, ahead?: boolean): void;
  claims(): number;
  awake: string[];
  next(): Promise<Report>;
  progress(when: (p: TopicMessage<'progress'>) => boolean): Promise<TopicMessage<'progress'>>;
  /** the process that encodes it, once it has begun to write */
  ffmpeg(attempt: number): Promise<number>;
}

async function stage(t: TestContext, film = short): Promise<Stage> {
  const own = mkdtempSync(path.join(base, 'stage-'));
  const mesh = createLocalMesh(node, log);
  const given: { attempt: number; ahead: boolean }[] = [];
  const heard: Report[] = [];
  const awake: string[] = [];
  let [claims, taken, seconds] = [0, 0, 0];
  let senses: Senses = nothingFelt;
  mesh.handle('claim', async ({ ahead }) => {
    claims++;
    const at = given.findIndex((g) => g.ahead === ahead);
    return { granted: at < 0 ? null : film.grantOf(given.splice(at, 1)[0]!.attempt), why: null };
  });
  mesh.handle('report', async (report) => (heard.push(report), { accepted: true, why: null }));
  const workspace = await openWorkspace(own);
  const outbox = createOutbox({ directory: path.join(own, 'outbox'), mesh, coordinator: () => node, log, retryMs: 10 });
  await outbox.start();
  const household = createHousehold({
    feeler: { feel: async () => ({ senses, lacks: [] }) },
    awake: {
      hold: () => void (awake.at(-1) !== 'held' && awake.push('held')),
      release: () => void (awake.at(-1) === 'held' && awake.push('released')),
      stop: () => {},
      problem: () => null,
      pid: () => null,
    },
    everyMs: 20,
    clock: { wall: Date.now, monotonic: () => seconds * 1000 },
  });
  const worker = createWorker({
    ...{ mesh, session, outbox, tools, log, household },
    coordinator: () => node,
    encoders: () => [{ name: 'libx265', device: null, works: true, tenBit: true, hardware: false, reason: null, testedAt: '' }],
    detectAgain: () => {},
    source: { local: async () => film.file, fetch: () => Promise.reject(new Error('it is here')) },
    workspace: attemptSpaces(workspace),
    claimEveryMs: 30,
  });
  t.after(async () => {
    await worker.stop('cancel');
    await outbox.stop();
  });
  await worker.start();
  const wish: Stage['wish'] = (manners, more = {}) =>
    worker.welcome(
      welcomeOf(node, {
        slots: more.slots ?? 1,
        wishes: {
          ...{ paused: false, draining: false, slots: null, mbps: null },
          schedule: more.schedule ?? [],
          manners: { ...defaultManners, ...manners },
        },
      }),
    );
  wish({});
  return {
    ...{ worker, household, awake, wish },
    feel(felt, later = 0) {
      senses = { ...nothingFelt, ...felt };
      seconds += later;
    },
    give: (attempt, ahead = false) => (given.push({ attempt, ahead }), worker.wake()),
    claims: () => claims,
    async next() {
      await until(() => heard.length > taken);
      return heard[taken++]!;
    },
    progress: (when) =>
      new Promise((resolve) => {
        const off = mesh.subscribe('progress', (p) => {
          if (!when(p)) return;
          off();
          resolve(p);
        });
      }),
    async ffmpeg(attempt) {
      const output = workspace.outputOf(attempt, '.mkv');
      await until(() => existsSync(output));
      return processWith(output);
    },
  };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The process that has this word on its command line and is the program itself, not what stands before it. */
function processWith(word: string): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = all.find((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0]!.endsWith('ffmpeg') && words.some((each) => each.includes(word));
    } catch {
      return false;
    }
  });
  assert.ok(found, `a process with ${word}`);
  return Number(found);
}

/** proc(5): what follows the name in brackets begins with field 3. */
function statOf(pid: number): { state: string; nice: number; policy: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, nice: Number(fields[16]), policy: Number(fields[38]) };
}

/** Threads of x265 beside its pool: they wait for it, and are few (x265 3.5: one to six). */
const FRAME_THREADS = 6;

/** The processors that a thread may run on; none when it has ended meanwhile. */
function allowedOf(pid: number, thread = String(pid)): number[] {
  try {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    return parseProcessors(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
  } catch {
    return [];
  }
}

test('on battery an encode stands still and says why; plugged in it goes on where it was', { skip: linux }, async (t) => {
  const s = await stage(t, long);
  s.give(1);
  const pid = await s.ffmpeg(1);
  s.feel({ onBattery: true, batteryPercent: 64 });
  await until(() => s.household.report().onBattery === true);
  s.feel({ onBattery: true, batteryPercent: 64 }, 20);
  const told = await s.progress((p) => p.paused && p.why?.code === 'on-battery');
  assert.deepEqual(told.why, { code: 'on-battery', params: { percent: 64 } });
  await until(() => statOf(pid).state === 'T');
  const { does, reason } = s.household.report();
  assert.deepEqual([does, reason?.code], ['pause', 'on-battery']);
  const asked = s.claims();
  s.worker.wake();
  const stood = await s.progress((p) => p.paused); // a last line of ffmpeg may have been on its way
  await s.progress((p) => p.percent === stood.percent);
  assert.equal(s.claims(), asked, 'nothing new is asked for');
  s.feel({ onBattery: false });
  await until(() => s.household.report().onBattery === false);
  s.feel({ onBattery: false }, 30);
  const goesOn = await s.progress((p) => !p.paused);
  assert.equal(goesOn.why ?? null, null);
  assert.equal((await s.next()).event, 'encoded', 'the encode was not lost');
  assert.deepEqual(s.awake, ['held', 'released', 'held', 'released'], 'it may sleep while it stands still, and afterwards');
});

test(
  'while somebody uses the machine one encode goes on, the other one waits for it and then goes on itself',
  { skip: linux },
  async (t) => {
    const s = await stage(t, long);
    s.wish({ whenUsed: 'fewer' }, { slots: 2 });
    s.give(1);
    s.give(2);
    const pids = [await s.ffmpeg(1), await s.ffmpeg(2)];
    s.feel({ idleMs: 0 });
    const told = await s.progress((p) => p.why?.code === 'one-at-once');
    assert.equal(told.attempt, 2, 'the one that began later');
    await until(() => statOf(pids[1]!).state === 'T');
    assert.notEqual(statOf(pids[0]!).state, 'T');
    assert.equal(s.worker.slots(), 2, 'that it has two is still true');
    s.give(3);
    const ends = [await s.next(), await s.next()].map((r) => [r.event, r.attempt]);
    assert.deepEqual(ends, [
      ['encoded', 1],
      ['encoded', 2],
    ]);
  },
);

const never: Window[] = [{ days: [(new Date().getDay() + 3) % 7], from: '22:00', to: '23:00' }];

test('when its hours end it stands still if that is wished, and loses nothing', { skip: linux }, async (t) => {
  const s = await stage(t, long);
  s.give(1);
  const pid = await s.ffmpeg(1);
  s.wish({ afterHours: 'pause' }, { schedule: never });
  const told = await s.progress((p) => p.paused);
  assert.equal(told.why?.code, 'after-hours');
  await until(() => statOf(pid).state === 'T');
  s.wish({ afterHours: 'pause' });
  assert.equal((await s.next()).event, 'encoded');
});

test('when its hours end it finishes what runs if that is wished, and gives back what only waits', { skip: linux }, async (t) => {
  const s = await stage(t, long);
  s.give(1);
  const pid = await s.ffmpeg(1);
  process.kill(pid, 'SIGSTOP'); // it shall not end before the other one waits
  s.give(2, true);
  await s.progress((p) => p.attempt === 2 && p.phase === 'waiting');
  s.wish({}, { schedule: never });
  const back = await s.next();
  assert.deepEqual([back.event, back.attempt], ['released', 2]);
  const asked = s.claims();
  process.kill(pid, 'SIGCONT');
  assert.deepEqual([(await s.next()).event, s.claims()], ['encoded', asked]);
});

test('an encode stands as far behind other programs as is wished, and leaves processors free', { skip: linux }, async (t) => {
  const s = await stage(t, long); // it is looked at in several places while it runs
  const own = os.getPriority();
  s.wish({ niceness: 'normal' });
  s.give(1);
  assert.equal(statOf(await s.ffmpeg(1)).nice, own);
  await s.next();
  s.wish({ niceness: 'idle', coresFree: 1 });
  s.give(2);
  const pid = await s.ffmpeg(2);
  const found = statOf(pid);
  assert.equal(found.nice, 19);
  if (tools.courtesy?.chrt) assert.equal(found.policy, 5, 'SCHED_IDLE');
  const { taskset, processors = [] } = tools.courtesy ?? {};
  if (taskset && processors.length > 1) {
    const left = processors.length - 1;
    assert.ok(!allowedOf(pid).includes(processors.at(-1)!));
    // x265 binds its own threads to all processors again, whatever it was started with: it is told to make fewer of them
    assert.ok(readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`:pools=${left}`));
    const loose = readdirSync(`/proc/${pid}/task`).filter((thread) => allowedOf(pid, thread).includes(processors.at(-1)!));
    assert.ok(loose.length <= left + FRAME_THREADS, `${loose.length} threads on all processors`);
  }
  assert.equal((await s.next()).event, 'encoded');
  s.wish({});
  s.give(3);
  assert.equal(statOf(await s.ffmpeg(3)).nice, Math.min(19, own + 10));
});

test('a machine that does not wish to be kept awake is not; what is changed holds at once', { skip: linux }, async (t) => {
  const s = await stage(t, long);
  s.wish({ keepAwake: false });
  s.give(1);
  const pid = await s.ffmpeg(1);
  assert.deepEqual(s.awake, []);
  process.kill(pid, 'SIGSTOP');
  s.wish({ keepAwake: true });
  assert.deepEqual(s.awake, ['held']);
  s.feel({ onBattery: true });
  await until(() => s.household.conduct().does === 'pause' || s.household.report().onBattery === true);
  s.wish({ onBattery: 'run' });
  assert.equal(s.household.conduct().does, 'run', 'who allows it on battery does not wait for a latch');
  process.kill(pid, 'SIGCONT');
  assert.equal((await s.next()).event, 'encoded');
});

test('where an encode cannot stand still it is finished, nothing new begins, and that is said', async (t) => {
  const household = createHousehold({
    feeler: { feel: async () => ({ senses: { ...nothingFelt, onBattery: true }, lacks: ['No temperature.'] }) },
    awake: { hold() {}, release() {}, stop() {}, problem: () => null, pid: () => null },
    standsStill: false,
  });
  t.after(() => household.stop());
  await household.start();
  const { does, reason, lacks } = household.report();
  assert.deepEqual([does, reason?.code], ['begin-nothing', 'on-battery']);
  assert.match(lacks[0]!, /cannot stand still on this system/);
  assert.equal(lacks[1], 'No temperature.');
});
