import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { AudioStream, Disposition, Probe, Stream, SubtitleStream, VideoStream } from './media.ts';
import { filmStreams } from './media.ts';
import { encodeClasses, jobClass, needsOf } from './job.ts';
import type { Plan } from './plan.ts';
import { makePlan } from './plan.ts';
import type { FileFacts } from './plan-rules.ts';
import type { Profile } from './profile.ts';
import { defaultProfile } from './profile.ts';
import { isReasonCode, sentence } from './reasons.ts';
import { capturedProbe, probeNames } from '../testing/fixtures.ts';

/**
 * Real probes (node/core/fixtures says from where), most of them as they are, some with a small edit where no real file
 * could be had. Read a row as: this file, so changed, under this profile, gets this plan.
 */
interface Row {
  probe: string;
  edit?: (probe: Probe) => void;
  file?: Partial<FileFacts>;
  links?: number;
  profile?: Partial<Profile>;
  /** `skip reason` or `action reason → container extension` */
  plan: string;
  /** streams in output order: `e` encode, `c` copy, `v` convert, each with its source index; then what is dropped and why */
  streams?: string;
  bits?: 8 | 10;
}

const all = (probe: Probe, change: (film: VideoStream) => void): void => filmStreams(probe).forEach(change);
const film = (change: Partial<VideoStream>) => (probe: Probe) => all(probe, (stream) => Object.assign(stream, change));
const add = (stream: Partial<Stream> & { kind: Stream['kind']; codec: string }) => (probe: Probe) => {
  const base = {
    index: probe.streams.length,
    codecTag: null,
    codecProfile: null,
    language: null,
    title: null,
    disposition: [] as Disposition[],
    startMs: 0,
    durationMs: null,
    bitrate: null,
    tags: {},
  };
  probe.streams.push({ ...base, ...stream } as Stream);
};
const firstAudio = (codec: string) => (probe: Probe) => {
  probe.streams.find((s): s is AudioStream => s.kind === 'audio')!.codec = codec;
};
const subtitle = (codec: string, more: Partial<SubtitleStream> = {}) => add({ kind: 'subtitle', codec, ...more });
const hdr = (kind: 'hdr10' | 'hlg' | 'hdr10plus' | 'dolby-vision', dolbyVisionProfile: number | null = null) =>
  film({ hdr: { kind, dolbyVisionProfile, masteringDisplay: null, contentLight: null } });
const madeOf = (codec: string, probedBy: string) => (probe: Probe) => {
  film({ codec })(probe);
  probe.probedBy = probedBy;
};
const notEfficient: Partial<Profile> = { alsoEfficient: [] };
const wrap: Partial<Profile> = { remux: true };
const av1: Partial<Profile> = { codec: 'av1' };

