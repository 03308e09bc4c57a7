import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { planPieces } from '../core/film-sample.ts';
import { makePlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import { usualCourtesy } from '../ffmpeg/courtesy.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { createControl } from '../ffmpeg/transcode.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { openWorkspace } from '../files/workspace.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { quietLog } from '../testing/database.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { libx265 } from '../testing/schedule-samples.ts';
import { createDevices } from './devices.ts';
import { createSampler } from './sampler.ts';
import { attemptSpaces } from './spaces.ts';

/** Pieces of a real film with real ffmpeg; the coordinator is this test. */
const node = 'worker-a';
const root = '00000000-0000-4000-8000-000000000000';
const base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-sampler-'));
const film = path.join(base, 'film.mkv');
after(() => rmSync(base, { recursive: true, force: true }));
let tools: Tools;
let wish: Omit<Extract<ProtocolRequest<'sample'>, { op: 'begin' }>, 'sample'>;

before(async () => {
  tools = await oneFfmpeg();
  const input = ['-f', 'lavfi', '-i', 'testsrc2=s=192x108:d=22:r=12', '-f', 'lavfi', '-i', 'sine=d=22'];
  execFileSync(tools.ffmpeg.path, ['-v', 'error', ...input, '-c:v', 'libx264', '-crf', '2', '-preset', 'ultrafast', '-g', '24', film]);
  const probe = await probeFile({ tools, path: film });
  const print = await fingerprint(film);
  const profile = { ...defaultProfile, speed: 'fast' as const, minBitsPerPixel: 0 };
  const plan = makePlan(probe, { path: 'film.mkv', fingerprint: print, madeByUs: false, readOnly: false }, profile);
  wish = {
    ...{ op: 'begin', term: 1, keeper: 'keeper-b', ticket: null, root, path: 'film.mkv', fingerprint: print },
    ...{ probe: probe as never, plan: plan as never, profile: profile as never },
    ...planPieces(probe.durationMs!)!,
  };
});

async function stage(t: TestContext, options: { slots?: number; unaskedMs?: number; local?: () => Promise<string | null> } = {}) {
  const directory = mkdtempSync(path.join(base, 'work-'));
  const mesh = createLocalMesh(node, quietLog());
  const devices = createDevices(() => [libx265]);
  let free = options.slots ?? 1;
  let givenBack = Promise.withResolvers<void>();
  const sampler = createSampler({
    mesh,
    tools,
    sources: { local: options.local ?? (async () => film), fetch: () => assert.fail('nothing is fetched') },
    lend() {
      if (free === 0) return null;
      free--;
      const giveBack = (): void => {
        free++;
        givenBack.resolve();
        givenBack = Promise.withResolvers();
      };
      const signal = new AbortController().signal;
      return { signal, control: createControl(), devices, manners: () => usualCourtesy, stallMs: () => 60_000, minFreeBytes: 0, giveBack };
    },
    workspace: attemptSpaces(await openWorkspace(directory)),
    log: quietLog(),
    ...(options.unaskedMs ? { unaskedMs: options.unaskedMs } : {}),
  });
  t.after(() => sampler.stop());
  await sampler.start();
  const left = (): string[] => readdirSync(path.join(directory, 'workspace'));
  const ask = (body: ProtocolRequest<'sample'>): Promise<ProtocolResponse<'sample'>> => mesh.request(node, 'sample', body);
  return { ask, left, free: () => free, over: () => givenBack.promise };
}

test('pieces of a film are encoded as the film would be; what is left is numbers, and the slot is free again', async (t) => {
  // it is not asked about until it is over, and that may take a while
  const s = await stage(t, { unaskedMs: 3600_000 });
  const over = s.over();
  assert.equal((await s.ask({ ...wish, sample: 7 })).state, 'running');
  assert.equal((await s.ask({ ...wish, sample: 7 })).state, 'running', 'asked twice, begun once');
  assert.equal((await s.ask({ ...wish, sample: 8 })).state, 'busy');
  await over;
  const done = await s.ask({ op: 'ask', term: 1, sample: 7 });
  assert.ok(done.state === 'done', JSON.stringify(done));
  assert.deepEqual([done.encoder, done.quality, done.pieces], ['libx265', 22, 2]);
  assert.ok(done.outputBytes < done.sourceBytes / 2 && done.outputBytes > 1000, JSON.stringify(done));
  assert.ok(Math.abs(done.filmMs - 10_000) < 500 && done.pixelsPerSecond > 1000);
  assert.deepEqual([s.left(), s.free()], [[], 1]);
  assert.deepEqual(await s.ask({ op: 'ask', term: 1, sample: 9 }), { state: 'unknown' });
});

test('one that is cancelled, and one that nobody asks about any more, end and leave nothing', async (t) => {
  const held = (signal: Promise<void>) => async (): Promise<string> => (await signal, film);
  const gate = Promise.withResolvers<void>();
  const s = await stage(t, { local: held(gate.promise) });
  await s.ask({ ...wish, sample: 1 });
  const cancelled = s.ask({ op: 'cancel', term: 1, sample: 1 });
  gate.resolve();
  assert.deepEqual(await cancelled, { state: 'failed', reason: { code: 'cancelled-by-person', params: {} } });
  assert.deepEqual([s.left(), s.free()], [[], 1]);
  const forgotten = await stage(t, { unaskedMs: 1 });
  const over = forgotten.over();
  await forgotten.ask({ ...wish, sample: 1 });
  await over;
  assert.deepEqual([forgotten.left(), forgotten.free()], [[], 1]);
});
