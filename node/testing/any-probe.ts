import fc from 'fast-check';
import type { Chapter, Container, Disposition, Hdr, Probe, Stream, VideoStream } from '../core/media.ts';
import { defaultProfile, type Profile } from '../core/profile.ts';

/**
 * Probes and profiles for property tests, with fast-check. `likely` ones are what files really say, in every combination;
 * `absurd` ones have any value in any place, because a probe may come from a broken file or from another node.
 */

const absurdNumber = fc.oneof(
  fc.constantFrom(0, -0, -1, 0.5, 1, 2 ** 31, 2 ** 53, 1e300, -1e300, Number.MIN_VALUE, Number.NaN, Infinity, -Infinity),
  fc.double(),
);
const absurdWord = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constantFrom('', '__proto__', 'constructor', 'h264', 'N/A'));
const absurdTags = fc.dictionary(absurdWord, absurdWord, { maxKeys: 4 });
const nullable = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null, freq: 3 });

const dispositions: Disposition[] = ['default', 'forced', 'comment', 'hearing_impaired', 'visual_impaired', 'original', 'dub'];
const someDispositions = fc.subarray(dispositions, { maxLength: 3 });
const language = nullable(fc.constantFrom('eng', 'ger', 'deu', 'fre', 'jpn', 'und', 'zxx'));
const title = nullable(fc.constantFrom('Director’s commentary', 'Surround', ' spaced ', 'Signs & Songs', 'x'));

const containers: Container[] = ['matroska', 'webm', 'mp4', 'mov', 'avi', 'mpegts', 'm2ts', 'mpeg', 'asf', 'flv', 'ogg'];
const codecs = {
  film: ['h264', 'mpeg2video', 'mpeg4', 'vc1', 'vp8', 'hevc', 'mjpeg', 'dvvideo', 'av1', 'vp9'],
  audio: ['aac', 'ac3', 'eac3', 'dts', 'truehd', 'flac', 'opus', 'mp2', 'mp3', 'alac', 'pcm_s16le', 'pcm_dvd', 'wmav2'],
  subtitle: ['subrip', 'ass', 'mov_text', 'hdmv_pgs_subtitle', 'dvd_subtitle', 'dvb_subtitle', 'dvb_teletext', 'eia_608'],
  attachment: ['ttf', 'otf', 'unknown'],
  data: ['bin_data', 'timed_id3', 'dvd_nav_packet', 'klv'],
  picture: ['mjpeg', 'png', 'webp'],
};

const light = nullable(fc.constantFrom('1000,400', '4000,1200'));
const mastering = nullable(
  fc.constantFrom('G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,1)', 'G(1,2)B(3,4)R(5,6)WP(7,8)L(9,1)'),
);
const hdr: fc.Arbitrary<Hdr | null> = nullable(
  fc.record({
    kind: fc.constantFrom<Hdr['kind']>('hdr10', 'hdr10', 'hlg', 'hdr10plus', 'dolby-vision'),
    dolbyVisionProfile: fc.constant(null),
    masteringDisplay: mastering,
    contentLight: light,
  }),
);

const times = { startMs: fc.integer({ min: -100, max: 2000 }), durationMs: fc.integer({ min: 58_000, max: 60_000 }) };
const base = (kind: Stream['kind'], names: string[]) => ({
  kind: fc.constant(kind),
  index: fc.constant(0),
  codec: fc.constantFrom(...names),
  codecTag: fc.constantFrom(null, null, 'text', 'tmcd', 'gpmd'),
  codecProfile: fc.constant(null),
  language,
  title,
  disposition: someDispositions,
  bitrate: nullable(fc.integer({ min: 1000, max: 40_000_000 })),
  tags: fc.constant({}),
  ...times,
});

const video = (names: string[]): fc.Arbitrary<VideoStream> =>
  fc.record({
    ...base('video', names),
    width: fc.integer({ min: 16, max: 2000 }).map((n) => 2 * n),
    height: fc.integer({ min: 16, max: 1100 }).map((n) => 2 * n),
    pixelFormat: fc.constant('yuv420p'),
    bitDepth: fc.constantFrom(8, 8, 10),
    chroma: fc.constantFrom('4:2:0', '4:2:0', '4:2:0', '4:0:0', '4:2:2'),
    hasAlpha: fc.constant(false),
    frameRate: fc.constantFrom(24, 25, 30000 / 1001, 50),
    averageFrameRate: nullable(fc.constantFrom(24, 25, 30000 / 1001, 50)),
    frames: fc.constant(null),
    fieldOrder: fc.constantFrom('progressive', 'progressive', 'tt', 'bb', 'unknown'),
    sampleAspectRatio: fc.constantFrom(null, '1:1', '16:11', '4:3'),
    rotation: fc.constantFrom(0, 0, 90, 180, 270),
    color: fc.record({
      range: fc.constantFrom(null, 'tv', 'pc'),
      space: fc.constantFrom(null, 'bt709', 'smpte170m', 'bt2020nc'),
      transfer: fc.constantFrom(null, 'bt709', 'smpte2084', 'arib-std-b67'),
      primaries: fc.constantFrom(null, 'bt709', 'bt470bg', 'bt2020'),
      chromaLocation: fc.constantFrom(null, 'left', 'topleft'),
    }),
    hdr,
    closedCaptions: fc.constant(false),
  } as { [K in keyof VideoStream]: fc.Arbitrary<VideoStream[K]> });

