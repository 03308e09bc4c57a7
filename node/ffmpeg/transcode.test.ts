import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Probe } from '../core/media.ts';
import { makePlan, type WorkPlan } from '../core/plan.ts';
import { defaultProfile, type Profile } from '../core/profile.ts';
import { judge } from '../core/verdict.ts';
import { chosenFfmpeg, everyFfmpeg } from '../testing/ffmpeg-tools.ts';
import { clip, type ClipName } from '../testing/media.ts';
import { gatherEvidence } from './evidence.ts';
import type { Tools } from './locate.ts';
import { probeFile } from './probe.ts';
import { ToolError } from './process.ts';
import type { EncodeProgress } from './progress.ts';
import { createControl, transcode, type TranscodeRequest } from './transcode.ts';

const folder = await mkdtemp(join(tmpdir(), 'codecshift-transcode-'));
after(() => rm(folder, { recursive: true, force: true }));
const profile: Profile = { ...defaultProfile, speed: 'fast', quality: 28, interlaced: 'deinterlace', minBitsPerPixel: 0 };
const software = { name: 'libx265', device: null } as const;
let runs = 0;

for (const { name, tools } of await everyFfmpeg()) {
  describe(`a transcode by ${name}`, () => {
    const kinds: ClipName[] = [
      'everything',
      'tracks',
      'pictureInMp4',
      'tenBit',
      'variable',
      'rotated',
      'anamorphic',
      'lateAudio',
      'interlacedTs',
      'xvid',
      'timecode',
    ];
    for (const kind of kinds) {
      test(`keeps everything of the clip "${kind}"`, async () => {
        const job = await jobFor(tools, await clip(kind));
        const percents: number[] = [];
        const made = await transcode({ ...job, onProgress: (p) => percents.push(p.percent) });
        assert.ok(made.outputBytes > 0);
        assert.ok(
          percents.every((p, i) => p <= 99 && p >= (percents[i - 1] ?? 0)),
          'percent never falls and stays under 100',
        );
        const shares: number[] = [];
        const evidence = await gatherEvidence({
          tools,
          original: job.input,
          output: job.output,
          plan: job.plan,
          profile,
          originalProbe: job.probe,
          onProgress: (p) => shares.push(p),
        });
        assert.equal(shares.at(-1), 100);
        const verdict = judge(evidence);
        assert.deepEqual(
          verdict.checks.filter((c) => !c.passed),
          [],
        );
        await rm(job.output);
      });
    }

    test('an output cut short is not accepted', async () => {
      const job = await jobFor(tools, await clip('film'));
      await transcode(job);
      const cut = `${job.output}.cut`;
      const whole = await readFile(job.output);
      await writeFile(cut, whole.subarray(0, Math.floor(whole.length * 0.6)));
      const evidence = await gatherEvidence({ tools, original: job.input, output: cut, plan: job.plan, profile });
      assert.equal(judge(evidence).accepted, false);
      assert.ok(evidence.outputFrames.frames < evidence.originalFrames.frames);
    });
  });
}

test('a damaged original is known by its own errors', async () => {
  const tools = await chosenFfmpeg();
  const job = await jobFor(tools, await clip('broken'));
  await transcode(job);
  const evidence = await gatherEvidence({ tools, original: job.input, output: job.output, plan: job.plan, profile });
  const verdict = judge(evidence);
  assert.equal(verdict.accepted, false);
  assert.ok((evidence.originalDecodeErrors?.length ?? 0) > 0);
});

test('a cancelled encode rejects with the reason of the abort and leaves nothing behind', async () => {
  const job = await jobFor(await chosenFfmpeg(), await longClip());
  const abort = new AbortController();
  const why = new Error('cancelled by a person');
  await assert.rejects(transcode({ ...job, signal: abort.signal, onProgress: () => abort.abort(why) }), (e) => e === why);
  assert.deepEqual(await left(job), []);
});

test('an encode that grows too large is stopped and does not ask for another try', async () => {
  const job = await jobFor(await chosenFfmpeg(), await longClip());
  const error = await failure({ ...job, maxOutputBytes: 2000 });
  assert.equal(error.reason?.code, 'output-too-large');
  assert.equal(error.retry, false);
  assert.ok(error.command.includes('libx265'));
  assert.deepEqual(await left(job), []);
});

