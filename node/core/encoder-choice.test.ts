import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { chooseEncoder, type EncoderReport, type EncoderRef, type Narrowing } from './encoder-choice.ts';
import type { Profile } from './profile.ts';
import { sentence } from './reasons.ts';

const report = (name: string, device: string | null = null, more: Partial<EncoderReport> = {}): EncoderReport => ({
  name,
  device,
  works: true,
  tenBit: true,
  hardware: !name.startsWith('lib'),
  reason: null,
  testedAt: '',
  ...more,
});

function choose(
  reports: EncoderReport[],
  wish: Partial<Pick<Profile, 'encoder' | 'codec'>> & { bits?: 8 | 10 } = {},
  narrowing: Narrowing = {},
): string {
  const { encoder = 'auto', codec = 'hevc', bits = 10 } = wish;
  const picked = chooseEncoder(reports, { encoder, codec }, bits, narrowing);
  return picked.choice ? [picked.choice.name, picked.choice.device].filter(Boolean).join(' ') : picked.reason.code;
}

const house = [
  report('libx265'),
  report('hevc_vaapi', '/dev/dri/renderD128'),
  report('hevc_nvenc', '0', { tenBit: false }),
  report('hevc_qsv', null, { works: false }),
  report('libsvtav1'),
  report('av1_nvenc', '0'),
];
const cards = [report('libx265'), report('hevc_nvenc', '0', { atOnce: 2 }), report('hevc_nvenc', '1', { atOnce: 2 }), report('hevc_qsv')];

suite('a profile gets', () => {
  test('the best proved encoder that it allows, or the reason why none', () => {
    assert.equal(choose(house, { bits: 8 }), 'hevc_nvenc 0');
    assert.equal(choose(house), 'hevc_vaapi /dev/dri/renderD128');
    assert.equal(choose(house, { encoder: 'software' }), 'libx265');
    const none = chooseEncoder([report('libx265')], { encoder: 'hardware' }, 10);
    assert.deepEqual(none, { choice: null, reason: { code: 'no-hardware-encoder', params: { bitDepth: 10 } } });
  });

  test('AV1 from encoders of AV1 only, and says so when there is none', () => {
    assert.equal(choose(house, { codec: 'av1' }), 'av1_nvenc 0');
    assert.equal(choose(house, { codec: 'av1', encoder: 'software' }), 'libsvtav1');
    const none = chooseEncoder([report('libx265')], { encoder: 'auto', codec: 'av1' }, 10, { hdr10: true });
    assert.ok(none.choice === null);
    assert.equal(sentence(none.reason), 'This node has no working AV1 encoder for it (10 bits) that keeps HDR10.');
  });

  test('B-frames only where the chip has proved them', () => {
    const picked = (bFrames?: boolean) => chooseEncoder([report('hevc_nvenc', '0', { bFrames })], { encoder: 'auto' }, 10);
    assert.deepEqual(picked(true), { choice: { name: 'hevc_nvenc', device: '0', bFrames: true } });
    assert.deepEqual(picked(false), { choice: { name: 'hevc_nvenc', device: '0' } });
    assert.deepEqual(picked(), { choice: { name: 'hevc_nvenc', device: '0' } });
  });
});

suite('a film with HDR10’s values', () => {
  test('never goes to an encoder that was not seen to keep them', () => {
    const reports = [report('libx265', null, { hdr10: true }), report('hevc_nvenc', '0', { hdr10: false }), report('hevc_qsv')];
    assert.equal(choose(reports, {}, { hdr10: true }), 'libx265');
    assert.equal(choose(reports, {}), 'hevc_nvenc 0');
    assert.equal(choose(reports, { encoder: 'hardware' }, { hdr10: true }), 'no-hardware-encoder');
    assert.equal(choose([report('libx265', null, { hdr10: false })], {}, { hdr10: true }), 'no-encoder');
  });

  test('may go to x265 of a node of the version before, which told nothing, and to nothing else of it', () => {
    assert.equal(choose([report('libx265')], {}, { hdr10: true }), 'libx265');
    assert.equal(choose([report('libsvtav1')], { codec: 'av1' }, { hdr10: true }), 'no-encoder');
  });
});

suite('what runs already', () => {
  const runs = (...refs: string[]): EncoderRef[] => refs.map((ref) => ({ name: ref.split(' ')[0]!, device: ref.split(' ')[1] ?? null }));

  test('spreads films over the devices of one family, then over the next family, then software', () => {
    const busy: EncoderRef[] = [];
    const order = Array.from({ length: 6 }, () => {
      const next = choose(cards, {}, { busy });
      busy.push(...runs(next));
      return next;
    });
    assert.deepEqual(order, ['hevc_nvenc 0', 'hevc_nvenc 1', 'hevc_nvenc 0', 'hevc_nvenc 1', 'hevc_qsv', 'hevc_qsv']);
  });

  test('never puts more on a device than it takes, and makes hardware-only films wait instead of using software', () => {
    const one = [report('libx265'), report('hevc_nvenc', '0', { atOnce: 1 })];
    assert.equal(choose(one, {}, { busy: runs('hevc_nvenc 0') }), 'libx265');
    assert.equal(choose(one, { encoder: 'hardware' }, { busy: runs('hevc_nvenc 0') }), 'device-busy');
  });

  test('counts an encode of AV1 on the same chip', () => {
    const one = [report('hevc_nvenc', '0', { atOnce: 1 })];
    assert.equal(choose(one, {}, { busy: runs('av1_nvenc 0') }), 'device-busy');
    assert.equal(choose(one, {}, { busy: runs('av1_nvenc 1') }), 'hevc_nvenc 0');
  });
});

suite('what failed with this very film', () => {
  const nvenc = { name: 'hevc_nvenc', device: '0' };
  test('is tried after everything else that the profile allows', () => {
    assert.equal(choose(cards, {}, { failed: [nvenc] }), 'hevc_nvenc 1');
    assert.equal(choose(cards, {}, { failed: [nvenc, { ...nvenc, device: '1' }] }), 'hevc_qsv');
    const all = [nvenc, { ...nvenc, device: '1' }, { name: 'hevc_qsv', device: null }];
    assert.equal(choose(cards, {}, { failed: all }), 'libx265');
    assert.equal(choose(cards, { encoder: 'hardware' }, { failed: all }), 'hevc_nvenc 0', 'software is never allowed by a failure');
    assert.equal(choose(cards, { encoder: 'hardware' }, { failed: [...all, nvenc] }), 'hevc_nvenc 1', 'what failed least comes first');
  });

  test('is not used at all when it is to be left out', () => {
    assert.equal(choose([report('hevc_nvenc', '0')], {}, { leaveOut: [nvenc] }), 'no-encoder');
  });
});
