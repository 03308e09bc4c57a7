/**
 * The shared nouns: what ffprobe said about one media file, in our own words.
 *
 * A `Probe` is made by `ffmpeg/probe.ts` from ffprobe's JSON and is the only description of a file that the rest of
 * the house reads: the plan is made from it, the verdict compares two of them, the page shows it. It is stored as
 * JSON in PostgreSQL and travels in messages, so everything in it is plain data and bounded in size.
 */

export interface Probe {
  /** our word for the container: matroska, mp4, mov, avi, mpegts, … ; 'unknown' when ffprobe's name is not on our list */
  container: Container;
  /** ffprobe's own format_name, kept for people who ask */
  formatName: string;
  durationMs: number | null;
  sizeBytes: number;
  /** bits per second of the whole file */
  bitrate: number | null;
  startMs: number;
  streams: Stream[];
  chapters: Chapter[];
  tags: Tags;
  /** lines ffprobe wrote to stderr, at most 20: a damaged file is often already visible here */
  warnings: string[];
  /** the ffprobe that said all this, for example "5.1.9" */
  probedBy: string;
}

export type Container =
  | 'matroska'
  | 'webm'
  | 'mp4'
  | 'mov'
  | 'avi'
  | 'mpegts'
  | 'm2ts'
  | 'mpeg'
  | 'asf'
  | 'flv'
  | 'ogg'
  | 'mxf'
  | 'dv'
  | 'raw'
  | 'unknown';

export type Tags = Record<string, string>;

export type Stream = VideoStream | AudioStream | SubtitleStream | AttachmentStream | DataStream;

interface StreamBase {
  /** ffprobe's stream index in the file, the N of `-map 0:N` */
  index: number;
  /** ffmpeg's codec name, for example h264, hevc, aac, subrip; 'unknown' when ffprobe could not tell */
  codec: string;
  codecTag: string | null;
  codecProfile: string | null;
  language: string | null;
  title: string | null;
  disposition: Disposition[];
  startMs: number | null;
  durationMs: number | null;
  bitrate: number | null;
  tags: Tags;
}

export type Disposition =
  | 'default'
  | 'dub'
  | 'original'
  | 'comment'
  | 'lyrics'
  | 'karaoke'
  | 'forced'
  | 'hearing_impaired'
  | 'visual_impaired'
  | 'clean_effects'
  | 'attached_pic'
  | 'timed_thumbnails'
  | 'captions'
  | 'descriptions'
  | 'metadata'
  | 'dependent'
  | 'still_image';

export interface VideoStream extends StreamBase {
  kind: 'video';
  width: number;
  height: number;
  pixelFormat: string | null;
  bitDepth: number;
  chroma: '4:0:0' | '4:2:0' | '4:2:2' | '4:4:4' | 'rgb' | null;
  hasAlpha: boolean;
  /** frames per second as ffprobe's r_frame_rate and avg_frame_rate; they differ on variable frame rate */
  frameRate: number | null;
  averageFrameRate: number | null;
  /** number of frames when the container says so; never counted here */
  frames: number | null;
  fieldOrder: 'progressive' | 'tt' | 'bb' | 'tb' | 'bt' | 'unknown';
  sampleAspectRatio: string | null;
  /** clockwise degrees from the display matrix: 0, 90, 180, 270 */
  rotation: number;
  color: Color;
  hdr: Hdr | null;
  /** closed captions are inside the video stream: a re-encode must carry or name them */
  closedCaptions: boolean;
}

export interface Color {
  range: string | null;
  space: string | null;
  transfer: string | null;
  primaries: string | null;
  chromaLocation: string | null;
}

export interface Hdr {
  kind: 'hdr10' | 'hlg' | 'hdr10plus' | 'dolby-vision';
  dolbyVisionProfile: number | null;
  /** ffmpeg's x265 notation G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min); null when the file does not say */
  masteringDisplay: string | null;
  /** "maxCLL,maxFALL" in cd/m² */
  contentLight: string | null;
}

export interface AudioStream extends StreamBase {
  kind: 'audio';
  channels: number;
  channelLayout: string | null;
  sampleRate: number | null;
}

export interface SubtitleStream extends StreamBase {
  kind: 'subtitle';
}

export interface AttachmentStream extends StreamBase {
  kind: 'attachment';
  fileName: string | null;
  mimeType: string | null;
}

export interface DataStream extends StreamBase {
  kind: 'data';
}

export interface Chapter {
  startMs: number;
  endMs: number;
  title: string | null;
}

/**
 * What a file is told apart by. `hash` is the SHA-256 over size, first 64 KiB and last 64 KiB, in hex: it survives a
 * rename and a move, and it is cheap on a 60 GB film. `inode` and `links` come from stat.
 */
export interface Fingerprint {
  sizeBytes: number;
  mtimeMs: number;
  inode: string;
  links: number;
  hash: string;
}

/** A picture inside the video streams that is not the film: cover art, thumbnails. It is copied, never encoded. */
export function isPicture(stream: Stream): boolean {
  return (
    stream.kind === 'video' &&
    (stream.disposition.includes('attached_pic') ||
      stream.disposition.includes('timed_thumbnails') ||
      stream.disposition.includes('still_image'))
  );
}

/** It has values of HDR10 that an encoder must carry over; the transfer curve alone is only a tag, which every encoder writes. */
export function hasHdr10Values({ hdr }: VideoStream): boolean {
  return hdr?.kind === 'hdr10' && (hdr.masteringDisplay !== null || hdr.contentLight !== null);
}

/** The video streams that are film, in file order. */
export function filmStreams(probe: Probe): VideoStream[] {
  return probe.streams.filter((s): s is VideoStream => s.kind === 'video' && !isPicture(s));
}

/** `unknown` from these two is no answer: DV is interlaced by nature, MPEG-2 mostly so at broadcast sizes. */
export function isInterlaced(film: VideoStream): boolean {
  if (film.fieldOrder === 'progressive') return false;
  if (film.fieldOrder !== 'unknown') return true;
  return film.codec === 'dvvideo' || (film.codec === 'mpeg2video' && [480, 486, 576, 1080, 1088].includes(film.height));
}
