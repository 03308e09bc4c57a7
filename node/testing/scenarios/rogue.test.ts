import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { GrantedJob } from '../../mesh/messages.ts';
import { startProgram, until, type Program } from '../program.ts';
import { claimed, forged, joinAsRogue, sha256Of, type Answer, type Rogue } from '../rogue.ts';
import { requireTool } from '../tools.ts';

/**
 * Test 21 of research/integrations §4.11: a machine that was approved and is hostile, against the program as a person starts
 * it. After everything that it tried every original is what it was, byte for byte, and nothing lies beside it.
 *
 * | what it tries | proved here | proved elsewhere |
 * |---|---|---|
 * | another film, a shorter one, half of one, H.264, an extra attachment | yes | core/verdict.test.ts: every single check; keeper/keeper.test.ts: truncated, not the promised bytes |
 * | a result that is late, doubled, or of another's run | yes | coordinator/coordinator.test.ts: late reports; db/claims.test.ts: fences |
 * | a keeper's word (verified, replaced) about its own run | yes | coordinator/membership.test.ts: paths that were not proved |
 * | orders to a keeper, paths out of a library, forged tickets | yes | mesh/orders.test.ts, mesh/bulk-gate.test.ts, keeper/incoming.test.ts |
 * | ten times the size | yes: refused before a byte | mesh/bulk-transfer.test.ts: more or other bytes than promised |
 * | every job at once, and silence | yes | coordinator/rescuer.test.ts, coordinator/dispatcher.test.ts |
 * | strings that want to be HTML, terminal commands or log lines | yes | web/views.test.ts, core/visible-name.test.ts |
 * | going on after it was removed | yes | mesh/bulk-access.test.ts: in the middle of a byte |
 * | floods, nonsense, half-open streams | no | mesh/hostile.test.ts, mesh/patience.test.ts |
 * | media files that attack ffmpeg | no | ffmpeg/hostile-corpus.test.ts (test 19) |
 * | a crash at any step of the swap | no | files/swap-crash.test.ts, testing/scenarios/crash.test.ts (test 22) |
 */
const hostile = '<img src=x onerror=alert(1)>\u001b[2J\u202e"\n{"level":50}';
const cleanups: (() => Promise<void>)[] = [];
const names = ['one', 'two', 'three', 'four', 'five', 'six'];
let base: string;
let films: string;
let outputs: string;
let good: Program;
let goodId: string;
let rogue: Rogue;
let accomplice: Rogue;
let originals: Map<string, string>;

