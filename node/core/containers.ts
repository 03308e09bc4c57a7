import type { Container, Stream } from './media.ts';
import { isPicture } from './media.ts';

/**
 * What each container can hold beside the film, so that a copy is proved possible before a node starts. The lists were found by
 * muxing every codec with ffmpeg 5.1.9 and reading it back, and they are deliberately the smaller set: a codec that needs
 * `-strict -2`, changes its name on the way (MP2 in MP4 reads back as MP3) or works only in newer versions is left out.
 */
export type Fit =
  | { how: 'copy' }
  /** only to another codec of the same kind, with what is lost by it */
  | { how: 'convert'; codec: string }
  /** the container makes this stream anew or says the same in another way */
  | { how: 'implied'; by: 'chapter-track' | 'timecode-regenerated' | 'timecode-as-tag' | 'disc-navigation' }
  | { how: 'no' };

/**
 * Containers that stay what they are when their film becomes this. AV1 has no agreed way into a transport stream, and in
 * MOV it is known to ffmpeg but to few players: those go to MKV.
 */
export const staysItself: Record<'hevc' | 'av1', ReadonlySet<Container>> = {
  hevc: new Set(['matroska', 'mp4', 'mov', 'mpegts', 'm2ts']),
  av1: new Set(['matroska', 'mp4']),
};

/** HEVC in these is disliked by players; a re-wrap to MKV is offered. */
export const disliked: ReadonlySet<Container> = new Set(['avi', 'mpegts', 'm2ts', 'flv', 'asf', 'mpeg']);

/** `hasChapters`: the probe lists chapters, so a track that only names them is not needed. */
export function fits(stream: Stream, container: Container, from: Container, hasChapters: boolean): Fit {
  if (isPicture(stream)) return pictures[container]?.has(stream.codec) ? { how: 'copy' } : { how: 'no' };
  if (stream.kind === 'attachment') return container === 'matroska' ? { how: 'copy' } : { how: 'no' };
  if (stream.kind === 'data') return dataFits(stream, container, from, hasChapters);
  if (stream.kind === 'subtitle') {
    if (container === 'matroska' && stream.codec === 'mov_text') {
      return isChapterText(stream, from, hasChapters) ? { how: 'implied', by: 'chapter-track' } : { how: 'convert', codec: 'subrip' };
    }
    return subtitles[container]?.has(stream.codec) ? { how: 'copy' } : { how: 'no' };
  }
  if (stream.kind === 'audio') {
    if (stream.codec.startsWith('pcm_') && pcm[container]?.(stream.codec)) return { how: 'copy' };
    return audio[container]?.has(stream.codec) ? { how: 'copy' } : { how: 'no' };
  }
  return { how: 'copy' };
}

function dataFits(stream: Stream, container: Container, from: Container, hasChapters: boolean): Fit {
  const apple = from === 'mp4' || from === 'mov';
  if (apple && stream.codecTag === 'tmcd') {
    return { how: 'implied', by: container === 'mov' || container === 'mp4' ? 'timecode-regenerated' : 'timecode-as-tag' };
  }
  if (apple && isChapterText(stream, from, hasChapters)) return { how: 'implied', by: 'chapter-track' };
  if (stream.codec === 'dvd_nav_packet') return { how: 'implied', by: 'disc-navigation' };
  return { how: 'no' };
}

/** MP4 keeps chapters as a text track of its own; ffprobe lists both the track and the chapters made of it. */
function isChapterText(stream: Stream, from: Container, hasChapters: boolean): boolean {
  return hasChapters && (from === 'mp4' || from === 'mov') && stream.codec === 'bin_data' && stream.codecTag === 'text';
}

const common = ['aac', 'ac3', 'eac3', 'dts', 'mp3'];

const audio: Partial<Record<Container, ReadonlySet<string>>> = {
  matroska: new Set([
    ...common,
    'truehd',
    'mlp',
    'flac',
    'alac',
    'opus',
    'vorbis',
    'mp2',
    'mp1',
    'wmav1',
    'wmav2',
    'wmapro',
    'wmalossless',
    'tta',
    'wavpack',
    'adpcm_ms',
    'adpcm_ima_wav',
  ]),
  mp4: new Set([...common, 'alac', 'opus', 'vorbis']),
  mov: new Set([...common, 'alac', 'mp2', 'vorbis']),
  mpegts: new Set([...common, 'mp2', 'opus', 'truehd']),
  m2ts: new Set([...common, 'mp2', 'truehd']),
};

const pcm: Partial<Record<Container, (codec: string) => boolean>> = {
  matroska: (codec) => /^pcm_(u8|[su](16|24|32)(le|be)|f(32|64)le|alaw|mulaw)$/.test(codec),
  mov: (codec) => /^pcm_(u8|s8|s(16|24|32)(le|be)|f(32|64)(le|be)|alaw|mulaw)$/.test(codec),
};

const subtitles: Partial<Record<Container, ReadonlySet<string>>> = {
  matroska: new Set(['subrip', 'text', 'ass', 'ssa', 'webvtt', 'hdmv_pgs_subtitle', 'dvd_subtitle', 'dvb_subtitle', 'hdmv_text_subtitle']),
  mp4: new Set(['mov_text', 'dvd_subtitle']),
  mov: new Set(['mov_text']),
  mpegts: new Set(['dvb_subtitle', 'dvb_teletext']),
  m2ts: new Set(['hdmv_pgs_subtitle']),
};

/** Cover art. In Matroska it is an attachment, which ffmpeg shows as a picture stream. */
const pictures: Partial<Record<Container, ReadonlySet<string>>> = {
  matroska: new Set(['mjpeg', 'png']),
  mp4: new Set(['mjpeg', 'png', 'bmp']),
  mov: new Set(['mjpeg', 'png', 'bmp']),
};
