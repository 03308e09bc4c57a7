import type { Probe, VideoStream } from './media.ts';
import { filmStreams } from './media.ts';
import type { Profile } from './profile.ts';

/**
 * How large the output will be, in bytes. It orders the queue and feeds the forecast; nothing is skipped because of it: an
 * estimate is too rough to deny a file its chance, and an output that is not worth it never replaces anything.
 *
 * Two guesses, the smaller counts: what x265 spends on film of this size at this quality, and what a codec of this age
 * usually gives back. The constants are from the field (8 to 9 hundredths of a bit per pixel for 1080p film at CRF 22,
 * half the size for every 6 steps of quality); measured results should replace them.
 */
export function expectedBytes(
  probe: Probe,
  profile: Pick<Profile, 'quality' | 'speed'> & { codec?: Profile['codec'] | undefined },
): number {
  const film = filmStreams(probe)[0];
  const seconds = (probe.durationMs ?? 0) / 1000;
  if (!film || seconds <= 0) return probe.sizeBytes;
  const now = (videoBitrate(probe, film) * seconds) / 8;
  const rest = Math.max(0, probe.sizeBytes - now);
  const strength = 2 ** ((22 - profile.quality) / 6) * effort[profile.speed] * (profile.codec === 'av1' ? AV1_SHARE : 1);
  const pixels = film.width * film.height;
  const perPixel = 0.085 * ((1920 * 1080) / Math.max(pixels, 1)) ** 0.2;
  const byPixels = (perPixel * strength * pixels * frameRateOf(film) * seconds) / 8;
  const byCodec = now * Math.min(0.95, (shrink[film.codec] ?? 0.6) * strength);
  // a header may lie about bitrates and lengths; an output that is larger never replaces anything
  return Math.round(Math.min(probe.sizeBytes, rest + Math.min(byPixels, byCodec)));
}

/** What AV1 needs of the bits that HEVC needs for the same picture: 0.84 to 0.92 by SSIM on films of 854 pixels. */
const AV1_SHARE = 0.9;

const effort = { fast: 1.1, medium: 1, slow: 0.95 } as const;

/** Share of the size that usually remains at quality 22. */
const shrink: Record<string, number> = {
  h264: 0.6,
  mpeg2video: 0.35,
  mpeg1video: 0.35,
  vc1: 0.6,
  wmv3: 0.6,
  mpeg4: 0.55,
  msmpeg4v3: 0.55,
  mjpeg: 0.2,
  dvvideo: 0.15,
  vp8: 0.6,
  vp9: 0.9,
  av1: 1,
  hevc: 0.95,
};

/** Bits of film per second: what the stream says, else what the file spends beyond its other streams. */
export function videoBitrate(probe: Probe, film: VideoStream): number {
  if (film.bitrate !== null && film.bitrate > 0) return film.bitrate;
  const seconds = (probe.durationMs ?? 0) / 1000;
  const whole = seconds > 0 ? (probe.sizeBytes * 8) / seconds : (probe.bitrate ?? 0);
  const others = probe.streams
    .filter((stream) => stream.index !== film.index && stream.kind === 'audio')
    .reduce((sum, stream) => sum + (stream.bitrate ?? 128_000), 0);
  return Math.max(whole * 0.2, whole - others);
}

/** Bits per pixel of the film, or null when size, rate or length is not known. */
export function bitsPerPixel(probe: Probe, film: VideoStream): number | null {
  const pixelsPerSecond = film.width * film.height * frameRateOf(film);
  const bits = videoBitrate(probe, film);
  return pixelsPerSecond > 0 && bits > 0 && (probe.durationMs ?? 0) > 0 ? bits / pixelsPerSecond : null;
}

/** The average rate where it is told: on variable frame rate the nominal one can be 1000. */
export function frameRateOf(film: VideoStream): number {
  const rate = film.averageFrameRate ?? film.frameRate ?? 25;
  return rate > 0 && rate <= 300 ? rate : 25;
}
