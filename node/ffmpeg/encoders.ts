import type { EncoderChoice, EncoderName } from '../core/encoder-choice.ts';
import type { Hdr } from '../core/media.ts';
import type { Profile } from '../core/profile.ts';
import { svtHdr10, x265Hdr10 } from './hdr10.ts';

/**
 * Every encoder that we use, as one table; golden/ holds the exact arguments of each row. Quality comes in on x265's CRF
 * scale (18 best … 28 small) and leaves on the encoder's own:
 *
 *   libx265            crf q                   the scale itself
 *   HEVC on hardware   q + 2 … q + 4           start points from the field; a quality goal is met by measuring instead
 *   libsvtav1          crf av1Crf(q)           measured, see there
 *   AV1 on hardware    cq av1Crf(q) + 2, or four times av1Crf(q) where the number is AV1's quantizer index (0 … 255):
 *                      AV1's own table between the two is four to one; Quick Sync counts as for HEVC. Start points, too.
 */
export interface EncoderRow {
  codec: Profile['codec'];
  hardware: boolean;
  /** options before the inputs: which device */
  device(device: string | null): string[];
  /** the end of the filter chain: brings the picture to where and how the encoder wants it */
  filters(bitDepth: 8 | 10): string[];
  /** `-pix_fmt`; null where the picture lies on the device */
  pixelFormat(bitDepth: 8 | 10): string | null;
  /** name and value pairs without the dash; the stream is added by `encoderArguments` */
  options(wish: EncoderWish): Options;
  /** added where the chip has proved that it makes B-frames; absent where the driver decides by itself */
  bFrames?: Options;
  /** which devices to try on this machine, given its render nodes */
  devices(renderNodes: string[]): (string | null)[];
  platforms: NodeJS.Platform[];
}

type Options = [name: string, value: string | number][];

export interface EncoderWish {
  /** on x265's CRF scale; need not be whole */
  quality: number;
  speed: Profile['speed'];
  bitDepth: 8 | 10;
  /** processors it may use; absent: all. x265 asks for those of the whole machine, whatever it was bound to (measured, libnuma) */
  threads?: number | undefined;
  /** HDR10 values that the encoder must write into its stream; what other encoders get travels with the pictures */
  hdr10?: Hdr | null;
}

const hevcProfile = (w: EncoderWish): [string, string] => ['profile', w.bitDepth === 10 ? 'main10' : 'main'];
const planar = (bits: 8 | 10): string => (bits === 10 ? 'yuv420p10le' : 'yuv420p');
const semiPlanar = (bits: 8 | 10): string => (bits === 10 ? 'p010le' : 'nv12');
const none = (): string[] => [];
const oneDevice = (): null[] => [null];
const pick = <T>(speed: Profile['speed'], fast: T, medium: T, slow: T): T => ({ fast, medium, slow })[speed];
const whole = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, Math.round(value)));
const everywhere: NodeJS.Platform[] = ['linux', 'darwin', 'win32', 'freebsd', 'openbsd', 'netbsd', 'sunos', 'aix', 'android'];

/**
 * The number on SVT-AV1's CRF scale that gives the picture of x265 at CRF q. Measured by SSIM on three short films at 854
 * pixels (x265 medium, SVT-AV1 preset 8, 10 bit): q 18, 22, 26, 30 are matched by 16, 26, 36, 45 in the mean, each film
 * within 4 of it. The scale is steeper than x265's: a fixed offset would make fine wishes too coarse.
 */
export function av1Crf(quality: number): number {
  return whole(26 + 2.35 * (quality - 22), 1, 63);
}

const software = { hardware: false, device: none, filters: none, devices: oneDevice, platforms: everywhere, pixelFormat: planar };

const nvenc = {
  hardware: true,
  device: none,
  filters: none,
  devices: () => ['0', '1', '2', '3'],
  platforms: ['linux', 'win32'] as NodeJS.Platform[],
  pixelFormat: (bits: 8 | 10): string => (bits === 10 ? 'p010le' : 'yuv420p'),
  bFrames: [
    ['bf', 3],
    ['b_ref_mode', 'middle'],
  ] as Options,
};
const nvencOptions = (w: EncoderWish, cq: number): Options => [
  ['preset', pick(w.speed, 'p4', 'p5', 'p7')],
  ['tune', 'hq'],
  ['rc', 'vbr'],
  ['cq', cq],
  ['b', 0],
  ['spatial-aq', 1],
  ['temporal-aq', 1],
  ['rc-lookahead', 32],
];

const qsv = {
  hardware: true,
  devices: (nodes: string[]) => (nodes.length > 0 ? nodes : [null]),
  platforms: ['linux', 'win32'] as NodeJS.Platform[],
  filters: none,
  device: (device: string | null) => ['-init_hw_device', device ? `qsv=hw,child_device=${device}` : 'qsv=hw'],
  pixelFormat: semiPlanar,
};
const qsvOptions = (w: EncoderWish): Options => [
  ['preset', pick(w.speed, 'fast', 'slow', 'veryslow')],
  ['global_quality', whole(w.quality + 2, 1, 51)],
];

