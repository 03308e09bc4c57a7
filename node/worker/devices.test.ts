import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EncoderReport } from '../core/encoder-choice.ts';
import { PlainError } from '../errors.ts';
import type { GrantedJob } from '../mesh/messages.ts';
import { createDevices } from './devices.ts';

const report = (name: string, device: string | null, more: Partial<EncoderReport> = {}): EncoderReport => ({
  ...{ name, device, works: true, tenBit: true, hardware: device !== null, reason: null, testedAt: '', ...more },
});
const never = new AbortController().signal;

function film(encoder: 'auto' | 'hardware', more: Partial<GrantedJob> = {}): GrantedJob {
  const plan = {
    action: 'transcode',
    video: { bitDepth: 10, deinterlace: false },
    streams: [{ index: 0, action: 'encode', codec: 'hevc' }],
  };
  return { plan, profile: { encoder }, probe: { streams: [] }, ...more } as unknown as GrantedJob;
}

test('a film that insists on hardware waits until a device is free, and gets it', async () => {
  const devices = createDevices(() => [report('hevc_nvenc', '0', { atOnce: 1, build: 'b' }), report('libx265', null)]);
  const first = await devices.take(film('hardware'), never);
  assert.deepEqual([first?.encoder.name, first?.build], ['hevc_nvenc', 'b']);
  let waited = true;
  const second = devices.take(film('hardware'), never).then((taken) => ({ taken, waited }));
  const third = await devices.take(film('auto'), never);
  assert.equal(third?.encoder.name, 'libx265', 'one that may use software does not wait');
  waited = false;
  first?.release();
  first?.release();
  const { taken, waited: tooEarly } = await second;
  assert.deepEqual([taken?.encoder.name, tooEarly], ['hevc_nvenc', false]);
  assert.equal(devices.inUse().length, 2);
});

test('who waits for a device can be stopped', async () => {
  const devices = createDevices(() => [report('hevc_nvenc', '0', { atOnce: 1 })]);
  await devices.take(film('hardware'), never);
  const stop = new AbortController();
  const waits = devices.take(film('hardware'), stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(waits, /enough/);
  assert.equal(devices.inUse().length, 1);
});

test('what no encoder of this node may do is refused before its film travels, also because its only encoder is benched', () => {
  const devices = createDevices(() => [report('hevc_nvenc', '0')]);
  const refused = (grant: GrantedJob): unknown => {
    try {
      devices.check(grant);
      return null;
    } catch (error) {
      return error instanceof PlainError ? error.reason?.code : error;
    }
  };
  assert.equal(refused(film('auto')), null);
  assert.equal(refused(film('auto', { benched: [{ encoder: 'hevc_nvenc', device: '0' }] })), 'no-encoder');
  const hdr = { kind: 'hdr10', dolbyVisionProfile: null, masteringDisplay: 'G(1,2)B(3,4)R(5,6)WP(7,8)L(9,1)', contentLight: null };
  const probe = { streams: [{ kind: 'video', index: 0, disposition: [], hdr }] } as unknown as GrantedJob['probe'];
  assert.equal(refused(film('auto', { probe })), 'no-encoder', 'a plan of the version before says nothing of HDR10: the film does');
  assert.equal(refused({ ...film('auto'), plan: { action: 'remux', video: null, streams: [] } as never }), null);
});