const rows: Record<string, Row> = {
  // the everyday cases
  'H.264 in MKV becomes HEVC in MKV': { probe: 'clip-film', plan: 'transcode not-hevc → matroska .mkv', streams: 'e0 c1', bits: 10 },
  'and with 8 bits where the profile says so': {
    probe: 'clip-film',
    profile: { tenBit: false },
    plan: 'transcode not-hevc → matroska .mkv',
    bits: 8,
  },
  'ten-bit sources keep their ten bits whatever the profile says': {
    probe: 'clip-tenBit',
    profile: { tenBit: false },
    plan: 'transcode not-hevc → matroska .mkv',
    bits: 10,
  },
  'fonts and covers go behind all tracks in MKV': {
    probe: 'clip-everything',
    plan: 'transcode not-hevc → matroska .mkv',
    streams: 'e0 c1 c2 c3 c4 c5 c6 c7',
  },
  'MP4 stays MP4, its chapter track becomes chapters': {
    probe: 'clip-tracks',
    plan: 'transcode not-hevc → mp4 .mp4',
    streams: 'e0 c1 c2 c3 -4:chapter-track',
  },
  // AV1, where a library wishes it
  'H.264 in MKV becomes AV1 in MKV': {
    probe: 'clip-film',
    profile: av1,
    plan: 'transcode to-av1 → matroska .mkv',
    streams: 'e0 c1',
    bits: 10,
  },
  'MP4 stays MP4 with AV1 too': { probe: 'clip-pictureInMp4', profile: av1, plan: 'transcode to-av1 → mp4 .mp4', streams: 'e0 c1 c2' },
  'AV1 has no way into a transport stream': { probe: 'made-h264.ts', profile: av1, plan: 'transcode to-av1 → matroska .mkv' },
  'nor into a MOV that players open': { probe: 'made-plain.mov', profile: av1, plan: 'transcode to-av1 → matroska .mkv', streams: 'e0 c1' },
  'HEVC stays HEVC where AV1 is wished': { probe: 'clip-film', edit: film({ codec: 'hevc' }), profile: av1, plan: 'skip hevc-stays' },
  'and is still re-wrapped where that is wished': {
    probe: 'made-h264.ts',
    edit: film({ codec: 'hevc' }),
    profile: { ...av1, ...wrap },
    plan: 'remux rewrap → matroska .mkv',
  },
  'AV1 is done where AV1 is wished, whatever else counts as efficient': {
    probe: 'clip-film',
    edit: film({ codec: 'av1' }),
    profile: { ...av1, alsoEfficient: [] },
    plan: 'skip already-av1',
  },
  'VP9 becomes AV1 only where it does not count as efficient': {
    probe: 'clip-film',
    edit: film({ codec: 'vp9' }),
    profile: { ...av1, alsoEfficient: [] },
    plan: 'transcode to-av1 → matroska .mkv',
  },
  'a turned film stays where its turn is kept': {
    probe: 'clip-rotated',
    file: { path: 'Phone.mp4' },
    plan: 'transcode not-hevc → mp4 .mp4',
  },
  'and is left alone where it would have to go to MKV': { probe: 'clip-rotated', edit: firstAudio('flac'), plan: 'skip turned' },
  'a cover in MP4 is copied': { probe: 'clip-pictureInMp4', plan: 'transcode not-hevc → mp4 .mp4', streams: 'e0 c1 c2' },
  'M4V keeps its own extension': { probe: 'made-plain.m4v', file: { path: 'a/Plain.M4V' }, plan: 'transcode not-hevc → mp4 .M4V' },
  'MOV stays MOV with PCM sound': { probe: 'made-plain.mov', plan: 'transcode not-hevc → mov .mov', streams: 'e0 c1' },
  'a timecode track is made anew in MOV': {
    probe: 'clip-timecode',
    plan: 'transcode not-hevc → mov .mov',
    streams: 'e0 c1 -2:timecode-regenerated',
  },
  'a transport stream stays one': { probe: 'made-h264.ts', plan: 'transcode not-hevc → mpegts .ts' },
  'a transport stream becomes MKV where re-wrapping is wished': {
    probe: 'made-h264.ts',
    profile: wrap,
    plan: 'transcode not-hevc → matroska .mkv',
  },
  'M2TS stays M2TS': { probe: 'made-h264.m2ts', file: { path: 'x.m2ts' }, plan: 'transcode not-hevc → m2ts .m2ts' },
  'variable frame rate is converted': { probe: 'clip-variable', plan: 'transcode not-hevc → mp4 .mp4' },
  'a rotated film is converted': { probe: 'mediabunny-rotate-buck-bunny.mp4', plan: 'transcode not-hevc → mp4 .mp4' },
  'anamorphic film is converted': { probe: 'mediabunny-sar_2x1.mp4', plan: 'transcode not-hevc → mp4 .mp4' },
  'full-range colour is converted': { probe: 'torchcodec-bt709_full_range.mp4', plan: 'transcode not-hevc → mp4 .mp4' },
  'black and white is converted': { probe: 'made-h264-gray.mkv', plan: 'transcode not-hevc → matroska .mkv' },
  'side-by-side 3D is an ordinary picture': { probe: 'made-three-d.mkv', plan: 'transcode not-hevc → matroska .mkv' },
  'H.264 with TrueHD': { probe: 'made-truehd.mkv', plan: 'transcode not-hevc → matroska .mkv', streams: 'e0 c1' },

  // older formats and containers that can't hold HEVC
  'Xvid in AVI goes to MKV': { probe: 'clip-xvid', plan: 'transcode older-codec → matroska .mkv', streams: 'e0 c1' },
  'DivX 3 in AVI goes to MKV': { probe: 'made-divx3.avi', plan: 'transcode older-codec → matroska .mkv' },
  'H.264 in AVI goes to MKV': { probe: 'made-h264.avi', plan: 'transcode not-hevc → matroska .mkv' },
  'Motion JPEG in AVI goes to MKV': { probe: 'made-mjpeg.avi', plan: 'transcode older-codec → matroska .mkv' },
  'WMV goes to MKV': { probe: 'clip-wmv', plan: 'transcode older-codec → matroska .mkv' },
  'Flash goes to MKV, sound first as it was': { probe: 'clip-flash', plan: 'transcode older-codec → matroska .mkv', streams: 'c0 e1' },
  'VP8 in WebM goes to MKV': { probe: 'clip-vp8', plan: 'transcode older-codec → matroska .mkv' },
  'Theora in Ogg goes to MKV': { probe: 'made-theora.ogv', plan: 'transcode older-codec → matroska .mkv' },
  'MPEG-1 goes to MKV': { probe: 'made-mpeg1.mpg', plan: 'transcode older-codec → matroska .mkv' },
  'progressive MPEG-2 goes to MKV': { probe: 'clip-progressiveMpeg2', plan: 'transcode older-codec → matroska .mkv' },
  'DVD navigation means nothing in MKV': {
    probe: 'clip-progressiveMpeg2',
    edit: add({ kind: 'data', codec: 'dvd_nav_packet' }),
    plan: 'transcode older-codec → matroska .mkv',
    streams: 'e0 c1 -2:disc-navigation',
  },
  'FLAC in MP4 goes to MKV, because not every ffmpeg can keep it there': {
    probe: 'made-flac.mp4',
    plan: 'transcode not-hevc → matroska .mkv',
  },
  'MP4 text becomes SRT on the way to MKV': {
    probe: 'clip-tracks',
    edit: firstAudio('flac'),
    plan: 'transcode not-hevc → matroska .mkv',
    streams: 'e0 c1 c2 v3 -4:chapter-track',
  },
  'a timecode track is kept as a tag in MKV': {
    probe: 'clip-timecode',
    edit: firstAudio('flac'),
    plan: 'transcode not-hevc → matroska .mkv',
    streams: 'e0 c1 -2:timecode-as-tag',
  },

  // it is how we want it
  'HEVC is left alone': { probe: 'clip-hevc', plan: 'skip already-hevc' },
  'HEVC in MP4 is left alone': { probe: 'mediabunny-video-h265.mp4', plan: 'skip already-hevc' },
  'ten-bit HEVC is left alone': { probe: 'torchcodec-h265_10bits.mp4', plan: 'skip already-hevc' },
  'Dolby Vision in HEVC is HEVC already': { probe: 'dovi_tool-regular.mkv', plan: 'skip already-hevc' },
  'HDR10+ in HEVC is HEVC already': { probe: 'hdr10plus_tool-regular.mkv', plan: 'skip already-hevc' },
  'HEVC in a transport stream is left alone by default': { probe: 'mediabunny-hevc.ts', plan: 'skip already-hevc' },
  'HEVC in a transport stream is re-wrapped where wished': {
    probe: 'mediabunny-hevc.ts',
    profile: wrap,
    plan: 'remux rewrap → matroska .mkv',
  },
  'HEVC in MP4 is never re-wrapped': { probe: 'made-hevc.mp4', profile: wrap, plan: 'skip already-hevc' },
  'Dolby Vision is not re-wrapped': { probe: 'made-hevc.ts', edit: hdr('dolby-vision', 8), profile: wrap, plan: 'skip already-hevc' },
  'AV1 counts as finished': { probe: 'torchcodec-av1_video.mkv', plan: 'skip already-efficient-codec' },
  'AV1 is converted where the profile says so': {
    probe: 'torchcodec-av1_video.mkv',
    profile: notEfficient,
    plan: 'transcode older-codec → matroska .mkv',
  },
  'VP9 counts as finished': { probe: 'clip-vp9', plan: 'skip already-efficient-codec' },
  'VP9 in WebM goes to MKV where the profile says so': {
    probe: 'clip-vp9',
    profile: notEfficient,
    plan: 'transcode older-codec → matroska .mkv',
  },
  'our own output is never queued again': { probe: 'clip-film', file: { madeByUs: true }, plan: 'skip made-by-us' },

  // what a person wished
  'an excluded folder': {
    probe: 'clip-film',
    file: { path: 'Metropolis/Extras/x.mkv' },
    profile: { exclude: ['Trailers', 'extras'] },
    plan: 'skip excluded-path',
  },
  'a person’s exclusion is named before everything else': {
    probe: 'clip-hevc',
    file: { excludedBy: 'Ann', madeByUs: true },
    plan: 'skip excluded-by-person',
  },
  'too large': { probe: 'clip-film', profile: { maxSizeMb: 0.001 }, plan: 'skip too-large' },
  'outside of what is included': { probe: 'clip-film', profile: { include: ['Elsewhere/**'] }, plan: 'skip not-included' },
  'included, and excluded after all': { probe: 'clip-film', profile: { include: ['**'], exclude: ['**'] }, plan: 'skip excluded-path' },
  'too new': { probe: 'clip-film', profile: { minAgeHours: 24 }, file: { ageMs: 3600_000 }, plan: 'skip too-young' },
  'old enough, or of unknown age': { probe: 'clip-film', profile: { minAgeHours: 24 }, plan: 'transcode not-hevc → matroska .mkv' },
  'too small': { probe: 'clip-film', profile: { minSizeMb: 100 }, plan: 'skip too-small' },
  'too short': { probe: 'clip-film', profile: { minDurationSeconds: 60 }, plan: 'skip too-short' },
  'already few bits per pixel': { probe: 'clip-efficient', profile: { minBitsPerPixel: 0.04 }, plan: 'skip already-efficient' },
  'the same with the rule off': { probe: 'clip-efficient', plan: 'transcode not-hevc → matroska .mkv' },
  'HDR10 is kept by default': { probe: 'made-hdr10.mkv', plan: 'transcode not-hevc → matroska .mkv', bits: 10 },
  'HDR10 is skipped where wished': { probe: 'made-hdr10.mkv', profile: { hdr: 'skip' }, plan: 'skip hdr-skipped' },
  'HLG is skipped where wished': { probe: 'made-hlg.mkv', profile: { hdr: 'skip' }, plan: 'skip hdr-skipped' },
  'interlaced film is left alone by default': { probe: 'clip-interlacedTs', plan: 'skip interlaced' },
  'interlaced film is deinterlaced where wished': {
    probe: 'clip-interlacedTs',
    profile: { interlaced: 'deinterlace' },
    plan: 'transcode older-codec → mpegts .ts',
  },
  'DV is interlaced even when it does not say so': {
    probe: 'made-dv-pal.avi',
    edit: film({ fieldOrder: 'unknown' }),
    plan: 'skip interlaced',
  },
  'broadcast MPEG-2 that does not say so is taken for interlaced': {
    probe: 'clip-progressiveMpeg2',
    edit: film({ fieldOrder: 'unknown', width: 720, height: 576 }),
    plan: 'skip interlaced',
  },
  'hard-linked': { probe: 'clip-film', links: 2, plan: 'skip hard-linked' },
  'hard-linked, replaced where wished': {
    probe: 'clip-film',
    links: 2,
    profile: { hardLinked: 'replace' },
    plan: 'transcode not-hevc → matroska .mkv',
  },
  'read-only': { probe: 'clip-film', file: { readOnly: true }, plan: 'skip read-only' },
  'already HEVC is a better answer than read-only or hard-linked': {
    probe: 'clip-hevc',
    file: { readOnly: true },
    links: 3,
    plan: 'skip already-hevc',
  },

  // what would be lost
  'Dolby Vision outside HEVC': { probe: 'clip-tenBit', edit: hdr('dolby-vision', 9), plan: 'skip dolby-vision' },
  'HDR10+ outside HEVC': { probe: 'clip-tenBit', edit: hdr('hdr10plus'), plan: 'skip hdr10plus' },
  'HDR10+ is lost even where HDR may be kept': {
    probe: 'made-hdr10.mkv',
    edit: hdr('hdr10plus'),
    profile: { hdr: 'keep' },
    plan: 'skip hdr10plus',
  },
  'HDR10 in AV1, of which an old ffprobe cannot tell whether it is HDR10+': {
    probe: 'made-hdr10.mkv',
    edit: madeOf('av1', '5.1.9-0+deb12u1'),
    profile: notEfficient,
    plan: 'skip hdr10plus-unseen',
  },
  'the same in VP9, by a build that says no release': {
    probe: 'made-hdr10.mkv',
    edit: madeOf('vp9', 'N-117234-gabc'),
    profile: notEfficient,
    plan: 'skip hdr10plus-unseen',
  },
  'HDR10 in AV1, looked at by an ffprobe that would have seen HDR10+': {
    probe: 'made-hdr10.mkv',
    edit: madeOf('av1', 'n6.1.1'),
    profile: notEfficient,
    plan: 'transcode older-codec → matroska .mkv',
  },
  '4:2:2 colour': { probe: 'clip-chroma422', plan: 'skip chroma' },
  '4:4:4 colour': { probe: 'made-h264-444.mkv', plan: 'skip chroma' },
  RGB: { probe: 'made-h264-rgb.mkv', plan: 'skip chroma' },
  'real 4:4:4 from the wild': { probe: 'imageio-cockatoo.mp4', plan: 'skip chroma' },
  '4:1:1 from DV tapes': {
    probe: 'made-dv-pal.avi',
    edit: film({ chroma: null, pixelFormat: 'yuv411p', fieldOrder: 'progressive' }),
    plan: 'skip chroma',
  },
  'twelve bits': { probe: 'clip-tenBit', edit: film({ bitDepth: 12, pixelFormat: 'yuv420p12le' }), plan: 'skip bit-depth' },
  transparency: { probe: 'mediabunny-transparency.webm', profile: notEfficient, plan: 'skip alpha' },
  'closed captions inside the picture': { probe: 'clip-film', edit: film({ closedCaptions: true }), plan: 'skip closed-captions' },
  'a second eye in MVC': { probe: 'clip-film', edit: film({ tags: { stereo_mode: 'block_lr' } }), plan: 'skip stereo-3d' },
  'a lossless archive copy': { probe: 'made-ffv1.mkv', plan: 'skip lossless-source' },
  'a ProRes master': { probe: 'made-prores.mov', plan: 'skip lossless-source' },
  'two films in one file': { probe: 'made-two-films.mkv', plan: 'skip several-videos' },
  'two films in a real file': { probe: 'torchcodec-nasa_13013.mp4', plan: 'skip several-videos' },
  'an Apple metadata track': {
    probe: 'made-plain.mov',
    edit: add({ kind: 'data', codec: 'unknown', codecTag: 'mebx' }),
    plan: 'skip stream-not-keepable',
  },
  'camera telemetry': {
    probe: 'made-plain.m4v',
    edit: add({ kind: 'data', codec: 'bin_data', codecTag: 'gpmd' }),
    plan: 'skip stream-not-keepable',
  },
  'a text track without chapters is not a chapter track': {
    probe: 'made-plain.m4v',
    edit: add({ kind: 'data', codec: 'bin_data', codecTag: 'text' }),
    plan: 'skip stream-not-keepable',
  },
  'advertisement cues': { probe: 'made-h264.ts', edit: add({ kind: 'data', codec: 'scte_35' }), plan: 'skip stream-not-keepable' },
  'DVD sound that MKV can’t hold': { probe: 'clip-progressiveMpeg2', edit: firstAudio('pcm_dvd'), plan: 'skip stream-not-keepable' },
  'a subtitle nobody knows': { probe: 'clip-film', edit: subtitle('unknown'), plan: 'skip stream-not-keepable' },
  'DivX picture subtitles': { probe: 'clip-xvid', edit: subtitle('xsub'), plan: 'skip stream-not-keepable' },
  'teletext stays in a transport stream': {
    probe: 'made-h264.ts',
    edit: subtitle('dvb_teletext'),
    plan: 'transcode not-hevc → mpegts .ts',
    streams: 'e0 c1 c2',
  },
  'teletext can’t go to MKV': { probe: 'made-h264.ts', edit: subtitle('dvb_teletext'), profile: wrap, plan: 'skip stream-not-keepable' },
  'PGS stays in MKV': {
    probe: 'clip-film',
    edit: subtitle('hdmv_pgs_subtitle', { language: 'eng' }),
    plan: 'transcode not-hevc → matroska .mkv',
    streams: 'e0 c1 c2',
  },
  'PGS stays in M2TS': {
    probe: 'made-h264.m2ts',
    file: { path: 'x.m2ts' },
    edit: subtitle('hdmv_pgs_subtitle'),
    plan: 'transcode not-hevc → m2ts .m2ts',
  },
  'a WebP cover': {
    probe: 'clip-film',
    edit: add({ kind: 'video', codec: 'webp', disposition: ['attached_pic'] }),
    plan: 'skip stream-not-keepable',
  },
  'very small': { probe: 'made-tiny.mp4', plan: 'skip absurd-dimensions' },
  'very large': { probe: 'clip-film', edit: film({ width: 16384, height: 8640 }), plan: 'skip absurd-dimensions' },
  'odd numbers of pixels': { probe: 'clip-vp8', edit: film({ width: 321, height: 181 }), plan: 'skip odd-dimensions' },

  // not a film, or not one that can be worked on
  music: { probe: 'clip-audioOnly', plan: 'skip no-video' },
  'only a cover': {
    probe: 'clip-audioOnly',
    edit: add({ kind: 'video', codec: 'mjpeg', disposition: ['attached_pic'] }),
    plan: 'skip only-pictures',
  },
  'pictures of a format that is not film': { probe: 'made-png.mov', plan: 'skip unknown-codec' },
  'an unknown container': { probe: 'clip-film', edit: (p) => void (p.container = 'unknown'), plan: 'skip format-not-allowed' },
  'five thousand streams': {
    probe: 'clip-film',
    edit: (p) => {
      for (let i = 2; i < 5000; i++) subtitle('subrip')(p);
    },
    plan: 'skip too-many-streams',
  },
  'a header without pictures': { probe: 'exiftool-Pentax.avi', plan: 'skip damaged' },
  'a cut-off DV file': { probe: 'exiftool-DV.dv', plan: 'skip no-duration' },
  'no size of the picture': { probe: 'clip-film', edit: film({ width: 0, height: 0 }), plan: 'skip no-size' },
  'a raw stream': { probe: 'clip-film', edit: (p) => void (p.container = 'raw'), plan: 'skip raw-stream' },
  'an empty file': { probe: 'clip-film', edit: (p) => void (p.sizeBytes = 0), plan: 'skip empty-file' },
};