const likelyStream: fc.Arbitrary<Stream> = fc.oneof(
  {
    arbitrary: fc.record({
      ...base('audio', codecs.audio),
      channels: fc.constantFrom(1, 2, 6),
      channelLayout: fc.constant(null),
      sampleRate: fc.constantFrom(44_100, 48_000),
    }),
    weight: 5,
  },
  { arbitrary: fc.record(base('subtitle', codecs.subtitle)), weight: 4 },
  {
    arbitrary: fc.record({
      ...base('attachment', codecs.attachment),
      fileName: fc.constantFrom('a.ttf', 'b.otf', null),
      mimeType: fc.constantFrom('font/ttf', null),
    }),
    weight: 1,
  },
  { arbitrary: fc.record(base('data', codecs.data)), weight: 1 },
  { arbitrary: video(codecs.picture).map((one) => ({ ...one, disposition: ['attached_pic'] as Disposition[] })), weight: 1 },
) as fc.Arbitrary<Stream>;

const chapters: fc.Arbitrary<Chapter[]> = fc
  .array(nullable(fc.constantFrom('Beginning', 'Schluß', '第一章')), { maxLength: 4 })
  .map((titles) => titles.map((name, n) => ({ startMs: n * 5000, endMs: (n + 1) * 5000, title: name })));

/** Films with any mixture of streams, told about as ffprobe tells it. */
export const likelyProbe: fc.Arbitrary<Probe> = fc
  .record({
    container: fc.constantFrom(...containers),
    formatName: fc.constant('matroska,webm'),
    durationMs: fc.integer({ min: 59_000, max: 61_000 }),
    sizeBytes: fc.integer({ min: 40_000_000, max: 2_000_000_000 }),
    bitrate: fc.constant(null),
    startMs: fc.constant(0),
    film: video(codecs.film),
    others: fc.array(likelyStream, { maxLength: 7 }),
    at: fc.nat(7),
    chapters,
    tags: fc.dictionary(fc.constantFrom('title', 'date', 'comment', 'encoder'), fc.constantFrom('Metropolis', '1927', 'x'), { maxKeys: 3 }),
    warnings: fc.constant<string[]>([]),
    probedBy: fc.constant('test'),
  })
  .map(({ film, others, at, ...probe }): Probe => {
    const streams: Stream[] = others.toSpliced(Math.min(at, others.length), 0, film);
    return { ...probe, streams: streams.map((stream, index) => ({ ...stream, index })) };
  });

const absurdStream = fc.record({
  kind: fc.constantFrom('video', 'video', 'video', 'audio', 'subtitle', 'attachment', 'data'),
  index: fc.oneof(fc.nat(5), absurdNumber),
  codec: fc.oneof(fc.constantFrom(...codecs.film, ...codecs.audio), absurdWord),
  codecTag: nullable(absurdWord),
  codecProfile: nullable(absurdWord),
  language: nullable(absurdWord),
  title: nullable(absurdWord),
  disposition: fc.array(fc.constantFrom(...dispositions, 'attached_pic' as const), { maxLength: 3 }),
  startMs: nullable(absurdNumber),
  durationMs: nullable(absurdNumber),
  bitrate: nullable(absurdNumber),
  tags: absurdTags,
  width: fc.oneof(fc.constantFrom(320, 1920), absurdNumber),
  height: fc.oneof(fc.constantFrom(180, 1080), absurdNumber),
  pixelFormat: nullable(absurdWord),
  bitDepth: fc.oneof(fc.constantFrom(8, 10), absurdNumber),
  chroma: fc.constantFrom('4:2:0', '4:2:0', null, 'rgb'),
  hasAlpha: fc.boolean(),
  frameRate: nullable(absurdNumber),
  averageFrameRate: nullable(absurdNumber),
  frames: nullable(absurdNumber),
  fieldOrder: fc.constantFrom('progressive', 'unknown', 'tt'),
  sampleAspectRatio: nullable(absurdWord),
  rotation: absurdNumber,
  color: fc.record({
    range: nullable(absurdWord),
    space: nullable(absurdWord),
    transfer: nullable(absurdWord),
    primaries: nullable(absurdWord),
    chromaLocation: nullable(absurdWord),
  }),
  hdr,
  closedCaptions: fc.boolean(),
  channels: absurdNumber,
  channelLayout: nullable(absurdWord),
  sampleRate: nullable(absurdNumber),
  fileName: nullable(absurdWord),
  mimeType: nullable(absurdWord),
}) as unknown as fc.Arbitrary<Stream>;

/** Of the right shape, with any value in any place. */
export const absurdProbe = fc.record({
  container: fc.constantFrom(...containers, 'unknown', 'raw'),
  formatName: absurdWord,
  durationMs: fc.oneof(fc.constant(60_000), nullable(absurdNumber)),
  sizeBytes: fc.oneof(fc.constant(1e9), absurdNumber),
  bitrate: nullable(absurdNumber),
  startMs: absurdNumber,
  streams: fc.array(absurdStream, { maxLength: 6 }),
  chapters: fc.array(fc.record({ startMs: absurdNumber, endMs: absurdNumber, title: nullable(absurdWord) }), { maxLength: 3 }),
  tags: absurdTags,
  warnings: fc.array(absurdWord, { maxLength: 2 }),
  probedBy: absurdWord,
}) as unknown as fc.Arbitrary<Probe>;

/** Wishes that let as much as possible through, so that plans of work are common. */
export const eagerProfile: fc.Arbitrary<Profile> = fc
  .record({
    interlaced: fc.constantFrom<Profile['interlaced']>('skip', 'deinterlace', 'deinterlace'),
    tenBit: fc.boolean(),
    remux: fc.boolean(),
    codec: fc.constantFrom<Profile['codec']>('hevc', 'hevc', 'av1'),
    alsoEfficient: fc.constantFrom<Profile['alsoEfficient']>([], ['av1', 'vp9', 'vvc']),
  })
  .map((wishes) => ({ ...defaultProfile, ...wishes, minBitsPerPixel: 0 }));
