import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { EncoderReport } from '../core/encoder-choice.ts';
import { createLog } from '../log.ts';
import { fakeDevice, type FakeDevice, type Faked } from '../testing/fake-device.ts';
import { chosenFfmpeg } from '../testing/ffmpeg-tools.ts';
import { detectEncoders, type DetectRequest } from './detect.ts';
import { provedEncoders } from './proved-encoders.ts';

/** Detection against devices that behave as drivers of the field do. */
const real = await chosenFfmpeg();
const card: FakeDevice = { encoders: ['hevc_nvenc'], cards: 1, missing: ['No capable devices found'] };

function faked(t: TestContext, device: FakeDevice): Faked {
  const fake = fakeDevice(real, device);
  t.after(() => fake.remove());
  return fake;
}

async function found(t: TestContext, device: FakeDevice, more: Partial<DetectRequest> = {}): Promise<EncoderReport[]> {
  return detectEncoders({ tools: faked(t, device).tools, names: ['hevc_nvenc'], mostAtOnce: 1, hardwareLimitMs: 60_000, ...more });
}

test('a consumer card is proved with its name, its B-frames and the encode that it refuses; what loses HDR10 is known', async (t) => {
  const [report, ...more] = await found(t, { ...card, sessions: 2 }, { mostAtOnce: 4 });
  assert.deepEqual(more, [], 'the cards that are not there are not told');
  const { testedAt: _, build, driver: __, ...facts } = report!;
  assert.deepEqual(facts, {
    name: 'hevc_nvenc',
    device: '0',
    works: true,
    tenBit: true,
    hardware: true,
    reason: null,
    codec: 'hevc',
    // the fake hands no metadata to its encoder, like hardware in an older ffmpeg
    hdr10: false,
    bFrames: true,
    atOnce: 2,
    deviceName: 'Fakeforce 9000',
  });
  assert.match(build ?? '', /^ffmpeg \S+/);
});

test('two cards are two devices, without B-frames where the chip makes none, without a limit where none was met', async (t) => {
  const reports = await found(t, { ...card, cards: 2, refusesBFrames: true });
  assert.deepEqual(
    reports.map((r) => [r.device, r.works, r.bFrames, r.atOnce]),
    [
      ['0', true, false, null],
      ['1', true, false, null],
    ],
  );
});

test('a chip without 10 bit works for 8 bit, and says why not for more', async (t) => {
  const [report] = await found(t, { ...card, refusesTenBit: true });
  assert.deepEqual([report?.works, report?.tenBit, report?.hdr10], [true, false, false]);
  assert.match(report?.reason ?? '', /^10 bit: the chip cannot encode 10 bit/);
});

test('where there is no driver, no further card is asked, and it is said in words', async (t) => {
  const reports = await found(t, { encoders: [], missing: ['Cannot load libcuda.so.1'] });
  assert.deepEqual([reports.length, reports[0]?.works], [1, false]);
  assert.match(reports[0]?.reason ?? '', /^there is no NVIDIA driver here \(/);
});

test('a driver that hangs is given up', async (t) => {
  const reports = await found(t, { ...card, hangs: true }, { hardwareLimitMs: 1500 });
  assert.deepEqual([reports.length, reports[0]?.works], [1, false]);
  assert.match(reports[0]?.reason ?? '', /did not end in time/);
});

test('a driver that ends well with black pictures does not work', async (t) => {
  const [report] = await found(t, { ...card, garbage: true });
  assert.equal(report?.works, false);
  assert.match(report?.reason ?? '', /not those that went in/);
});

test('a chip that encodes films now is not tested: what was known of it stands', async (t) => {
  const known: EncoderReport = {
    name: 'hevc_nvenc',
    device: '0',
    works: true,
    tenBit: true,
    hardware: true,
    reason: null,
    testedAt: 'before',
  };
  const reports = await found(t, { ...card, failsFilms: ['never asked'], sessions: 0 }, { known: [known], inUse: [known] });
  assert.deepEqual(reports, [known]);
});

test('encoders are proved again when the machine looks different, and when one that worked is lost, but not otherwise', async (t) => {
  const log = createLog({ level: 'fatal', pretty: true });
  const report = (works: boolean): EncoderReport => ({
    ...{ name: 'hevc_nvenc', device: '0', hardware: true },
    ...{ works, tenBit: works, reason: null, testedAt: '' },
  });
  let [machine, works, proofs, looks] = ['a', true, 0, 0];
  const waiting: { when: () => boolean; go: () => void }[] = [];
  const until = (when: () => boolean): Promise<void> => new Promise((go) => waiting.push({ when, go }));
  const encoders = provedEncoders({ tools: { ...real }, again: async () => {} }, log, () => {}, {
    lookEveryMs: 5,
    look: async () => {
      looks++;
      for (const each of waiting) if (each.when()) each.go();
      return machine;
    },
    detect: async () => {
      proofs++;
      return [report(works)];
    },
  });
  t.after(() => encoders.stop());
  await encoders.run();
  await until(() => looks > 8);
  assert.equal(proofs, 1, 'nothing changed');
  works = false;
  machine = 'b';
  await until(() => proofs === 2);
  assert.equal(encoders.known()[0]?.works, false);
  // it worked once: every third look gives it another chance
  await until(() => proofs === 3);
  works = true;
  await until(() => encoders.known()[0]?.works === true);
  const then = [proofs, looks] as const;
  await until(() => looks > then[1] + 8);
  assert.equal(proofs, then[0]);
});