suite('the plan of', () => {
  for (const [name, row] of Object.entries(rows)) {
    test(name, () => {
      const plan = planOf(row);
      assert.equal(summary(plan), row.plan, sentence(plan.reason));
      if (row.streams) assert.equal(streamsOf(plan), row.streams);
      if (row.bits) assert.equal(plan.action !== 'skip' && plan.video?.bitDepth, row.bits);
      assert.ok(!sentence(plan.reason).includes('?'), `an unfilled sentence: ${sentence(plan.reason)}`);
    });
  }
});

test('every captured probe gets a plan with a known reason', () => {
  for (const name of probeNames) assert.ok(isReasonCode(planOf({ probe: name, plan: '' }).reason.code), name);
});

test('a changed container is told, and lost styling is told at its stream', () => {
  const plan = planOf({ probe: 'clip-tracks', edit: firstAudio('flac'), plan: '' });
  assert.ok(plan.action === 'transcode');
  assert.deepEqual(plan.notes?.map(sentence), ['MP4 can’t hold the new film with everything in this file; the copy is MKV.']);
  const text = plan.streams.find((stream) => stream.action === 'convert');
  assert.equal(sentence(text!.note!), 'MP4 text becomes SRT: the words and times stay, colours and positions are lost.');
});

test('a stream that can’t be kept is named with its language and title', () => {
  const plan = planOf({ probe: 'clip-xvid', edit: subtitle('xsub', { language: 'ger', title: 'Forced' }), plan: '' });
  assert.equal(
    sentence(plan.reason),
    'Stream 2 (xsub, German, “Forced”) can’t be kept in MKV; nothing is dropped, so the file stays as it is.',
  );
});

