import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { EncoderReport } from '../core/encoder-choice.ts';
import { createLog } from '../log.ts';
import { chosenFfmpeg } from '../testing/ffmpeg-tools.ts';
import { detectEncoders, type DetectRequest } from './detect.ts';
import { keptProofs, type KeptProofs } from './kept-proofs.ts';
import { provedEncoders } from './proved-encoders.ts';

const tools = await chosenFfmpeg();

test('what a software encoder proved counts at the next start, and is not tested again', async (t) => {
  const { proofs } = machine(t);
  const first = await starts(proofs);
  assert.deepEqual(first, [[]], 'nothing is known before the first start');
  const [[kept]] = (await starts(proofs)) as [EncoderReport[]];
  assert.deepEqual([kept?.name, kept?.tenBit, kept?.hdr10], ['libx265', true, true]);
  const again = await detectEncoders({ tools, names: ['libx265'], kept: [{ ...kept!, testedAt: 'before' }] });
  assert.deepEqual(
    again.map((report) => report.testedAt),
    ['before'],
  );
});

test('who asks for a test gets one', async (t) => {
  const { proofs } = machine(t);
  await starts(proofs);
  const [atStart, asked] = await starts(proofs, 2);
  assert.equal(atStart?.length, 1);
  assert.deepEqual(asked, []);
});

test('nothing that was kept counts for another machine, another ffmpeg or other libraries beside it, nor after a week', async (t) => {
  const { proofs, ffmpeg, folder } = machine(t);
  await proofs.write('look', [report()]);
  assert.equal((await proofs.read('look')).length, 1);
  assert.deepEqual(await proofs.read('another look'), []);
  assert.deepEqual(await keptProofs(join(folder, 'encoders.json'), join(folder, 'elsewhere', ffmpeg)).read('look'), []);
  utimesSync(join(folder, 'bin'), 1, 1);
  assert.deepEqual(await proofs.read('look'), []);
  await proofs.write('look', [report({ testedAt: new Date(Date.now() - 8 * 86_400_000).toISOString() }), report({ name: 'libsvtav1' })]);
  assert.deepEqual(
    (await proofs.read('look')).map(({ name }) => name),
    ['libsvtav1'],
  );
});

test('hardware and what failed in anything are never kept', async (t) => {
  const { proofs } = machine(t);
  await proofs.write('look', [
    report({ name: 'hevc_nvenc', device: null }),
    report({ name: 'libsvtav1', works: false, reason: 'no memory' }),
    report({ tenBit: false, reason: '10 bit: no' }),
  ]);
  assert.deepEqual(await proofs.read('look'), []);
});

test('a file that was damaged or written by somebody else is as good as none', async (t) => {
  const { proofs, folder } = machine(t);
  await proofs.write('look', [report()]);
  for (const text of ['', '{', 'null', '[]', '{"under":1,"reports":[null]}']) {
    writeFileSync(join(folder, 'encoders.json'), text);
    assert.deepEqual(await proofs.read('look'), [], text);
  }
});

function report(more: Partial<EncoderReport> = {}): EncoderReport {
  return {
    ...{ name: 'libx265', device: null, works: true, tenBit: true, hardware: false, reason: null, codec: 'hevc', hdr10: true },
    ...{ testedAt: new Date().toISOString(), build: 'ffmpeg 7' },
    ...more,
  };
}

function machine(t: TestContext): { proofs: KeptProofs; ffmpeg: string; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'codecshift-proofs-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'bin'));
  const ffmpeg = join(folder, 'bin', 'ffmpeg');
  return { proofs: keptProofs(join(folder, 'encoders.json'), ffmpeg), ffmpeg, folder };
}

/** One start of the program, with so many tests of its encoders: what each test was told that need not be tested. */
async function starts(kept: KeptProofs, tests = 1): Promise<unknown[][]> {
  const told: unknown[][] = [];
  const detect = async (request: DetectRequest): Promise<EncoderReport[]> => {
    told.push([...(request.kept ?? [])]);
    return [report()];
  };
  const log = createLog({ level: 'silent', pretty: false });
  const encoders = provedEncoders({ tools, again: async () => {} }, log, () => {}, { kept, detect, look: async () => 'a machine' });
  for (let i = 0; i < tests; i++) await encoders.run();
  encoders.stop();
  return told;
}
