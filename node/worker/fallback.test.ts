import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test, type TestContext } from 'node:test';
import type { EncoderReport } from '../core/encoder-choice.ts';
import { triesAnother } from '../core/fallback.ts';
import { defaultManners } from '../core/manner-wishes.ts';
import { makePlan } from '../core/plan.ts';
import { defaultProfile, type Profile } from '../core/profile.ts';
import { sentence } from '../core/reasons.ts';
import type { Tools } from '../ffmpeg/locate.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { createControl } from '../ffmpeg/transcode.ts';
import { fingerprint } from '../files/fingerprint.ts';
import { openWorkspace } from '../files/workspace.ts';
import type { GrantedJob } from '../mesh/messages.ts';
import { fakeDevice, type FakeDevice } from '../testing/fake-device.ts';
import { oneFfmpeg } from '../testing/ffmpeg-tools.ts';
import { runAttempt } from './attempt.ts';
import { createDevices } from './devices.ts';
import { attemptSpaces } from './spaces.ts';

/** Real encodes of a film on a node whose card proved itself and then breaks at films. */
const real = await oneFfmpeg();
const base = mkdtempSync(path.join(os.tmpdir(), 'codecshift-fallback-'));
after(() => rmSync(base, { recursive: true, force: true }));
const film = path.join(base, 'film.mkv');
const source = ['-f', 'lavfi', '-i', 'testsrc2=s=320x180:d=1:r=25', '-c:v', 'libx264', '-crf', '1', '-preset', 'ultrafast', film];
execFileSync(real.ffmpeg.path, ['-v', 'error', ...source]);
const probe = await probeFile({ tools: real, path: film });
const print = await fingerprint(film);
const workspace = attemptSpaces(await openWorkspace(base));

const report = (name: string, device: string | null, hardware: boolean): EncoderReport => ({
  ...{ name, device, hardware, works: true, tenBit: true, reason: null, testedAt: '', build: `a build with ${name}` },
});
const proved = [report('hevc_nvenc', '0', true), report('libx265', null, false)];

function granted(attempt: number, profile: Partial<Profile>, failed?: GrantedJob['failed']): GrantedJob {
  const whole: Profile = { ...defaultProfile, speed: 'fast', ...profile };
  const plan = makePlan(probe, { path: 'film.mkv', fingerprint: print, madeByUs: false, readOnly: false }, whole);
  assert.equal(plan.action, 'transcode');
  const ids = { term: 1, job: 1, attempt, leaseSeconds: 45, keeper: 'k', ticket: null, root: '00000000-0000-4000-8000-000000000000' };
  const about = { path: 'film.mkv', title: 'film', fingerprint: print, probe: probe as never, plan: plan as never };
  return { ...ids, ...about, profile: whole as never, ...(failed ? { failed } : {}) };
}

async function attempt(tools: Tools, grant: GrantedJob): ReturnType<typeof runAttempt> {
  return runAttempt(
    {
      node: 'n',
      tools,
      devices: createDevices(() => proved),
      sources: { local: async () => film, fetch: () => Promise.reject(new Error('nothing is fetched here')) },
      workspace,
      makeRoom: async () => {},
      slot: async () => {},
      stallMs: () => 60_000,
      manners: () => defaultManners,
      onEncoder: () => {},
      onColours: () => {},
      onFetched: () => {},
      onProgress: () => {},
    },
    grant,
    createControl(),
    new AbortController().signal,
  );
}

function broken(t: TestContext, failsFilms: string[]): Tools {
  const device: FakeDevice = { encoders: ['hevc_nvenc'], failsFilms };
  const fake = fakeDevice(real, device);
  t.after(() => fake.remove());
  return fake.tools;
}

test('a card that breaks at a film is named, and the next try takes another encoder', async (t) => {
  const tools = broken(t, ['OpenEncodeSessionEx failed: out of memory (10): (no details)']);
  const first = await attempt(tools, granted(1, {}));
  assert.equal(first.event, 'failed');
  if (first.event !== 'failed') return;
  assert.deepEqual([first.reason.code, first.encoder, first.device, first.retry], ['encoder-failed', 'hevc_nvenc', '0', true]);
  assert.match(sentence(first.reason), /^The encoder hevc_nvenc on card 0 could not be used: .*OpenEncodeSessionEx failed: out of memory/);
  assert.ok(triesAnother(first.reason.code));
  const second = await attempt(tools, granted(2, {}, [{ name: first.encoder!, device: first.device! }]));
  assert.equal(second.event, 'encoded', JSON.stringify(second).slice(0, 1000));
  if (second.event !== 'encoded') return;
  assert.deepEqual([second.encoder, second.stats['device'], second.stats['build']], ['libx265', null, 'a build with libx265']);
});

test('where a library insists on hardware, no failure brings software', async (t) => {
  const tools = broken(t, ['CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered']);
  const failed = [{ name: 'hevc_nvenc', device: '0' }];
  const again = await attempt(tools, granted(3, { encoder: 'hardware' }, failed));
  assert.deepEqual(again.event === 'failed' && [again.reason.code, again.encoder], ['encoder-failed', 'hevc_nvenc']);
});