/** Real probes with a few streams of any kind and codec added, and the facts that decide turned at random. */
const codecs = {
  audio: ['aac', 'ac3', 'dts', 'truehd', 'flac', 'pcm_s16le', 'pcm_bluray', 'opus', 'wmav2', 'unknown'],
  subtitle: ['subrip', 'ass', 'mov_text', 'hdmv_pgs_subtitle', 'dvd_subtitle', 'dvb_teletext', 'webvtt', 'unknown'],
  data: ['bin_data', 'tmcd', 'scte_35', 'dvd_nav_packet', 'unknown'],
  attachment: ['ttf', 'unknown'],
  video: ['h264', 'mjpeg', 'png', 'webp'],
} as const;
const anyStream = fc.constantFrom('audio', 'subtitle', 'data', 'attachment', 'video').chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    codec: fc.constantFrom(...codecs[kind]),
    codecTag: fc.constantFrom(null, 'text', 'tmcd', 'gpmd'),
    disposition: fc.constantFrom<Disposition[]>([], ['attached_pic'], ['default']),
  }),
);
const anyRow = fc.record({
  probe: fc.constantFrom(...probeNames),
  edit: fc.array(anyStream, { maxLength: 6 }).map((streams) => (p: Probe) => streams.forEach((s) => add(s)(p))),
  profile: fc.record({
    remux: fc.boolean(),
    interlaced: fc.constantFrom('skip' as const, 'deinterlace' as const),
    alsoEfficient: fc.constantFrom<Profile['alsoEfficient']>([], ['av1']),
  }),
  plan: fc.constant(''),
});