const vaapi = {
  hardware: true,
  devices: (nodes: string[]) => nodes,
  platforms: ['linux', 'freebsd'] as NodeJS.Platform[],
  device: (device: string | null) => ['-init_hw_device', `vaapi=hw:${device ?? ''}`, '-filter_hw_device', 'hw'],
  filters: (bits: 8 | 10) => [`format=${semiPlanar(bits)}`, 'hwupload'],
  pixelFormat: () => null,
};

const amf = {
  hardware: true,
  device: none,
  filters: none,
  devices: oneDevice,
  platforms: ['linux', 'win32'] as NodeJS.Platform[],
  pixelFormat: semiPlanar,
};
const amfOptions = (w: EncoderWish, qp: number): Options => [
  ['quality', pick(w.speed, 'speed', 'balanced', 'quality')],
  ['rc', 'cqp'],
  ['qp_i', qp],
  ['qp_p', qp],
];

export const encoderRows: Record<EncoderName, EncoderRow> = {
  libx265: {
    ...software,
    codec: 'hevc',
    options: (w) => [
      ['preset', pick(w.speed, 'fast', 'medium', 'slow')],
      ['crf', w.quality],
      hevcProfile(w),
      ['x265-params', ['log-level=error', ...(w.threads ? [`pools=${w.threads}`] : []), ...x265Hdr10(w.hdr10)].join(':')],
    ],
  },
  hevc_nvenc: { ...nvenc, codec: 'hevc', options: (w) => [...nvencOptions(w, w.quality + 4), hevcProfile(w)] },
  hevc_qsv: { ...qsv, codec: 'hevc', options: (w) => [...qsvOptions(w), hevcProfile(w)] },
  hevc_vaapi: { ...vaapi, codec: 'hevc', options: (w) => [['rc_mode', 'CQP'], ['qp', whole(w.quality + 3, 1, 51)], hevcProfile(w)] },
  hevc_amf: { ...amf, codec: 'hevc', options: (w) => [...amfOptions(w, whole(w.quality + 2, 1, 51)), hevcProfile(w)] },
  hevc_videotoolbox: {
    hardware: true,
    codec: 'hevc',
    device: none,
    filters: none,
    devices: oneDevice,
    platforms: ['darwin'],
    pixelFormat: semiPlanar,
    options: (w) => [['allow_sw', 0], ['q', whole(100 - 2 * w.quality, 1, 100)], hevcProfile(w)],
  },
  libsvtav1: {
    ...software,
    codec: 'av1',
    options: (w) => [['preset', pick(w.speed, 10, 8, 5)], ['crf', av1Crf(w.quality)], ...svtParameters(svtHdr10(w.hdr10))],
  },
  av1_nvenc: { ...nvenc, codec: 'av1', options: (w) => nvencOptions(w, whole(av1Crf(w.quality) + 2, 1, 63)) },
  av1_qsv: { ...qsv, codec: 'av1', options: qsvOptions },
  av1_vaapi: {
    ...vaapi,
    codec: 'av1',
    // it has no option `qp`: this is AV1's quantizer index
    options: (w) => [
      ['rc_mode', 'CQP'],
      ['global_quality', whole(4 * av1Crf(w.quality), 1, 255)],
    ],
  },
  av1_amf: { ...amf, codec: 'av1', options: (w) => amfOptions(w, whole(4 * av1Crf(w.quality), 1, 255)) },
};

export function rowOf(choice: EncoderChoice): EncoderRow {
  return encoderRows[choice.name];
}

/** Codec, options and pixel format of output stream `n`. The same for a film and for the test encode of detect.ts. */
export function encoderArguments(choice: EncoderChoice, wish: EncoderWish, n: number): string[] {
  const row = rowOf(choice);
  const pixelFormat = row.pixelFormat(wish.bitDepth);
  // NVENC names its device among the encoder's options, the others before the inputs
  const gpu: Options = choice.name.endsWith('_nvenc') && choice.device !== null ? [['gpu', choice.device]] : [];
  const bFrames = choice.bFrames ? (row.bFrames ?? []) : [];
  return [
    `-c:${n}`,
    choice.name,
    ...[...row.options(wish), ...bFrames, ...gpu].flatMap(([name, value]) => [`-${name}:${n}`, String(value)]),
    ...(pixelFormat ? [`-pix_fmt:${n}`, pixelFormat] : []),
  ];
}

function svtParameters(parameters: string[]): Options {
  return parameters.length > 0 ? [['svtav1-params', parameters.join(':')]] : [];
}
