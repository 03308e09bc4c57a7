import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import type { EncoderChoice } from '../core/encoder-choice.ts';
import { filmStreams, type Probe } from '../core/media.ts';
import { makePlan } from '../core/plan.ts';
import { sentence } from '../core/reasons.ts';
import { defaultProfile, type Profile } from '../core/profile.ts';
import { goals, planSamples, type Finding, type QualityScore } from '../core/quality.ts';
import { usualCourtesy } from '../ffmpeg/courtesy.ts';
import { metricOf } from '../ffmpeg/metric.ts';
import { probeFile } from '../ffmpeg/probe.ts';
import { scorePieces } from '../ffmpeg/score.ts';
import { createControl, transcode } from '../ffmpeg/transcode.ts';
import { everyFfmpeg } from '../testing/ffmpeg-tools.ts';
import { calibrate, type CalibrateRequest } from './calibrate.ts';

const root = await mkdtemp(join(tmpdir(), 'codecshift-calibrate-'));
after(() => rm(root, { recursive: true, force: true }));
/** the one with the best judge */
const { tools } = (await everyFfmpeg()).at(-1)!;
const metric = await metricOf(tools);
const needsVmaf = {
  skip: metric === 'vmaf' ? false : 'the ffmpeg of this machine has no VMAF, and what is expected here is in its numbers',
};
const x265: EncoderChoice = { name: 'libx265', device: null };
const svt: EncoderChoice = { name: 'libsvtav1', device: null };
const profile: Profile = { ...defaultProfile, target: 'very-good', speed: 'fast', quality: 30, minBitsPerPixel: 0 };
let runs = 0;
const { promise: known, resolve: keep } = Promise.withResolvers<Finding>();

/** Three minutes of moving things and grain, small, so that it is quickly encoded as a whole. */
const film = make('film.mkv', 'testsrc2=s=192x108:r=12:d=200,noise=alls=9:allf=t');

test('the whole film has about the score that the search promised', needsVmaf, async () => {
  let steps = 0;
  const request = { ...(await requestFor(await film, profile, x265)), onProgress: () => (steps += 1) };
  const found = await calibrate(request);
  assert.ok(found?.measured?.met, JSON.stringify(found));
  assert.equal(found.measured.metric, metric);
  assert.ok(found.tries >= 2 && found.sampledMs <= 200_000 * 0.06, JSON.stringify(found));
  assert.equal(steps, planSamples(200_000, false)!.count * found.tries);
  assert.deepEqual(await readdir(request.folder), []);
  keep({ encoder: 'libx265', device: null, metric, quality: found.quality, score: found.measured.score, runs: 1 });
  const score = await wholeScore(request, found.quality);
  near(score.mean, found.measured.score, 1.6);
  near(score.mean, goals[metric]['very-good'].mean, 2);
});

test('encoders of different efficiency end with about the same score', needsVmaf, async () => {
  const others: [Profile, EncoderChoice][] = [
    [{ ...profile, speed: 'slow', quality: 24 }, x265],
    [{ ...profile, codec: 'av1', quality: 31 }, svt],
  ];
  const ends = [(await known).score];
  for (const [wish, encoder] of others) {
    const found = await calibrate(await requestFor(await film, wish, encoder));
    assert.ok(found?.measured, JSON.stringify(found));
    ends.push(found.measured.score);
  }
  for (const end of ends) near(end, ends[0]!, 1.4);
});

test('what was found before is only confirmed, and used as it is where a film is too short to measure', needsVmaf, async () => {
  const finding = await known;
  const again = await calibrate({ ...(await requestFor(await film, profile, x265)), findings: [finding] });
  assert.deepEqual([again?.tries, again?.quality], [1, finding.quality]);

  const clip = await make('clip.mkv', 'testsrc2=s=256x144:r=5:d=20');
  const short = await calibrate({ ...(await requestFor(clip, profile, x265)), findings: [finding] });
  assert.deepEqual([short?.from, short?.quality, short?.why?.code, short?.tries], ['finding', finding.quality, 'goal-too-short', 0]);
  const unknown = await calibrate(await requestFor(clip, profile, x265));
  assert.deepEqual([unknown?.from, unknown?.quality], ['profile', profile.quality]);
});