test('no plan drops a stream without naming it and its reason, and none appears twice', () => {
  fc.assert(
    fc.property(anyRow, (row) => {
      const plan = planOf(row);
      if (plan.action === 'skip') return;
      const named = [...plan.streams, ...plan.dropped].map(({ index }) => index).toSorted((a, b) => a - b);
      assert.deepEqual(
        named,
        probeOf(row).streams.map(({ index }) => index),
      );
      assert.ok(plan.dropped.every(({ reason }) => isReasonCode(reason.code)));
      assert.ok(plan.dropped.every(({ index }) => probeOf(row).streams.find((s) => s.index === index)!.kind === 'data'));
      assert.equal(plan.streams.filter(({ action }) => action === 'encode').length, plan.action === 'transcode' ? 1 : 0);
    }),
    { numRuns: 500 },
  );
});

test('the same file always gets the same plan, and planning changes nothing', () => {
  fc.assert(
    fc.property(anyRow, (row) => {
      const probe = probeOf(row);
      const before = JSON.stringify(probe);
      const plan = makePlan(probe, factsOf(row), profileOf(row));
      assert.deepEqual(makePlan(structuredClone(probe), factsOf(row), profileOf(row)), plan);
      assert.equal(JSON.stringify(probe), before);
    }),
  );
});

