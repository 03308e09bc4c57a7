import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { before, test, type TestContext } from 'node:test';
import type { Fingerprint, Probe } from '../core/media.ts';
import { makePlan, type WorkPlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { createControl, transcode } from '../ffmpeg/transcode.ts';
import type { Fault } from '../files/durable.ts';
import { openWorkspace } from '../files/workspace.ts';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { createOutbox, type Report } from '../mesh/outbox.ts';
import { takeReports } from '../testing/mesh-samples.ts';
import { createKeeper, type Keeper } from './keeper.ts';
import { loadRoots } from './roots.ts';

/** The keeper for real: real files, real ffmpeg; the coordinator and the worker are this test. */
const log = createLog({ level: 'fatal', pretty: true });
const node = 'keeper-a';
let tools: Tools;
before(async () => void (tools = await oneFfmpeg()));

interface Stage {
  mesh: Mesh;
  keeper: Keeper;
  films: string;
  root: string;
  film: string;
  fingerprint: Fingerprint;
  probe: Probe;
  plan: WorkPlan;
  output: { node: string; sizeBytes: number; sha256: string; frames: number | null };
  heard: Report[];
  next(event: Report['event']): Promise<Report>;
  grant(wish: ProtocolRequest<'grant'>): Promise<ProtocolResponse<'grant'>>;
}

const ids = { term: 1, job: 1, attempt: 1 };

async function stage(t: TestContext, change: { output?: (file: string) => void; fault?: Fault } = {}): Promise<Stage> {
  const base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-keeper-'));
  const films = path.join(base, 'films');
  const dataDir = path.join(base, 'data');
  mkdirSync(films);
  mkdirSync(dataDir);
  const film = path.join(films, 'Film (1999).mkv');
  execFileSync(tools.ffmpeg.path, [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    'testsrc2=s=320x180:d=1:r=25',
    '-f',
    'lavfi',
    '-i',
    'sine=d=1',
    '-c:v',
    'libx264',
    '-crf',
    '1',
    '-preset',
    'ultrafast',
    '-c:a',
    'aac',
    film,
  ]);

  const mesh = createLocalMesh(node, log);
  const reports = takeReports(mesh);
  const outbox = createOutbox({ directory: path.join(dataDir, 'outbox'), mesh, coordinator: () => node, log, retryMs: 10 });
  await outbox.start();
  const workspace = await openWorkspace(dataDir);
  const roots = await loadRoots(dataDir);
  const keeper = createKeeper({
    mesh,
    roots,
    tools,
    outbox,
    outputOf: async (_n, attempt, extension) => workspace.outputOf(attempt, extension),
    fetch: () => Promise.reject(new Error('nothing is fetched here')),
    onAdopted: async () => {},
    ...(change.fault ? { fault: change.fault } : {}),
    log,
  });
  await keeper.start();
  t.after(async () => {
    await keeper.stop();
    await outbox.stop();
    rmSync(base, { recursive: true, force: true });
  });

  const adopted = await mesh.request(node, 'inspect', { op: 'adopt', root: null, path: films });
  assert.equal(adopted.op, 'adopted');
  const root = adopted.op === 'adopted' ? adopted.root : '';
  const probed = await mesh.request(node, 'inspect', { op: 'probe', root, path: 'Film (1999).mkv' });
  assert.equal(probed.op, 'probed');
  if (probed.op !== 'probed') throw new Error('not probed');
  const probe = probed.probe as unknown as Probe;
  const fingerprint = probed.fingerprint as Fingerprint;
  const plan = makePlan(probe, { path: 'Film (1999).mkv', fingerprint, madeByUs: false, readOnly: false }, defaultProfile) as WorkPlan;
  await workspace.create(1);
  const file = workspace.outputOf(1, plan.extension);
  const made = await transcode({
    tools,
    plan,
    profile: { ...defaultProfile, speed: 'fast' },
    probe,
    encoder: { name: 'libx265', device: null },
    input: film,
    output: file,
    stallMs: 60_000,
    control: createControl(),
  });
  change.output?.(file);
  const bytes = readFileSync(file);
  const output = { node, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), frames: made.frames };
  /** The report that comes next; another one than expected fails the test instead of hanging it. */
  const next: Stage['next'] = async (event) => {
    const report = await reports.next();
    assert.equal(report.event, event, JSON.stringify(report).slice(0, 3000));
    return report;
  };
  return {
    mesh,
    keeper,
    films,
    root,
    film,
    fingerprint,
    probe,
    plan,
    output,
    heard: reports.heard,
    next,
    grant: (wish) => mesh.request(node, 'grant', wish),
  };
}

