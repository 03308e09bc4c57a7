import type { EncoderChoice } from '../core/encoder-choice.ts';
import { isPicture, type Container, type Probe, type Stream, type VideoStream } from '../core/media.ts';
import type { StreamPlan, WorkPlan } from '../core/plan.ts';
import type { Profile } from '../core/profile.ts';
import { encoderArguments, rowOf } from './encoders.ts';
import { fileUrl, safeGlobals, safeInput } from './sandbox.ts';

export interface ArgumentsInput {
  plan: WorkPlan;
  profile: Profile;
  probe: Probe;
  /** absolute paths */
  input: string;
  output: string;
  /** null only for a remux */
  encoder: EncoderChoice | null;
  /** of ffmpeg, as Tool.release; null for a nightly build, which is taken as new */
  release: number[] | null;
  /** processors that the encoder may use; absent: all */
  threads?: number | undefined;
  /** pictures that had to be taken out beforehand, by stream index: see coversToExtract */
  covers?: Cover[];
}

export interface Cover {
  index: number;
  file: string;
}

const muxers: Partial<Record<Container, string[]>> = {
  // passthrough: the default flags are those of the original, none is invented
  matroska: ['-default_mode', 'passthrough', '-f', 'matroska'],
  mp4: ['-movflags', '+faststart', '-f', 'mp4'],
  mov: ['-movflags', '+faststart', '-f', 'mov'],
  mpegts: ['-f', 'mpegts'],
  m2ts: ['-mpegts_m2ts_mode', '1', '-f', 'mpegts'],
};

/**
 * The arguments of the one ffmpeg run that makes what a plan asks for. Pure: equal input, equal command.
 * Every stream is mapped by its own index, none by a rule of ffmpeg's; what is not encoded is copied.
 * @throws TypeError for a plan that no plan of ours can be (a container without a muxer, an encode without an encoder)
 */
export function encodeArguments(job: ArgumentsInput): string[] {
  const { plan, encoder } = job;
  const muxer = muxers[plan.container];
  if (!muxer) throw new TypeError(`no muxer for ${plan.container}`);
  const encoded = plan.streams.find((s) => s.action === 'encode');
  if (encoded && !encoder) throw new TypeError('an encode without an encoder');
  if (encoded && encoder && rowOf(encoder).codec !== encoded.codec) throw new TypeError(`${encoder.name} does not make ${encoded.codec}`);
  const covers = job.covers ?? [];
  const mapped = plan.streams.filter((s) => !covers.some((c) => c.index === s.index));
  return [
    ...safeGlobals,
    '-v',
    'warning',
    ...(encoder ? rowOf(encoder).device(encoder.device) : []),
    ...safeInput,
    '-noautorotate', // the display matrix is kept instead of turning the pictures
    '-i',
    fileUrl(job.input),
    ...mapped.flatMap((s) => ['-map', `0:${s.index}`]),
    ...covers.flatMap((c) => ['-attach', fileUrl(c.file)]),
    '-map_metadata',
    '0',
    '-map_chapters',
    '0',
    ...mapped.flatMap((s, n) => streamArguments(s, n, job)),
    ...covers.flatMap((c, n) => coverTags(streamOf(job.probe, c.index), mapped.length + n)),
    '-max_muxing_queue_size',
    '4096',
    ...muxer,
    '-progress',
    'pipe:1',
    '-nostats',
    '-stats_period',
    '0.5',
    '-n',
    fileUrl(job.output),
  ];
}

/**
 * The pictures that must be taken out of the original and attached again. Matroska keeps cover art as an attachment, but
 * ffmpeg (5.1 to 7.0, measured) writes a copied cover as a film track of one frame.
 */
export function coversToExtract(plan: WorkPlan, probe: Probe): number[] {
  if (plan.container !== 'matroska') return [];
  return plan.streams.filter((s) => s.action === 'copy' && isPicture(streamOf(probe, s.index))).map((s) => s.index);
}

/** Takes one picture out, byte by byte as it lies in the file. */
export function extractArguments(input: string, index: number, output: string): string[] {
  return [
    ...safeGlobals,
    '-v',
    'warning',
    ...safeInput,
    '-i',
    fileUrl(input),
    '-map',
    `0:${index}`,
    '-frames:0',
    '1',
    '-c',
    'copy',
    '-f',
    'rawvideo',
    '-n',
    fileUrl(output),
  ];
}

function streamArguments(plan: StreamPlan, n: number, job: ArgumentsInput): string[] {
  const stream = streamOf(job.probe, plan.index);
  return [
    ...codecArguments(plan, stream, n, job),
    // said for each: left alone, ffmpeg makes the first of a kind the default when the original has none
    `-disposition:${n}`,
    stream.disposition.join('+') || '0',
  ];
}

function codecArguments(plan: StreamPlan, stream: Stream, n: number, job: ArgumentsInput): string[] {
  if (plan.action === 'encode' && stream.kind === 'video' && job.encoder) return encodeVideo(plan, stream, n, job, job.encoder);
  if (plan.action === 'convert') return [`-c:${n}`, plan.codec === 'subrip' ? 'srt' : plan.codec];
  return [`-c:${n}`, 'copy', ...hvc1(n, stream.codec, job.plan)];
}