test('a plan survives the way through the database', () => {
  const plan = planOf(rows['MP4 text becomes SRT on the way to MKV']!);
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
});

test('the class of a job says what its encoder must be able to do', () => {
  const values = { masteringDisplay: 'G(1,2)B(3,4)R(5,6)WP(7,8)L(9,1)', contentLight: null };
  const withValues = film({ bitDepth: 10, hdr: { kind: 'hdr10', dolbyVisionProfile: null, ...values } });
  const needs = (edit: Row['edit'], profile: Partial<Profile>): unknown => {
    const plan = planOf({ probe: 'clip-film', ...(edit ? { edit } : {}), profile, plan: '' });
    return plan.action === 'skip' ? plan : needsOf(jobClass(plan));
  };
  assert.deepEqual(needs(undefined, { tenBit: false }), { codec: 'hevc', bitDepth: 8, hdr10: false });
  assert.deepEqual(needs(undefined, {}), { codec: 'hevc', bitDepth: 10, hdr10: false });
  assert.deepEqual(
    needs(hdr('hdr10'), {}),
    { codec: 'hevc', bitDepth: 10, hdr10: false },
    'only a transfer curve: every encoder writes that',
  );
  assert.deepEqual(needs(withValues, {}), { codec: 'hevc', bitDepth: 10, hdr10: true });
  assert.deepEqual(needs(withValues, av1), { codec: 'av1', bitDepth: 10, hdr10: true });
  assert.deepEqual(needs(undefined, { ...av1, tenBit: false }), { codec: 'av1', bitDepth: 8, hdr10: false });
  assert.equal(new Set(encodeClasses).size, 6);
});