function verifyGrant(s: Stage): ProtocolRequest<'grant'> {
  return {
    op: 'verify',
    ...ids,
    root: s.root,
    path: 'Film (1999).mkv',
    fingerprint: s.fingerprint,
    probe: s.probe as never,
    plan: s.plan as never,
    profile: defaultProfile as never,
    output: s.output,
    ticket: null,
    timeoutSeconds: 120,
  };
}

function replaceGrant(s: Stage): ProtocolRequest<'grant'> {
  return {
    op: 'replace',
    ...ids,
    root: s.root,
    path: 'Film (1999).mkv',
    target: 'Film (1999).mkv',
    fingerprint: s.fingerprint,
    sha256: s.output.sha256,
    hardLinked: 'skip',
  };
}

function recheckGrant(s: Stage, trashPath: string): ProtocolRequest<'grant'> {
  const { sizeBytes, hash } = s.fingerprint;
  return {
    op: 'recheck',
    ...ids,
    root: s.root,
    original: { path: trashPath, sizeBytes, hash },
    output: { path: 'Film (1999).mkv', waiting: false, sizeBytes: s.output.sizeBytes, sha256: s.output.sha256 },
    probe: s.probe as never,
    plan: s.plan as never,
    profile: defaultProfile as never,
    low: true,
    timeoutSeconds: 120,
  };
}

test('a check that finds its disk gone says so, and succeeds when the disk is back', async (t) => {
  const s = await stage(t);
  renameSync(s.films, `${s.films}.away`);
  await s.grant(verifyGrant(s));
  const away = await s.next('not-verified');
  assert.deepEqual('reason' in away && [away.reason.code, 'retry' in away && away.retry], ['root-not-mounted', true]);
  renameSync(`${s.films}.away`, s.films);
  await s.grant(verifyGrant(s));
  await s.next('verified');
});

test('an output is checked, replaces its original, and the original comes back byte for byte', async (t) => {
  const s = await stage(t);
  const original = readFileSync(s.film);
  assert.deepEqual(await s.grant(verifyGrant(s)), { accepted: true, why: null });
  const verified = await s.next('verified');
  assert.equal(
    verified.event === 'verified' && (verified.verdict as { accepted: boolean }).accepted,
    true,
    JSON.stringify(verified).slice(0, 2000),
  );
  await s.grant(replaceGrant(s));
  const replaced = await s.next('replaced');
  if (replaced.event !== 'replaced') throw new Error('not replaced');
  assert.ok(readFileSync(s.film).length < original.length);
  assert.deepEqual(readFileSync(path.join(s.films, replaced.original.trashPath)), original);
  await s.grant({ op: 'discard', ...ids, root: s.root, path: replaced.path });
  await s.grant(recheckGrant(s, replaced.original.trashPath));
  const again = await s.next('rechecked');
  assert.equal(again.event === 'rechecked' && (again.verdict as { accepted: boolean }).accepted, true);
  // somebody looks at the copy once more when a person wants the original back: that is more important
  await s.grant(recheckGrant(s, replaced.original.trashPath));
  const restoring = s.grant({
    op: 'restore',
    ...ids,
    root: s.root,
    path: replaced.original.path,
    trashPath: replaced.original.trashPath,
    current: replaced.path,
    fingerprint: replaced.original.fingerprint,
  });
  const broken = await s.next('not-rechecked');
  assert.deepEqual('reason' in broken && [broken.reason.code, 'retry' in broken && broken.retry], ['superseded', true]);
  assert.deepEqual(await restoring, { accepted: true, why: null });
  await s.next('restored');
  assert.deepEqual(readFileSync(s.film), original);
  await s.grant({ op: 'discard', ...ids, root: s.root, path: replaced.path });
  assert.deepEqual(
    readdirSync(s.films).filter((f) => f !== '.codecshift'),
    ['Film (1999).mkv'],
  );
  assert.equal(
    existsSync(path.join(s.films, '.codecshift', 'trash')) &&
      readdirSync(path.join(s.films, '.codecshift', 'trash'), { recursive: true }).some((f) => String(f).endsWith('.mkv')),
    false,
    'the superseded HEVC file does not stay in the trash',
  );
});