test('a search that fails leaves the number of the profile, the reason, and nothing on the disk', async () => {
  const black = await requestFor(await make('black.mkv', 'color=black:s=256x144:r=5:d=200'), profile, x265);
  const nothing = await calibrate(black);
  assert.deepEqual([nothing?.from, nothing?.quality, nothing?.why?.code], ['profile', profile.quality, 'goal-not-measured']);
  assert.deepEqual(await readdir(black.folder), []);

  const broken = await requestFor(await film, profile, { name: 'hevc_nvenc', device: '0' });
  const failed = await calibrate(broken);
  assert.deepEqual([failed?.quality, failed?.why?.code, failed?.measured], [profile.quality, 'goal-not-measured', null]);
  assert.deepEqual(await readdir(broken.folder), []);

  const text = join(root, 'text.mkv');
  await writeFile(text, 'not a film');
  const unread = await calibrate({ ...broken, encoder: x265, input: text });
  assert.equal(unread?.why?.code, 'goal-not-measured');
});

test('a search that would take more than its share of the encode ends after the first piece, and says so', needsVmaf, async () => {
  let steps = 0;
  const wish = { ...(await requestFor(await film, profile, x265)), freeMs: 0, share: 0, onProgress: () => (steps += 1) };
  const found = await calibrate(wish);
  assert.deepEqual([found?.from, found?.quality, found?.measured, steps], ['profile', 30, null, 1]);
  assert.match(found?.why ? sentence(found.why) : '', /too long beside the encode/);
  assert.deepEqual(await readdir(wish.folder), []);
});

test('a profile with a number searches nothing', async () => {
  assert.equal(await calibrate(await requestFor(await film, { ...profile, target: 'number' }, x265)), null);
});

test('a cancelled search ends with the reason and leaves nothing behind', async () => {
  const abort = new AbortController();
  const why = new Error('cancelled by a person');
  let said = 0;
  const onProgress = (percent: number): void => {
    assert.ok(percent >= 0 && percent <= 100);
    if ((said += 1) === 2) abort.abort(why);
  };
  const request = { ...(await requestFor(await film, profile, x265)), signal: abort.signal, onProgress };
  await assert.rejects(calibrate(request), (e) => e === why);
  assert.deepEqual(await readdir(request.folder), []);
});

test('a pause stops the search in place, however short its patience, and costs nothing', needsVmaf, async () => {
  const control = createControl();
  let paused = false;
  const onProgress = (): void => {
    if (paused) return;
    paused = true;
    control.pause();
    setTimeout(() => control.resume(), 1500);
  };
  const began = performance.now();
  const request = { ...(await requestFor(await film, profile, x265)), control, onProgress, findings: [await known] };
  const found = await calibrate(request);
  assert.ok(found?.measured);
  assert.ok(found.costMs <= performance.now() - began - 1400);
});

async function make(name: string, source: string): Promise<string> {
  const file = join(root, name);
  const encode = ['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'superfast', '-crf', '8', '-g', '50'];
  await promisify(execFile)(tools.ffmpeg.path, ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', source, ...encode, file]);
  return file;
}

async function requestFor(input: string, wish: Profile, encoder: EncoderChoice): Promise<CalibrateRequest> {
  const probe = await probeFile({ tools, path: input });
  const fingerprint = { sizeBytes: probe.sizeBytes, mtimeMs: 0, inode: '1', links: 1, hash: '0'.repeat(64) };
  const plan = makePlan(probe, { path: 'film.mkv', fingerprint, madeByUs: false, readOnly: false }, wish);
  if (plan.action === 'skip') throw new Error(`the plan is to skip it: ${plan.reason.code}`);
  const folder = join(root, `run-${(runs += 1)}`);
  await mkdir(folder);
  return {
    tools,
    input,
    probe,
    plan,
    profile: wish,
    encoder,
    findings: [],
    folder,
    stallMs: 60_000,
    manners: usualCourtesy,
    signal: new AbortController().signal,
    control: createControl(),
    freeMs: Infinity,
  };
}

/** The real encode of the whole film at that setting, scored at places that the search did not look at. */
async function wholeScore(request: CalibrateRequest, quality: number): Promise<QualityScore> {
  const output = join(root, `whole-${runs}.mkv`);
  const { tools: by, plan, probe, encoder, input, stallMs } = request;
  await transcode({ tools: by, plan, probe, encoder, input, stallMs, profile: { ...request.profile, quality }, output });
  const of = (file: string, probe: Probe): Parameters<typeof scorePieces>[0]['original'] => ({
    file,
    film: filmStreams(probe)[0]!,
    container: probe.container,
  });
  const made = await probeFile({ tools, path: output });
  const at = [10_000, 90_000, 170_000].map((startMs) => ({ startMs, lengthMs: 5000 }));
  return scorePieces({ tools, original: of(request.input, request.probe), output: of(output, made), at, metric });
}

function near(a: number, b: number, steps: number): void {
  assert.ok(Math.abs(a - b) <= steps, `${a} is not near ${b}`);
}
