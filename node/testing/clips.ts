/**
 * The recipes of the little films that tests work on: one entry per kind of file that people really have. Each is
 * real output of ffmpeg, two or three seconds long and wasteful enough that HEVC comes out smaller.
 */

export interface Recipe {
  /** name in a library; the folder part is made too */
  file: string;
  about: string;
  /** 'replaced', or the code of the reason for which it stays as it is; the scenarios hold CodecShift to that */
  fate: string;
  make: Step[];
}

/**
 * One step of making a clip. In ffmpeg arguments `@out` stands for the result, `@other-clip` for another clip and
 * `@asset:name` for one of `assets`.
 */
export type Step =
  | { ffmpeg: string[] }
  | { text: string }
  | { cut: string; keepPercent: number }
  | { damage: string; fromPercent: number; bytes: number }
  /** writes the display matrix of a clockwise rotation, because each ffmpeg version has another option for it */
  | { rotate: string; degrees: 90 };

const seconds = 2;
const pattern = `testsrc2=s=320x180:r=25:d=${seconds}`;
const stereo = `sine=f=440:r=48000:d=${seconds}`;
const wastefulH264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '4', '-pix_fmt', 'yuv420p'];
const aac = ['-c:a', 'aac', '-b:a', '96k', '-ac', '2'];
/** The same bytes on every run and machine: without these, ffmpeg writes random ids and its version. */
const stable = ['-fflags', '+bitexact', '-flags:v', '+bitexact', '-flags:a', '+bitexact'];

export const assets: Record<string, string> = {
  'subs.srt': '1\n00:00:00,100 --> 00:00:00,900\nA line with <i>leaning</i> words\n\n2\n00:00:01,000 --> 00:00:01,800\nGrüße, 世界\n',
  'subs.ass':
    '[Script Info]\nScriptType: v4.00+\nPlayResX: 320\nPlayResY: 180\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour\nStyle: Sign,Comic,20,&H0000FFFF\n\n' +
    '[Events]\nFormat: Layer, Start, End, Style, Text\nDialogue: 0,0:00:00.20,0:00:01.50,Sign,{\\pos(10,10)}Styled\n',
  'chapters.txt':
    ';FFMETADATA1\ntitle=Metropolis\nartist=Someone\ndate=1927\ncomment=A comment = with; signs\n' +
    '[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=Beginning\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Schluß\n',
  'font.ttf': 'not really a font, but bytes that must survive\n'.repeat(90),
};