test(
  'an input that gives nothing is a stalled encode, to be tried again',
  { skip: process.platform === 'win32' && 'Windows has no named pipes in folders' },
  async () => {
    const pipe = join(folder, 'silent.mkv');
    execFileSync('mkfifo', [pipe]);
    const job = await jobFor(await chosenFfmpeg(), await clip('film'));
    const error = await failure({ ...job, input: pipe, stallMs: 500 });
    assert.equal(error.reason?.code, 'stalled');
    assert.equal(error.retry, true);
  },
);

test(
  'a paused encode says so, is no stalled encode, and ends well after it was resumed',
  { skip: process.platform === 'win32' && 'Windows cannot stop a process and let it go on' },
  async () => {
    const job = await jobFor(await chosenFfmpeg(), await longClip());
    const control = createControl();
    const seen: EncodeProgress[] = [];
    let asked = false;
    const made = await transcode({
      ...job,
      control,
      stallMs: 30_000,
      onProgress: (p) => {
        seen.push(p);
        if (p.paused) control.resume();
        else if (!asked) {
          asked = true;
          control.pause();
        }
      },
    });
    assert.ok(seen.some((p) => p.paused));
    assert.ok(made.outputBytes > 0);
  },
);

test('a file that is there already is never overwritten', async () => {
  const job = await jobFor(await chosenFfmpeg(), await clip('film'));
  await writeFile(job.output, 'precious');
  await assert.rejects(transcode(job), /is not overwritten/);
  assert.equal(await readFile(job.output, 'utf8'), 'precious');
});

test(
  'an ffmpeg that says that all is well but wrote nothing is not believed',
  { skip: process.platform === 'win32' && 'needs /bin/true' },
  async () => {
    const tools = await chosenFfmpeg();
    const job = await jobFor(tools, await clip('film'));
    const idle = { ...tools, ffmpeg: { ...tools.ffmpeg, path: '/bin/true' } };
    await assert.rejects(transcode({ ...job, tools: idle }), /wrote nothing/);
  },
);

test('a broken input is an ffmpeg error with its words, command and stderr', async () => {
  const job = await jobFor(await chosenFfmpeg(), await clip('film'));
  const error = await failure({ ...job, input: await clip('text') });
  assert.equal(error.reason?.code, 'ffmpeg-failed');
  assert.match(error.message, /Invalid data found/);
  assert.match(error.stderrTail, /Invalid data found/);
});

async function jobFor(tools: Tools, input: string): Promise<TranscodeRequest & { plan: WorkPlan; probe: Probe }> {
  const probe = await probeFile({ tools, path: input });
  const fingerprint = { sizeBytes: probe.sizeBytes, mtimeMs: 0, inode: '1', links: 1, hash: '0'.repeat(64) };
  const plan = makePlan(probe, { path: input.slice(1), fingerprint, madeByUs: false, readOnly: false }, profile);
  if (plan.action === 'skip') throw new Error(`the plan is to skip it: ${plan.reason.code}`);
  runs += 1;
  return { tools, plan, profile, probe, encoder: software, input, output: join(folder, `${runs}.part`), stallMs: 120_000 };
}

async function failure(job: TranscodeRequest): Promise<ToolError> {
  const error = await transcode(job).then(
    () => null,
    (e: unknown) => e,
  );
  assert.ok(error instanceof ToolError, String(error));
  return error;
}

async function left(job: TranscodeRequest): Promise<string[]> {
  return (await readdir(folder)).filter((name) => join(folder, name).startsWith(job.output));
}

/** Long enough that its encode is still going on when the first progress arrives. */
async function longClip(): Promise<string> {
  const path = join(folder, 'long.mkv');
  const tools = await chosenFfmpeg();
  if (!(await readdir(folder)).includes('long.mkv')) {
    execFileSync(tools.ffmpeg.path, [
      '-v',
      'error',
      '-nostdin',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=s=320x180:r=25:d=20',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-crf',
      '4',
      path,
    ]);
  }
  return path;
}