test('a better copy that a person put in the place of ours is not deleted when the original comes back: it waits in the trash', async (t) => {
  const s = await stage(t);
  const original = readFileSync(s.film);
  await s.grant(verifyGrant(s));
  await s.next('verified');
  await s.grant(replaceGrant(s));
  const replaced = await s.next('replaced');
  if (replaced.event !== 'replaced') throw new Error('not replaced');
  const { path: was, trashPath, fingerprint } = replaced.original;
  await s.grant({ op: 'discard', ...ids, root: s.root, path: replaced.path });
  const theirs = Buffer.from('a better copy');
  rmSync(s.film);
  writeFileSync(s.film, theirs);
  await s.grant({ op: 'restore', ...ids, root: s.root, path: was, trashPath, current: replaced.path, fingerprint });
  await s.next('restored');
  await s.grant({ op: 'discard', ...ids, root: s.root, path: was });
  assert.deepEqual(readFileSync(s.film), original);
  const trash = path.join(s.films, '.codecshift', 'trash');
  const waiting = readdirSync(trash, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.mkv'));
  assert.equal(waiting.length, 1, 'what the person had put there is gone');
  assert.deepEqual(readFileSync(path.join(trash, waiting[0]!)), theirs);
});

test('a disk that is full in the middle of a swap makes no failure of it: it waits, and is finished once there is room', async (t) => {
  let from = '';
  let isFull = false;
  const fault = (point: string): void => {
    isFull ||= point === from;
    if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  };
  const s = await stage(t, { fault });
  const original = readFileSync(s.film);
  await s.grant(verifyGrant(s));
  await s.next('verified');
  from = 'output renamed';
  await s.grant(replaceGrant(s));
  for (const _again of [1, 2]) {
    const waits = await s.next('not-replaced');
    assert.deepEqual('reason' in waits && [waits.reason.code, 'retry' in waits && waits.retry], ['swap-unfinished', true]);
    assert.match('reason' in waits ? String(waits.reason.params?.['message']) : '', /full/, 'it says every time what the disk said');
    if (_again === 1) await s.grant(replaceGrant(s));
  }
  from = '';
  isFull = false;
  await s.grant(replaceGrant(s));
  const replaced = await s.next('replaced');
  if (replaced.event !== 'replaced') throw new Error('not replaced');
  assert.deepEqual(readFileSync(path.join(s.films, replaced.original.trashPath)), original);
  assert.ok(readFileSync(s.film).length < original.length);
});

test('a restore that a full disk stopped half-way goes on by itself once there is room, and says so', async (t) => {
  let from = '';
  let isFull = false;
  const fault = (point: string): void => {
    isFull ||= point === from;
    if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  };
  const s = await stage(t, { fault });
  const original = readFileSync(s.film);
  await s.grant(verifyGrant(s));
  await s.next('verified');
  await s.grant(replaceGrant(s));
  const replaced = await s.next('replaced');
  if (replaced.event !== 'replaced') throw new Error('not replaced');
  const { path: was, trashPath, fingerprint } = replaced.original;
  await s.grant({ op: 'discard', ...ids, root: s.root, path: replaced.path });
  from = 'output renamed';
  await s.grant({ op: 'restore', ...ids, root: s.root, path: was, trashPath, current: replaced.path, fingerprint });
  const waits = await s.next('not-restored');
  assert.equal('reason' in waits && waits.reason.code, 'swap-unfinished');
  from = '';
  isFull = false;
  // whatever is wanted of this disk next, what is half done there comes first
  await s.grant({ op: 'discard', ...ids, attempt: 2, root: s.root, path: replaced.path });
  await s.next('restored');
  assert.deepEqual(readFileSync(s.film), original);
});

test('a truncated output is refused and the original stays where it is', async (t) => {
  const s = await stage(t, { output: (file) => writeFileSync(file, readFileSync(file).subarray(0, 20_000)) });
  const original = readFileSync(s.film);
  await s.grant(verifyGrant(s));
  const verified = await s.next('verified');
  assert.equal(verified.event === 'verified' && (verified.verdict as { accepted: boolean }).accepted, false);
  assert.deepEqual(readFileSync(s.film), original);
});

test('an output that is not the one the worker promised never comes near the original', async (t) => {
  const s = await stage(t);
  await s.grant({ ...verifyGrant(s), output: { ...s.output, sha256: 'f'.repeat(64) } } as ProtocolRequest<'grant'>);
  const refused = await s.next('not-verified');
  assert.equal(refused.event === 'not-verified' && refused.reason.code, 'hash-mismatch');
  assert.deepEqual(
    readdirSync(s.films).filter((f) => f !== '.codecshift'),
    ['Film (1999).mkv'],
  );
});

test('a replacement that was never verified here is refused', async (t) => {
  const s = await stage(t);
  const original = readFileSync(s.film);
  await s.grant(replaceGrant(s));
  const refused = await s.next('not-replaced');
  assert.equal(refused.event === 'not-replaced' && refused.reason.code, 'delivery-failed');
  assert.deepEqual(readFileSync(s.film), original);
});

test('an original that changed after its check is not replaced', async (t) => {
  const s = await stage(t);
  await s.grant(verifyGrant(s));
  await s.next('verified');
  const other = Buffer.concat([readFileSync(s.film), Buffer.from('changed by another program')]);
  writeFileSync(s.film, other);
  await s.grant(replaceGrant(s));
  const refused = await s.next('not-replaced');
  assert.equal(refused.event === 'not-replaced' && refused.reason.code, 'file-changed');
  assert.deepEqual(readFileSync(s.film), other);
});

test('a coordinator of an earlier term is not obeyed', async (t) => {
  const s = await stage(t);
  await s.grant({ ...verifyGrant(s), term: 5 } as ProtocolRequest<'grant'>);
  await s.next('verified');
  const answer = await s.grant({ ...replaceGrant(s), term: 4 } as ProtocolRequest<'grant'>);
  assert.equal(answer.accepted, false);
  assert.match(answer.why!, /term 4 is over/);
});

test('the same grant twice is worked on once', async (t) => {
  const s = await stage(t);
  await Promise.all([s.grant(verifyGrant(s)), s.grant(verifyGrant(s)), s.grant(verifyGrant(s))]);
  await s.next('verified');
  assert.equal(s.heard.filter((r) => r.event === 'verified').length, 1);
});

test('a listing comes in pages, tells problems, and a page asked for twice is the same', async (t) => {
  const s = await stage(t);
  for (let i = 0; i < 450; i++) copyFileSync('/dev/null', path.join(s.films, `clip-${String(i).padStart(4, '0')}.mkv`));
  const page = (n: number): Promise<ProtocolResponse<'inspect'>> =>
    s.mesh.request(node, 'inspect', { op: 'list', root: s.root, folder: '', scan: 'x', page: n });
  const first = await page(0);
  assert.deepEqual(
    await s.mesh.request(node, 'inspect', { op: 'list', root: s.root, folder: '', scan: 'x', page: 0 }).then((p) => p.op),
    'listed',
  );
  const second = await page(1);
  assert.deepEqual(await page(1), second);
  if (first.op !== 'listed' || second.op !== 'listed') throw new Error('not listed');
  assert.equal(first.last, false);
  assert.equal(second.last, true);
  assert.equal(new Set([...first.files, ...second.files].map((f) => f.path)).size, 451);
});

test('a root whose marker is gone answers that it is not mounted, never that it is empty', async (t) => {
  const s = await stage(t);
  rmSync(path.join(s.films, '.codecshift', 'root.json'));
  const answer = await s.mesh.request(node, 'inspect', { op: 'list', root: s.root, folder: '', scan: 'y', page: 0 });
  assert.equal(answer.op === 'refused' && answer.reason.code, 'root-not-mounted');
});

test('an output whose attempt ended elsewhere is named to the coordinator and goes when it is dropped', async (t) => {
  const s = await stage(t);
  await s.grant(verifyGrant(s));
  await s.next('verified');
  assert.deepEqual(await s.keeper.attempts(), [1]);
  assert.ok(readdirSync(s.films).some((f) => f.startsWith('.tmp_1_')));
  await s.keeper.drop([2]);
  assert.ok(
    readdirSync(s.films).some((f) => f.startsWith('.tmp_1_')),
    'another attempt is no reason',
  );
  await s.keeper.drop([1]);
  assert.deepEqual(await s.keeper.attempts(), []);
  assert.deepEqual(
    readdirSync(s.films).filter((f) => f !== '.codecshift'),
    ['Film (1999).mkv'],
  );
});
