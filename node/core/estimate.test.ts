import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bitsPerPixel, expectedBytes, frameRateOf, videoBitrate } from './estimate.ts';
import type { Probe, VideoStream } from './media.ts';
import { filmStreams } from './media.ts';
import { capturedProbe, probeNames } from '../testing/fixtures.ts';

const wish = { quality: 22, speed: 'medium' } as const;

function movie(codec: string, width: number, height: number, megabits: number): { probe: Probe; film: VideoStream } {
  const probe = capturedProbe('clip-film');
  const film = filmStreams(probe)[0]!;
  Object.assign(film, { codec, width, height, averageFrameRate: 24, frameRate: 24, bitrate: megabits * 1e6 });
  probe.durationMs = 7200_000;
  probe.sizeBytes = (megabits * 1e6 + 640_000) * 900;
  return { probe, film };
}

test('a 1080p Blu-ray becomes a few gigabytes, most of a wasteful file is won', () => {
  const bytes = expectedBytes(movie('h264', 1920, 1080, 30).probe, wish);
  assert.ok(bytes > 3e9 && bytes < 6e9, String(bytes));
});

test('a lean file is not promised to shrink far', () => {
  const { probe } = movie('h264', 1920, 1080, 2);
  const share = expectedBytes(probe, wish) / probe.sizeBytes;
  assert.ok(share > 0.5 && share < 0.8, String(share));
});

test('older codecs are expected to give back more', () => {
  assert.ok(expectedBytes(movie('mpeg2video', 720, 576, 1.5).probe, wish) < expectedBytes(movie('h264', 720, 576, 1.5).probe, wish));
});

test('a better quality costs bytes, six steps about twice as many', () => {
  const { probe } = movie('h264', 1920, 1080, 40);
  const [good, usual] = [expectedBytes(probe, { ...wish, quality: 18 }), expectedBytes(probe, { ...wish, quality: 24 })];
  assert.ok(good / usual > 1.7 && good / usual < 2.1, String(good / usual));
});

test('bits per pixel are those of the film, not of its sound', () => {
  const { probe, film } = movie('h264', 1920, 1080, 2);
  assert.equal(bitsPerPixel(probe, film)?.toFixed(3), '0.040');
  film.bitrate = null;
  assert.ok(videoBitrate(probe, film) < (probe.sizeBytes * 8) / 7200);
});

test('a nominal rate of a thousand frames does not hide a wasteful film', () => {
  const { film } = movie('h264', 1920, 1080, 8);
  assert.equal(frameRateOf({ ...film, frameRate: 1000, averageFrameRate: 23.9 }), 23.9);
  assert.equal(frameRateOf({ ...film, frameRate: 90_000, averageFrameRate: null }), 25);
});

test('every captured file is expected to have a size that is whole and not larger than it is', () => {
  for (const name of probeNames) {
    const probe = capturedProbe(name);
    const bytes = expectedBytes(probe, wish);
    assert.ok(Number.isInteger(bytes) && bytes >= 0 && bytes <= probe.sizeBytes * 1.01, `${name}: ${bytes} of ${probe.sizeBytes}`);
  }
});

test('a header that lies about its length or bitrate does not make the output larger than the file', () => {
  const probe = capturedProbe('clip-film');
  probe.durationMs = Number.MAX_SAFE_INTEGER;
  filmStreams(probe)[0]!.bitrate = Number.MAX_SAFE_INTEGER;
  assert.ok(expectedBytes(probe, wish) <= probe.sizeBytes);
});
