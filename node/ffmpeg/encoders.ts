import type { EncoderChoice, EncoderName } from '../core/encoder-choice.ts';
import type { Profile } from '../core/profile.ts';

/**
 * One row per encoder family. Quality comes in on x265's CRF scale (18 best … 28 small) and leaves on the encoder's own;
 * the offsets are starting points (research/transcode.md §3), not yet measured ones.
 */
export interface EncoderRow {
  hardware: boolean;
  /** options before the inputs: which device */
  device(device: string | null): string[];
  /** the end of the filter chain: brings the picture to where and how the encoder wants it */
  filters(bitDepth: 8 | 10): string[];
  /** `-pix_fmt`; null where the picture lies on the device */
  pixelFormat(bitDepth: 8 | 10): string | null;
  /** name and value pairs without the dash; the stream is added by args.ts */
  options(wish: EncoderWish): [name: string, value: string | number][];
  /** which devices to try on this machine, given its render nodes */
  devices(renderNodes: string[]): (string | null)[];
  platforms: NodeJS.Platform[];
}

export interface EncoderWish {
  quality: number;
  speed: Profile['speed'];
  bitDepth: 8 | 10;
  /** further x265 parameters: HDR metadata */
  x265: string[];
}

const profileName = (w: EncoderWish): [string, string] => ['profile', w.bitDepth === 10 ? 'main10' : 'main'];
const semiPlanar = (bits: 8 | 10): string => (bits === 10 ? 'p010le' : 'nv12');
const none = (): string[] => [];
const oneDevice = (): null[] => [null];
const pick = <T>(speed: Profile['speed'], fast: T, medium: T, slow: T): T => ({ fast, medium, slow })[speed];

export const encoderRows: Record<EncoderName, EncoderRow> = {
  libx265: {
    hardware: false,
    device: none,
    filters: none,
    devices: oneDevice,
    platforms: ['linux', 'darwin', 'win32', 'freebsd', 'openbsd', 'netbsd', 'sunos', 'aix', 'android'],
    pixelFormat: (bits) => (bits === 10 ? 'yuv420p10le' : 'yuv420p'),
    options: (w) => [
      ['preset', pick(w.speed, 'fast', 'medium', 'slow')],
      ['crf', w.quality],
      profileName(w),
      ['x265-params', ['log-level=error', ...w.x265].join(':')],
    ],
  },
  hevc_nvenc: {
    hardware: true,
    device: none,
    filters: none,
    devices: () => ['0', '1', '2', '3'],
    platforms: ['linux', 'win32'],
    pixelFormat: (bits) => (bits === 10 ? 'p010le' : 'yuv420p'),
    options: (w) => [
      ['preset', pick(w.speed, 'p4', 'p5', 'p7')],
      ['tune', 'hq'],
      ['rc', 'vbr'],
      ['cq', w.quality + 4],
      ['b', 0],
      profileName(w),
      ['spatial-aq', 1],
      ['temporal-aq', 1],
      ['rc-lookahead', 32],
    ],
  },
  hevc_qsv: {
    hardware: true,
    devices: (nodes) => (nodes.length > 0 ? nodes : [null]),
    platforms: ['linux', 'win32'],
    filters: none,
    device: (device) => ['-init_hw_device', device ? `qsv=hw,child_device=${device}` : 'qsv=hw'],
    pixelFormat: semiPlanar,
    options: (w) => [['preset', pick(w.speed, 'fast', 'slow', 'veryslow')], ['global_quality', w.quality + 2], profileName(w)],
  },
  hevc_vaapi: {
    hardware: true,
    devices: (nodes) => nodes,
    platforms: ['linux', 'freebsd'],
    device: (device) => ['-init_hw_device', `vaapi=hw:${device ?? ''}`, '-filter_hw_device', 'hw'],
    filters: (bits) => [`format=${semiPlanar(bits)}`, 'hwupload'],
    pixelFormat: () => null,
    options: (w) => [['rc_mode', 'CQP'], ['qp', w.quality + 3], profileName(w)],
  },
  hevc_amf: {
    hardware: true,
    device: none,
    filters: none,
    devices: oneDevice,
    platforms: ['linux', 'win32'],
    pixelFormat: semiPlanar,
    options: (w) => [
      ['quality', pick(w.speed, 'speed', 'balanced', 'quality')],
      ['rc', 'cqp'],
      ['qp_i', w.quality + 2],
      ['qp_p', w.quality + 2],
      profileName(w),
    ],
  },
  hevc_videotoolbox: {
    hardware: true,
    device: none,
    filters: none,
    devices: oneDevice,
    platforms: ['darwin'],
    pixelFormat: semiPlanar,
    options: (w) => [['allow_sw', 0], ['q', Math.max(1, 100 - 2 * w.quality)], profileName(w)],
  },
};

export function rowOf(choice: EncoderChoice): EncoderRow {
  return encoderRows[choice.name];
}

/** Codec, options and pixel format of output stream `n`. The same for a film and for the test encode of detect.ts. */
export function encoderArguments(choice: EncoderChoice, wish: EncoderWish, n: number): string[] {
  const row = rowOf(choice);
  const pixelFormat = row.pixelFormat(wish.bitDepth);
  // NVENC names its device among the encoder's options, the others before the inputs
  const gpu: [string, string][] = choice.name === 'hevc_nvenc' && choice.device !== null ? [['gpu', choice.device]] : [];
  return [
    `-c:${n}`,
    choice.name,
    ...[...row.options(wish), ...gpu].flatMap(([name, value]) => [`-${name}:${n}`, String(value)]),
    ...(pixelFormat ? [`-pix_fmt:${n}`, pixelFormat] : []),
  ];
}