function encodeVideo(plan: StreamPlan, stream: VideoStream, n: number, job: ArgumentsInput, encoder: EncoderChoice): string[] {
  const bitDepth = job.plan.video?.bitDepth ?? 8;
  const wish = { quality: job.profile.quality, speed: job.profile.speed, bitDepth, threads: job.threads, hdr10: stream.hdr };
  const filters = [
    ...(job.plan.video?.deinterlace ? [deinterlacer(stream)] : []),
    ...keepRange(stream),
    ...rowOf(encoder).filters(bitDepth),
  ];
  return [
    ...encoderArguments(encoder, wish, n),
    ...(filters.length > 0 ? [`-filter:${n}`, filters.join(',')] : []),
    // every frame keeps its own time, counted in the original's units: exact on variable frame rate (measured)
    `-fps_mode:${n}`,
    'passthrough',
    `-enc_time_base:${n}`,
    isOlder(job.release, 6, 1) ? '-1' : 'demux',
    ...colour(stream, n),
    ...staleTags(stream, n),
    ...hvc1(n, plan.codec, job.plan),
  ];
}

function isOlder(release: number[] | null, major: number, minor: number): boolean {
  return release !== null && ((release[0] ?? 0) < major || (release[0] === major && (release[1] ?? 0) < minor));
}

/** Apple's players open HEVC in MP4 and MOV only under this name. */
function hvc1(n: number, codec: string, plan: WorkPlan): string[] {
  return codec === 'hevc' && (plan.container === 'mp4' || plan.container === 'mov') ? [`-tag:${n}`, 'hvc1'] : [];
}

/** One frame out for one frame in, so that frames can be counted, and compared, against the original's. */
export function deinterlacer(stream: Pick<VideoStream, 'fieldOrder'>): string {
  const order = stream.fieldOrder === 'bb' || stream.fieldOrder === 'tb' ? 'bff' : 'tff';
  return `bwdif=mode=send_frame:parity=${order}:deint=all`;
}

/** Without this a full-range picture in one of the old "yuvj" formats is squeezed to limited range on its way. */
function keepRange(stream: VideoStream): string[] {
  return stream.color.range === 'pc' || stream.pixelFormat?.startsWith('yuvj') ? ['scale=in_range=pc:out_range=pc'] : [];
}

const colourNames = /^[a-z0-9-]{2,30}$/;
/** Where ffprobe's word is not the one that ffmpeg's options know. */
const optionNames: Record<string, Record<string, string>> = {
  color_trc: { bt470m: 'gamma22', bt470bg: 'gamma28', log100: 'log', log316: 'log_sqrt', bt1361e: 'bt1361' },
  colorspace: { gbr: 'rgb' },
};

function colour(stream: VideoStream, n: number): string[] {
  const { range, space, transfer, primaries, chromaLocation } = stream.color;
  const wanted = [
    ['color_range', range],
    ['colorspace', space],
    ['color_trc', transfer],
    ['color_primaries', primaries],
    ['chroma_sample_location', chromaLocation],
  ] as const;
  return wanted.flatMap(([name, value]) =>
    value && colourNames.test(value) ? [`-${name}:${n}`, optionNames[name]?.[value] ?? value] : [],
  );
}

/** Statistics that mkvmerge wrote about the old encode would be lies about the new one. */
function staleTags(stream: Stream, n: number): string[] {
  return Object.keys(stream.tags)
    .filter((key) => /^(BPS|NUMBER_OF_FRAMES|NUMBER_OF_BYTES|_STATISTICS_[A-Z_]{1,40})(-[a-z]{2,3})?$/.test(key))
    .flatMap((key) => [`-metadata:s:${n}`, `${key}=`]);
}

const pictureTypes: Record<string, [mime: string, extension: string]> = {
  mjpeg: ['image/jpeg', 'jpg'],
  png: ['image/png', 'png'],
  bmp: ['image/bmp', 'bmp'],
  gif: ['image/gif', 'gif'],
  webp: ['image/webp', 'webp'],
};

function coverTags(stream: Stream, n: number): string[] {
  const [mime, extension] = pictureTypes[stream.codec] ?? ['application/octet-stream', 'bin'];
  const fileName = Object.entries(stream.tags).find(([key]) => key.toLowerCase() === 'filename')?.[1] || `cover.${extension}`;
  return [
    `-metadata:s:${n}`,
    `mimetype=${mime}`,
    `-metadata:s:${n}`,
    `filename=${fileName}`,
    ...(stream.title ? [`-metadata:s:${n}`, `title=${stream.title}`] : []),
  ];
}

function streamOf(probe: Probe, index: number): Stream {
  const stream = probe.streams.find((s) => s.index === index);
  if (!stream) throw new TypeError(`the plan names stream ${index}, which the file does not have`);
  return stream;
}