export const recipes = {
  film: {
    file: 'Metropolis (1927)/Metropolis (1927).mkv',
    about: 'H.264 and AAC in Matroska, the everyday case',
    fate: 'replaced',
    make: [encode([pattern, stereo], [...wastefulH264, ...aac])],
  },
  tracks: {
    file: 'The Lucy Show/Season 02/The Lucy Show - S02E14.mp4',
    about: 'MP4 with two named audio tracks, text subtitles and chapters',
    fate: 'replaced',
    make: [
      {
        ffmpeg: [
          ...generated([pattern, stereo, `sine=f=880:r=48000:d=${seconds}`]),
          ...words('-i @asset:subs.srt -i @asset:chapters.txt -map 0:v -map 1:a -map 2:a -map 3:s -map_metadata 4 -map_chapters 4'),
          ...[...wastefulH264, ...aac],
          ...words('-c:s mov_text -metadata:s:a:0 language=eng -metadata:s:a:0 handler_name=Stereo -metadata:s:a:1 language=deu'),
          ...words('-metadata:s:a:1 handler_name=Kommentar -metadata:s:s:0 language=eng -disposition:a:0 default -disposition:a:1 comment'),
          ...words('-movflags +faststart'),
          ...stable,
          '@out',
        ],
      },
    ],
  },
  everything: {
    file: 'Nosferatu (1922)/Nosferatu (1922) - Everything.mkv',
    about: 'three audio codecs, SRT and ASS, chapters, a font, cover art, tags, dispositions',
    fate: 'replaced',
    make: [
      {
        ffmpeg: [
          ...generated([pattern, stereo]),
          ...words('-i @asset:subs.srt -i @asset:subs.ass -i @asset:chapters.txt'),
          ...words('-map 0:v -map 1:a -map 1:a -map 1:a -map 2:s -map 3:s -map_metadata 4 -map_chapters 4'),
          ...wastefulH264,
          ...words('-c:a:0 ac3 -c:a:1 aac -c:a:2 flac -ac 2 -c:s copy -metadata:s:v:0 title=Restored'),
          ...words(
            '-metadata:s:a:0 language=ger -metadata:s:a:0 title=Surround -metadata:s:a:1 language=eng -metadata:s:a:1 title=Commentary',
          ),
          ...words('-metadata:s:a:2 language=jpn -metadata:s:s:0 language=ger -metadata:s:s:0 title=Forced -metadata:s:s:1 language=eng'),
          ...['-metadata:s:s:1', 'title=Signs & Songs'],
          ...words('-disposition:a:0 default -disposition:a:1 comment -disposition:a:2 0 -disposition:s:0 forced -disposition:s:1 0'),
          ...words('-attach @asset:font.ttf -metadata:s:t:0 mimetype=application/x-truetype-font -metadata:s:t:0 filename=Comic.ttf'),
          ...words('-attach @cover -metadata:s:t:1 mimetype=image/jpeg -metadata:s:t:1 filename=cover.jpg'),
          ...stable,
          '@out',
        ],
      },
    ],
  },
  pictureInMp4: {
    file: 'Cover in MP4.mp4',
    about: 'MP4 with a cover picture as a second video stream',
    fate: 'replaced',
    make: [
      {
        ffmpeg: [
          ...generated([pattern, stereo]),
          ...words('-i @cover -map 0:v -map 1:a -map 2:v'),
          ...[...wastefulH264, ...aac],
          ...words('-c:v:1 copy -disposition:v:1 attached_pic'),
          ...stable,
          '@out',
        ],
      },
    ],
  },
  interlacedTs: {
    file: 'Recordings/Evening news.ts',
    about: 'interlaced MPEG-2 in a transport stream, as broadcast',
    fate: 'interlaced',
    make: [interlacedMpeg2('mpegts')],
  },
  interlacedMpg: {
    file: 'Recordings/Holiday 1998.mpg',
    about: 'interlaced MPEG-2 in a program stream',
    fate: 'interlaced',
    make: [interlacedMpeg2('vob')],
  },
  progressiveMpeg2: {
    file: 'Recordings/Old documentary.mpg',
    about: 'progressive MPEG-2: goes to Matroska under another extension',
    fate: 'replaced',
    make: [encode([pattern, stereo], ['-c:v', 'mpeg2video', '-q:v', '2', '-c:a', 'mp2', '-b:a', '128k', '-f', 'vob'])],
  },
  tenBit: {
    file: 'Ten bit.mkv',
    about: 'H.264 High 10',
    fate: 'replaced',
    make: [encode([pattern, stereo], ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '4', '-pix_fmt', 'yuv420p10le', ...aac])],
  },
  chroma422: {
    file: 'Camera 422.mkv',
    about: 'H.264 High 4:2:2, which not every encoder can keep',
    fate: 'chroma',
    make: [encode([pattern], ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '4', '-pix_fmt', 'yuv422p'])],
  },
  variable: {
    file: 'Phone variable frame rate.mp4',
    about: 'frames at uneven distances, as phones write them',
    fate: 'replaced',
    make: [
      {
        ffmpeg: [
          ...generated([`${pattern},settb=1/90000,setpts='if(lt(N,20),N/25,if(lt(N,35),0.8+(N-20)/12.5,2+(N-35)/50))/TB'`, stereo]),
          ...words('-map 0:v -map 1:a -fps_mode passthrough -enc_time_base 1:90000 -video_track_timescale 90000'),
          ...[...wastefulH264, ...aac, ...stable, '@out'],
        ],
      },
    ],
  },
  rotated: {
    file: 'Phone upright.mp4',
    about: 'a display matrix says: turn by 90 degrees',
    fate: 'replaced',
    make: [encode([pattern, stereo], [...wastefulH264, ...aac]), { rotate: '@out', degrees: 90 }],
  },
  anamorphic: {
    file: 'DVD anamorphic.mkv',
    about: 'pixels that are not square, and PAL colours',
    fate: 'replaced',
    make: [
      encode(
        [`${pattern},setsar=16/11`, stereo],
        [...wastefulH264, ...aac, '-color_primaries', 'bt470bg', '-color_trc', 'gamma28', '-colorspace', 'bt470bg', '-color_range', 'tv'],
      ),
    ],
  },
  lateAudio: {
    file: 'Late audio.mkv',
    about: 'the audio starts half a second after the pictures',
    fate: 'replaced',
    make: [
      {
        ffmpeg: [
          '-f',
          'lavfi',
          '-i',
          pattern,
          '-itsoffset',
          '0.5',
          '-f',
          'lavfi',
          '-i',
          'sine=f=440:r=48000:d=1.5',
          '-map',
          '0:v',
          '-map',
          '1:a',
          ...wastefulH264,
          ...aac,
          ...stable,
          '@out',
        ],
      },
    ],
  },
  xvid: {
    file: 'Old/Film from 2003.avi',
    about: 'MPEG-4 part 2 and MP3 in AVI: goes to Matroska',
    fate: 'replaced',
    make: [encode([pattern, stereo], ['-c:v', 'mpeg4', '-vtag', 'XVID', '-q:v', '1', '-c:a', 'libmp3lame', '-b:a', '96k'])],
  },
  wmv: {
    file: 'Old/Windows.wmv',
    about: 'WMV and WMA in ASF: goes to Matroska',
    fate: 'replaced',
    make: [encode([pattern, stereo], ['-c:v', 'wmv2', '-q:v', '1', '-c:a', 'wmav2', '-b:a', '96k'])],
  },
  flash: {
    file: 'Old/Flash.flv',
    about: 'Sorenson video and MP3 in FLV: goes to Matroska',
    fate: 'replaced',
    make: [encode([pattern, `sine=f=440:r=44100:d=${seconds}`], ['-c:v', 'flv1', '-q:v', '1', '-c:a', 'libmp3lame', '-b:a', '96k'])],
  },
  vp8: {
    file: 'Web/Clip.webm',
    about: 'VP8 and Vorbis in WebM, which cannot hold HEVC',
    fate: 'replaced',
    make: [
      encode(
        [pattern, stereo],
        [
          '-c:v',
          'libvpx',
          '-deadline',
          'realtime',
          '-b:v',
          '6M',
          '-crf',
          '4',
          '-qmin',
          '0',
          '-qmax',
          '10',
          '-c:a',
          'libvorbis',
          '-ac',
          '2',
        ],
      ),
    ],
  },
  vp9: {
    file: 'Web/Modern clip.webm',
    about: 'VP9 and Opus: already an efficient codec',
    fate: 'already-efficient-codec',
    make: [
      encode(
        [pattern, stereo],
        ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '2M', '-c:a', 'libopus', '-ac', '2'],
      ),
    ],
  },
  timecode: {
    file: 'Camera with timecode.mov',
    about: 'QuickTime with PCM sound and a timecode track',
    fate: 'replaced',
    make: [encode([pattern, stereo], [...wastefulH264, '-c:a', 'pcm_s16le', '-timecode', '01:00:00:00'])],
  },
  hevc: {
    file: 'Already HEVC.mkv',
    about: 'nothing to win here',
    fate: 'already-hevc',
    make: [encode([pattern, stereo], ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=error', '-crf', '28', ...aac])],
  },
  efficient: {
    file: 'Already small.mkv',
    about: 'H.264 with so few bits per pixel that an encode would only lose quality',
    fate: 'already-efficient',
    make: [
      encode([`color=c=gray:s=640x360:r=25:d=${seconds}`], ['-c:v', 'libx264', '-preset', 'medium', '-crf', '40', '-pix_fmt', 'yuv420p']),
    ],
  },
  audioOnly: {
    file: 'Only music.mkv',
    about: 'no video at all',
    fate: 'no-video',
    make: [{ ffmpeg: [...generated([stereo]), ...aac, ...stable, '@out'] }],
  },
  broken: {
    file: 'Broken/Damaged in the middle.mkv',
    about: 'random bytes over a part of the film',
    fate: 'source-damaged',
    make: [{ damage: 'film', fromPercent: 45, bytes: 20_000 }],
  },
  truncated: {
    file: 'Broken/Half a download.mp4',
    about: 'an MP4 whose index at the end never came',
    fate: 'damaged',
    make: [{ cut: 'pictureInMp4', keepPercent: 55 }],
  },
  empty: { file: 'Broken/Zero bytes.mkv', about: 'an empty file', fate: 'empty-file', make: [{ text: '' }] },
  text: {
    file: 'Broken/Shopping list.mkv',
    about: 'text under a film name',
    fate: 'not-media',
    make: [{ text: 'bread\nmilk\n'.repeat(200) }],
  },
  playlist: {
    file: 'Broken/Playlist.mkv',
    about: 'a playlist under a film name that would make ffmpeg open other files',
    fate: 'format-not-allowed',
    make: [{ text: '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n' }],
  },
  concat: {
    file: 'Broken/Concat.mkv',
    about: 'a concat script under a film name',
    fate: 'format-not-allowed',
    make: [{ text: "ffconcat version 1.0\nfile '/etc/passwd'\n" }],
  },
} satisfies Record<string, Recipe>;

export type ClipName = keyof typeof recipes;

/** Helper clips that are no library files themselves. */
export const parts: Record<string, Step[]> = {
  cover: [
    {
      ffmpeg: [
        '-f',
        'lavfi',
        '-i',
        'mandelbrot=s=120x160:r=1',
        '-frames:v',
        '1',
        '-c:v',
        'mjpeg',
        '-q:v',
        '3',
        ...stable,
        '-f',
        'image2',
        '@out',
      ],
    },
  ],
};

function encode(sources: string[], options: string[]): Step {
  const maps = sources.flatMap((_source, index) => ['-map', String(index)]);
  return { ffmpeg: [...generated(sources), ...maps, ...options, ...stable, '@out'] };
}

function words(line: string): string[] {
  return line.split(' ');
}

function generated(sources: string[]): string[] {
  return sources.flatMap((source) => ['-f', 'lavfi', '-i', source]);
}

/** Two fields per frame, top first. The flags come last: a later `-flags:v` replaces an earlier `-flags`. */
function interlacedMpeg2(container: 'mpegts' | 'vob'): Step {
  const sources = generated([`testsrc2=s=352x288:r=50:d=${seconds},tinterlace=interleave_top`, stereo]);
  const video = ['-c:v', 'mpeg2video', '-top', '1', '-q:v', '2'];
  const flags = ['-fflags', '+bitexact', '-flags:v', '+ilme+ildct+bitexact', '-flags:a', '+bitexact'];
  return { ffmpeg: [...sources, '-map', '0', '-map', '1', ...video, '-c:a', 'mp2', '-b:a', '128k', ...flags, '-f', container, '@out'] };
}