function planOf(row: Row): Plan {
  return makePlan(probeOf(row), factsOf(row), profileOf(row));
}

function probeOf(row: Row): Probe {
  const probe = capturedProbe(row.probe);
  row.edit?.(probe);
  return probe;
}

function factsOf({ file, links, probe }: Row): FileFacts {
  const path = `Films/${probe.replace(/^clip-([a-zA-Z0-9]+)$/, (_, name: string) => `${name}${extensions[name] ?? '.mkv'}`)}`;
  const fingerprint = { sizeBytes: 1, mtimeMs: 0, inode: '1', links: links ?? 1, hash: 'x' };
  return { path, fingerprint, madeByUs: false, readOnly: false, ...file };
}

const extensions: Record<string, string> = {
  tracks: '.mp4',
  pictureInMp4: '.mp4',
  variable: '.mp4',
  timecode: '.mov',
  interlacedTs: '.ts',
  xvid: '.avi',
  wmv: '.wmv',
  flash: '.flv',
  vp8: '.webm',
  vp9: '.webm',
};

/** The little clips have few bits, so the rule about them is off unless a row is about it. */
function profileOf(row: Row): Profile {
  return { ...defaultProfile, minBitsPerPixel: 0, ...row.profile };
}

function summary(plan: Plan): string {
  return plan.action === 'skip' ? `skip ${plan.reason.code}` : `${plan.action} ${plan.reason.code} → ${plan.container} ${plan.extension}`;
}

function streamsOf(plan: Plan): string {
  if (plan.action === 'skip') return '';
  const kept = plan.streams.map(({ action, index }) => `${{ encode: 'e', copy: 'c', convert: 'v' }[action]}${index}`);
  return [...kept, ...plan.dropped.map(({ index, reason }) => `-${index}:${reason.code}`)].join(' ');
}

test('a file that is too new says when to ask again, and then the answer is another', () => {
  const profile = { ...defaultProfile, minAgeHours: 24 };
  const facts = {
    path: 'a.mkv',
    fingerprint: { sizeBytes: 1, mtimeMs: 0, inode: '1', links: 1, hash: 'x' },
    madeByUs: false,
    readOnly: false,
  };
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 86_399_999 }), (ageMs) => {
      const young = makePlan(capturedProbe('clip-film'), { ...facts, ageMs }, profile);
      assert.ok(young.action === 'skip' && young.reason.code === 'too-young');
      const later = makePlan(capturedProbe('clip-film'), { ...facts, ageMs: ageMs + young.againInMs! }, profile);
      assert.equal(later.action, 'transcode');
    }),
    { numRuns: 20 },
  );
});