suite('an approved machine that is hostile', () => {
  before(async () => {
    base = mkdtempSync(join(tmpdir(), 'cs-rogue-'));
    films = join(base, 'films');
    outputs = join(base, 'outputs');
    for (const folder of [films, outputs, join(base, 'r'), join(base, 'a')]) mkdirSync(folder);
    makeFilms();
    originals = new Map(names.map((name) => [name, sha256Of(join(films, `${name}.mkv`))]));
    // the rogue says nothing while it works: what it is granted has to outlive a dozen questions on a busy machine
    const env = { CODECSHIFT_LEASE: '30', CODECSHIFT_MAX_FAILURES: '1', CODECSHIFT_PICTURES: 'off' };
    good = await startProgram({ dataDir: join(base, 'good'), env });
    cleanups.push(async () => void (await good.stop()));
    const { node } = await until('somebody to coordinate', async () => ((here) => here.reached && here)(await good.api<Here>('/node')));
    goodId = node.id;
    // its own hands off: whatever is done to these films is done by the rogue
    await good.api(`/nodes/${goodId}/drain`, {});
    await good.api('/libraries', { path: films, profile: { minSavingPercent: 0 } });
    rogue = await rogueNamed('r');
    accomplice = await rogueNamed('a');
    await until('all films to wait', async () => (await good.api<Status>('/status')).jobs.waiting === names.length);
  });
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
    rmSync(base, { recursive: true, force: true });
  });

  test('21. outputs that are not the film are refused, each for its reason, and the original stays', async () => {
    const tries: [string, string, RegExp][] = [
      ['another film', 'other.mkv', /^pictures-differ$/],
      ['a shorter one', 'short.mkv', /^(duration|frames|streams)-differ/],
      ['half of one', 'half.mkv', /^(decode-errors|duration-differs|frames-differ)$/],
      ['H.264 instead of HEVC', 'h264.mkv', /^video-differs$/],
      ['an attachment more', 'attached.mkv', /^(attachments|streams)-differ$/],
    ];
    for (const [index, [what, file, code]] of tries.entries()) {
      await rogue.hello();
      const grant = await rogue.granted();
      assert.deepEqual(await rogue.deliver(grant, join(outputs, file), { encoder: claimed[index]! }), { accepted: true, why: null }, what);
      const end = await endOf(grant);
      assert.match(end, code, what);
      await good.api(`/jobs/${grant.job}/cancel`, {}).catch(() => null);
      untouched(what);
    }
  });

  test('21. ten times the size is refused before a byte of it is fetched', async () => {
    await anew();
    const grant = await rogue.granted();
    const sizeBytes = grant.fingerprint.sizeBytes * 10 + 60_000_000;
    await rogue.deliver(grant, join(outputs, 'other.mkv'), { sizeBytes });
    assert.equal(await endOf(grant), 'output-too-large');
    assert.ok(!rogue.fetched.includes(grant.attempt));
    untouched('a promise of ten times the size');
  });

  test('21. a result for another’s run, a keeper’s word about its own, and one that comes too late change nothing', async () => {
    await anew();
    await accomplice.hello();
    const [mine, theirs] = [await rogue.granted(), await accomplice.granted()];
    const file = join(outputs, 'good.mkv');
    refused(await rogue.deliver(theirs, file), 'a result for another’s run');
    refused(
      await rogue.report({
        event: 'failed',
        ...run(theirs),
        reason: { code: 'ffmpeg-failed' },
        retry: false,
        encoder: null,
        command: null,
        stderrTail: '',
      }),
      'another’s failure',
    );
    const verdict = { accepted: true, checks: [] };
    refused(await rogue.report({ event: 'verified', ...run(mine), verdict, outputProbe: null, outputBytes: 1 }), 'verified by itself');
    const original = { path: mine.path, trashPath: `.codecshift/trash/x/${mine.attempt}`, fingerprint: mine.fingerprint };
    refused(
      await rogue.report({ event: 'replaced', ...run(mine), path: mine.path, fingerprint: mine.fingerprint, probe: null, original }),
      'replaced by itself',
    );
    refused(await rogue.report({ event: 'expired', ...run(mine) }), 'somebody’s trash');
    // it says that it has the library too: believed only once a number written here was read there
    await rogue.hello({ roots: [{ root: mine.root, path: '/', writable: true, problem: null }] });
    refused(
      await rogue.report({ event: 'verified', ...run(mine), verdict, outputProbe: null, outputBytes: 1 }),
      'verified as a keeper of its own making',
    );
    await good.api(`/jobs/${mine.job}/cancel`, {});
    await until('the run to be over', async () => (await attemptOf(mine))?.endedAt);
    refused(await rogue.deliver(mine, file), 'a late result');
    refused(await rogue.deliver(mine, file), 'a late result once more');
    untouched('results that are not its own');
  });

  test('21. orders, other names, paths and forged tickets are refused by coordinator and keeper alike', async () => {
    await anew();
    const grant = await rogue.granted();
    const ask = (what: string, work: Promise<unknown>): Promise<void> => assert.rejects(work, Error, what);
    const print = grant.fingerprint;
    const { term, job, attempt, root } = grant;
    const order = { term, job, attempt, root, path: grant.path };
    await ask(
      'replace',
      rogue.mesh.request(goodId, 'grant', {
        op: 'replace',
        ...order,
        target: grant.path,
        fingerprint: print,
        sha256: '0'.repeat(64),
        hardLinked: 'replace',
      }),
    );
    await ask('expire', rogue.mesh.request(goodId, 'grant', { op: 'expire', ...order, trashPath: grant.path, fingerprint: print }));
    await ask('a path out', rogue.mesh.request(goodId, 'inspect', { op: 'probe', root, path: '../../etc/passwd' }));
    await ask('a probe', rogue.mesh.request(goodId, 'inspect', { op: 'probe', root, path: grant.path }));
    await ask('a folder', rogue.mesh.request(goodId, 'inspect', { op: 'adopt', path: '/etc', root: null }));
    await ask('stop it', rogue.mesh.request(goodId, 'control', { term, attempt, want: 'cancel' }));
    await ask('in another’s name', rogue.claim({ node: accomplice.id }));
    await ask('hello in another’s name', rogue.hello({ node: goodId }));
    await rogue.hello();
    const other = names.map((name) => `${name}.mkv`).find((name) => name !== grant.path)!;
    for (const change of [{ path: other }, { path: '../good/secret' }, { attempt: attempt + 1 }, { reader: accomplice.id }]) {
      const answer = await rogue.mesh.request(grant.keeper, 'bulk', { op: 'file', ticket: forged(grant.ticket!, change) });
      assert.equal(answer.op, 'refused', JSON.stringify(change));
    }
    const answer = await accomplice.mesh.request(grant.keeper, 'bulk', { op: 'file', ticket: grant.ticket! });
    assert.equal(answer.op, 'refused', 'a ticket that was handed on');
    assert.equal(
      (await rogue.mesh.request(grant.keeper, 'bulk', { op: 'file', ticket: grant.ticket! })).op,
      'open',
      'its own still opens its film',
    );
    untouched('orders and paths');
  });

  test('21. whoever takes every job and says nothing loses them all again, and gets no more than it may hold', async () => {
    await anew();
    const held: GrantedJob[] = [];
    for (let i = 0; i < 2 * names.length; i++) {
      const { granted } = await rogue.claim({ freeSlots: 99 });
      if (granted && !held.some(({ attempt }) => attempt === granted.attempt)) held.push(granted);
    }
    assert.ok(held.length > 1 && held.length <= names.length);
    for (const grant of held) assert.match(await endOf(grant), /lost|silent|lease/, grant.path);
    refused(await rogue.deliver(held[0]!, join(outputs, 'good.mkv')), 'a result after its lease');
    untouched('held leases');
  });

  test('8, 21. strings that want to be more than text are text: on pages, in answers, on the terminal', async () => {
    await anew();
    await rogue.hello({
      platform: hostile.slice(0, 60),
      hardware: { cpu: hostile, nested: { x: hostile } },
      version: hostile.slice(0, 40),
    });
    const grant = await rogue.granted();
    await rogue.report({
      event: 'failed',
      ...run(grant),
      reason: { code: 'ffmpeg-failed', params: { message: hostile } },
      retry: false,
      encoder: hostile.slice(0, 40),
      command: [hostile],
      stderrTail: hostile.repeat(100),
    });
    await endOf(grant);
    await rogue.report({
      event: 'failed',
      ...run(grant),
      reason: { code: 'not-a-reason-of-ours' },
      retry: false,
      encoder: null,
      command: null,
      stderrTail: '',
    });
    for (const page of ['/', '/nodes', `/nodes/${rogue.id}`, `/jobs/${grant.job}`, '/history', '/queue?state=failed']) {
      const html = await good.page(page);
      assert.doesNotMatch(html, /<img src=x|\u001b|\u202e/, page);
    }
    for (const line of good.output().split('\n')) assert.doesNotMatch(line, /\u001b\[2J|^\{"level":50\}/);
  });

  test('21. a machine that was removed is cut off at once, its runs are over, and its tickets open nothing', async () => {
    await anew();
    const grant = await rogue.granted();
    await good.api(`/nodes/${rogue.id}/remove`, {});
    await until('the line to be cut', () => !rogue.mesh.connected().includes(goodId));
    await assert.rejects(rogue.mesh.request(grant.keeper, 'bulk', { op: 'file', ticket: grant.ticket! }));
    await assert.rejects(rogue.claim());
    const answer = await rogue.deliver(grant, join(outputs, 'good.mkv'));
    assert.ok('threw' in answer);
    await until('its run to be over', async () => (await attemptOf(grant))?.endedAt);
    untouched('a removed machine');
  });

  test('21. after all of it every film is its original, and nothing was left beside it or thrown away', async () => {
    for (const { id } of (await good.api<{ items: { id: number }[] }>('/jobs?state=waiting')).items)
      await good.api(`/jobs/${id}/cancel`, {});
    await until('nothing to run', async () => (await good.api<Status>('/status')).jobs.running === 0);
    untouched('everything');
    await until('the keeper to have cleared up', () => {
      try {
        return readdirSync(films, { recursive: true }).every((name) => !/\.tmp_|\.lock$/.test(String(name)));
      } catch {
        return false; // a folder went while it was read
      }
    });
    assert.deepEqual(
      readdirSync(films)
        .filter((name) => !name.startsWith('.codecshift'))
        .toSorted(),
      names.map((name) => `${name}.mkv`).toSorted(),
    );
    const hidden = readdirSync(join(films, '.codecshift'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.deepEqual(
      hidden.filter(({ parentPath }) => parentPath.includes('trash')).map(({ name }) => name),
      [],
    );
    assert.equal((await good.api<Status>('/status')).replaced, 0);
  });

  test('and yet the very same way leads to a replaced film, with its original in the trash, for whoever does what was asked', async () => {
    await anew(accomplice);
    const grant = await accomplice.granted();
    const output = join(outputs, 'honest.mkv');
    ffmpeg('-i', join(films, grant.path), ...hevc, output);
    assert.deepEqual(await accomplice.deliver(grant, output), { accepted: true, why: null });
    await until('the film to be replaced', async () => (await attemptOf(grant))?.endedAt);
    assert.equal(sha256Of(join(films, grant.path)), sha256Of(output), JSON.stringify(await attemptOf(grant)).slice(0, 2000));
    const trash = readdirSync(join(films, '.codecshift', 'trash'), { recursive: true, withFileTypes: true });
    const original = trash.find((entry) => entry.isFile() && entry.name.endsWith('.mkv'))!;
    assert.equal(sha256Of(join(original.parentPath, original.name)), originals.get(grant.path.replace('.mkv', '')));
  });
});

interface Here {
  node: { id: string };
  reached: boolean;
  surroundings: { listening: { what: string; addresses: string[] }[] };
}

interface Status {
  jobs: { waiting: number; running: number };
  replaced: number;
}

interface Job {
  attempts: { id: number; endedAt: string | null; reason: { code: string } | null; verdict: { reason?: { code: string } } | null }[];
}

async function rogueNamed(name: string): Promise<Rogue> {
  const { surroundings } = await good.api<Here>('/node');
  const door = (what: string): string =>
    `127.0.0.1:${surroundings.listening
      .find((one) => one.what === what)!
      .addresses[0]!.split(':')
      .at(-1)}`;
  const { token } = await good.api<{ token: string }>('/nodes/tokens', { uses: 1 });
  const suite_ = { after: (fn: () => Promise<void>) => void cleanups.push(fn) };
  return joinAsRogue(suite_, { name, dataDir: join(base, name), lobby: door('lobby'), mesh: door('mesh'), token });
}

/** As a sound machine encodes it: the plan asks for ten bits. */
const hevc = ['-c:v', 'libx265', '-preset', 'ultrafast', '-crf', '30', '-pix_fmt', 'yuv420p10le', '-x265-params', 'log-level=error'];

function ffmpeg(...words: string[]): void {
  execFileSync(requireTool('ffmpeg'), ['-v', 'error', '-y', ...words]);
}

/** One film as the original, and what could be brought back instead of it. */
function makeFilms(): void {
  const film = join(films, 'one.mkv');
  ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'testsrc2=s=320x180:r=25:d=2',
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-crf',
    '4',
    '-pix_fmt',
    'yuv420p',
    film,
  );
  // not the same bytes, or they would be one film with several names
  for (const name of names.slice(1)) ffmpeg('-i', film, '-c', 'copy', '-metadata', `comment=${name}`, join(films, `${name}.mkv`));
  const out = (name: string): string => join(outputs, name);
  ffmpeg('-i', film, ...hevc, out('good.mkv'));
  ffmpeg('-i', film, '-vf', 'negate,hflip', ...hevc, out('other.mkv'));
  ffmpeg('-i', film, '-t', '1', ...hevc, out('short.mkv'));
  const whole = readFileSync(out('good.mkv'));
  writeFileSync(out('half.mkv'), whole.subarray(0, whole.length >> 1));
  ffmpeg('-i', film, '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '30', out('h264.mkv'));
  writeFileSync(out('note.txt'), 'something that was never in the film');
  ffmpeg('-i', out('good.mkv'), '-c', 'copy', '-attach', out('note.txt'), '-metadata:s:t', 'mimetype=text/plain', out('attached.mkv'));
}

/** Everything that was given up waits again, and nobody holds a run. */
async function anew(who = rogue): Promise<void> {
  for (const one of [rogue, accomplice]) await one.giveUp();
  await until('no run to be open', async () => (await good.api<Status>('/status')).jobs.running === 0);
  for (const state of ['failed', 'cancelled', 'finished', 'held']) {
    const { items } = await good.api<{ items: { id: number }[] }>(`/jobs?state=${state}`);
    for (const { id } of items) await good.api(`/jobs/${id}/retry`, {}).catch(() => null);
  }
  await who.hello();
}

const run = ({ job, attempt }: GrantedJob): { job: number; attempt: number } => ({ job, attempt });

async function attemptOf({ job, attempt }: GrantedJob): Promise<Job['attempts'][number] | undefined> {
  return (await good.api<Job>(`/jobs/${job}`)).attempts.find(({ id }) => id === attempt);
}

/** The reason with which an attempt ended. */
async function endOf(grant: GrantedJob): Promise<string> {
  const ended = await until(`the end of attempt ${grant.attempt}`, async () => {
    const found = await attemptOf(grant);
    return found?.endedAt ? found : null;
  });
  return ended.reason?.code ?? ended.verdict?.reason?.code ?? 'no reason';
}

function refused(answer: Answer, what: string): void {
  assert.ok('threw' in answer || !answer.accepted, what);
}

function untouched(after_: string): void {
  for (const [name, hash] of originals) assert.equal(sha256Of(join(films, `${name}.mkv`)), hash, `${name} after ${after_}`);
}
