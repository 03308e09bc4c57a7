import type { EncoderChoice, EncoderName } from '../core/encoder-choice.ts';
import { codecOf } from '../core/encoder-choice.ts';
import type { Probe, VideoStream } from '../core/media.ts';
import type { WorkPlan } from '../core/plan.ts';
import { defaultProfile } from '../core/profile.ts';
import type { ArgumentsInput } from '../ffmpeg/args.ts';
import { aVideoStream } from './video-stream.ts';

/** A plain film of one stream, and what can be special about one, for the exact arguments of every encoder. */
export const film = aVideoStream({
  durationMs: 1000,
  width: 320,
  height: 180,
  frames: 25,
  color: { range: 'tv', space: 'bt709', transfer: 'bt709', primaries: 'bt709', chromaLocation: null },
});

/** As x265 writes it: 50,000ths and 10,000ths. */
export const masteringDisplay = 'G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)';

const wide = { ...film, bitDepth: 10, pixelFormat: 'yuv420p10le' };
const hdr10: VideoStream = {
  ...wide,
  color: { range: 'tv', space: 'bt2020nc', transfer: 'smpte2084', primaries: 'bt2020', chromaLocation: 'topleft' },
  hdr: { kind: 'hdr10', dolbyVisionProfile: null, masteringDisplay, contentLight: '1000,400' },
};
const hlg: VideoStream = {
  ...wide,
  color: { ...hdr10.color, transfer: 'arib-std-b67' },
  hdr: { kind: 'hlg', dolbyVisionProfile: null, masteringDisplay: null, contentLight: null },
};

interface Special {
  film?: VideoStream;
  plan?: Partial<WorkPlan>;
  speed?: ArgumentsInput['profile']['speed'];
  quality?: number;
  choice?: Partial<EncoderChoice>;
  release?: number[];
}

/** By what is special about each. */
export function encodeCases(name: EncoderName): Record<string, ArgumentsInput> {
  const ten = { video: { bitDepth: 10, deinterlace: false } } as const;
  const cases: Record<string, Special> = {
    '8 bit': {},
    '10 bit': { plan: ten },
    fast: { plan: ten, speed: 'fast' },
    slow: { plan: ten, speed: 'slow' },
    'quality 18': { plan: ten, quality: 18 },
    'quality 28': { plan: ten, quality: 28 },
    HDR10: { plan: { video: { ...ten.video, hdr10: true } }, film: hdr10 },
    HLG: { plan: ten, film: hlg },
    deinterlaced: { plan: { video: { bitDepth: 8, deinterlace: true } }, film: { ...film, fieldOrder: 'tt' } },
    'full range': { film: { ...film, pixelFormat: 'yuvj420p', color: { ...film.color, range: 'pc' } } },
    'MP4, newer ffmpeg': { plan: { ...ten, container: 'mp4', extension: '.mp4' }, release: [7, 1, 5] },
    'B-frames proved': { plan: ten, choice: { bFrames: true } },
    ...(firstDevice(name) === null ? {} : { 'second device': { plan: ten, choice: { device: secondDevice(name) } } }),
  };
  return Object.fromEntries(Object.entries(cases).map(([about, special]) => [about, jobOf(name, special)]));
}

function jobOf(name: EncoderName, special: Special): ArgumentsInput {
  const stream = special.film ?? film;
  const { speed = 'medium', quality = 22 } = special;
  const codec = codecOf(name);
  return {
    plan: {
      action: 'transcode',
      reason: { code: 'not-hevc' },
      container: 'matroska',
      extension: '.mkv',
      dropped: [],
      expectedBytes: 1,
      video: { bitDepth: 8, deinterlace: false },
      streams: [{ index: 0, kind: 'video', action: 'encode', codec, note: null }],
      ...special.plan,
    },
    profile: { ...defaultProfile, codec, speed, quality },
    probe: probeOf(stream),
    input: '/in/film.mkv',
    output: '/space/1.part',
    encoder: { name, device: firstDevice(name), ...special.choice },
    release: special.release ?? [5, 1, 9],
  };
}

function probeOf(stream: VideoStream): Probe {
  return {
    container: 'matroska',
    formatName: 'matroska,webm',
    durationMs: 1000,
    sizeBytes: 1000,
    bitrate: null,
    startMs: 0,
    chapters: [],
    tags: {},
    warnings: [],
    probedBy: '5.1',
    streams: [stream],
  };
}

function firstDevice(name: EncoderName): string | null {
  if (name.endsWith('_nvenc')) return '0';
  return name.endsWith('_qsv') || name.endsWith('_vaapi') ? '/dev/dri/renderD128' : null;
}

function secondDevice(name: EncoderName): string {
  return name.endsWith('_nvenc') ? '1' : '/dev/dri/renderD129';
}
