import type { Profile } from '../core/profile.ts';
import { turned, withCaptions, withStaticHdr } from './hard-bytes.ts';

/**
 * Films with something special in them, for the matrix of streams and containers. Beside clips.ts, which is what every
 * test library holds: these are more, and made only where they are asked for.
 */
export interface HardClip {
  about: string;
  /** 'replaced', or the code of the reason for which it stays */
  fate: string;
  /** in the words of ffmpeg; `@name` is another of these clips or one of the parts */
  args: string[];
  profile?: Partial<Profile>;
  /** changes the finished bytes */
  patch?: (bytes: Buffer) => Buffer;
}

const words = (line: string): string[] => line.split(' ');
const v = words('-f lavfi -i testsrc2=s=320x180:r=25:d=2');
const fields = (order: string, seconds = 2) => words(`-f lavfi -i testsrc2=s=320x192:r=50:d=${seconds},tinterlace=interleave_${order}`);
const a = words('-f lavfi -i sine=f=440:r=48000:d=2');
const b = words('-f lavfi -i sine=f=880:r=48000:d=2');
const h264 = words('-c:v:0 libx264 -preset ultrafast -crf 4 -pix_fmt:v:0 yuv420p');
const ten = words('-c:v libx264 -preset ultrafast -crf 4 -pix_fmt yuv420p10le');
const aac = words('-c:a aac -b:a 96k -ac 2');
const colours = (primaries: string, transfer: string, space: string, range = 'tv') =>
  words(`-color_primaries ${primaries} -color_trc ${transfer} -colorspace ${space} -color_range ${range}`);
const plain = [...v, ...a, ...h264, ...aac];
const interlace = (order: 0 | 1) =>
  words(`-c:v libx264 -preset ultrafast -crf 4 -pix_fmt yuv420p -flags +ilme+ildct -x264-params ${order ? 'tff' : 'bff'}=1`);
const deinterlace: Partial<Profile> = { interlaced: 'deinterlace' };

export const hardClips: Record<string, HardClip> = {
  'all dispositions.mkv': {
    about: 'every flag that Matroska knows, three languages, default on the second track, two fonts, chapters',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...b,
      ...words(
        '-i @subs.srt -i @subs.ass -i @chapters.txt -map 0 -map 1 -map 2 -map 1 -map 2 -map 3 -map 3 -map 4 -map_metadata 5 -map_chapters 5',
      ),
      ...h264,
      ...words('-c:a aac -b:a 64k -c:a:3 ac3 -c:s copy'),
      ...words(
        '-metadata:s:v language=jpn -metadata:s:v title=Restored -metadata:s:a:0 language=jpn -metadata:s:a:1 language=eng -metadata:s:a:2 language=ger',
      ),
      ...words(
        '-metadata:s:a:2 title=Kommentar -metadata:s:s:0 language=eng -metadata:s:s:1 language=eng -metadata:s:s:1 title=SDH -metadata:s:s:2 language=ger',
      ),
      ...words(
        '-disposition:v default -disposition:a:0 original -disposition:a:1 default -disposition:a:2 comment -disposition:a:3 visual_impaired',
      ),
      ...words('-disposition:s:0 forced -disposition:s:1 hearing_impaired -disposition:s:2 default+forced'),
      ...words(
        '-attach @font.ttf -metadata:s:t:0 mimetype=application/x-truetype-font -attach @font.ttf -metadata:s:t:1 mimetype=font/otf -metadata:s:t:1 filename=B.otf',
      ),
    ],
  },
  'no default at all.mkv': {
    about: 'no track is the default',
    fate: 'replaced',
    args: [...v, ...a, ...b, ...words('-map 0 -map 1 -map 2 -disposition:v 0 -disposition:a:0 0 -disposition:a:1 0'), ...h264, ...aac],
  },
  'blu-ray subtitles.mkv': {
    about: 'PGS',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...words('-i @subs.sup -map 0 -map 1 -map 2 -metadata:s:s language=fre -disposition:s forced'),
      ...h264,
      ...aac,
      '-c:s',
      'copy',
    ],
  },
  'dvd subtitles.mkv': {
    about: 'VobSub',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...words('-fix_sub_duration -i @subs.sup -map 0 -map 1 -map 2 -metadata:s:s language=spa'),
      ...h264,
      ...aac,
      '-c:s',
      'dvdsub',
    ],
  },
  'dvb subtitles.mkv': {
    about: 'DVB subtitles in Matroska',
    fate: 'replaced',
    args: [...v, ...a, ...words('-fix_sub_duration -i @subs.sup -map 0 -map 1 -map 2'), ...h264, ...aac, '-c:s', 'dvbsub'],
  },
  'broadcast.ts': {
    about: 'two sounds with languages, one for the hearing impaired, DVB subtitles',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...b,
      ...words(
        '-fix_sub_duration -i @subs.sup -map 0 -map 1 -map 2 -map 3 -metadata:s:a:0 language=deu -metadata:s:a:1 language=eng -metadata:s:s language=deu -disposition:a:1 hearing_impaired -metadata service_name=Arte',
      ),
      ...h264,
      ...words('-c:a mp2 -b:a 128k -c:s dvbsub'),
    ],
  },
  'disc.m2ts': {
    about: 'H.264, AC-3 and PGS as on a disc',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...words('-i @subs.sup -map 0 -map 1 -map 2 -metadata:s:a language=eng -metadata:s:s language=eng'),
      ...h264,
      ...words('-c:a ac3 -c:s copy -mpegts_m2ts_mode 1 -f mpegts'),
    ],
  },
  'text tracks.mp4': {
    about: 'two text subtitles, one forced, names, chapters, a cover',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...words(
        '-i @subs.srt -i @subs.ass -i @cover.jpg -i @chapters.txt -map 0:v -map 1 -map 2 -map 3 -map 4 -map_metadata 5 -map_chapters 5',
      ),
      ...h264,
      ...aac,
      ...words(
        '-c:s mov_text -c:v:1 copy -disposition:v:1 attached_pic -metadata:s:a language=por -metadata:s:s:0 language=eng -metadata:s:s:1 language=ger',
      ),
      ...words('-metadata:s:s:1 handler_name=Schilder -disposition:s:0 forced -disposition:s:1 hearing_impaired'),
    ],
  },
  'visual impaired.mp4': {
    about: 'a second sound for the blind, in MP4',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...b,
      ...words('-map 0 -map 1 -map 2 -disposition:a:1 visual_impaired -metadata:s:a:1 language=eng'),
      ...h264,
      ...aac,
    ],
  },
  'dubbed.mp4': {
    about: 'a sound that is marked as a dub',
    fate: 'replaced',
    args: [...v, ...a, ...b, ...words('-map 0 -map 1 -map 2 -disposition:a:1 dub'), ...h264, ...aac],
  },
  'flac.mp4': {
    about: 'FLAC in MP4, which few players take: goes to Matroska',
    fate: 'replaced',
    args: [...v, ...a, ...h264, ...words('-c:a flac -strict -2')],
  },
  'upright flac.mp4': {
    about: 'turned, and has to go to Matroska',
    fate: 'turned',
    args: [...v, ...a, ...h264, ...words('-c:a flac -strict -2')],
    patch: (m) => turned(m, 90),
  },
  'fragments.mp4': {
    about: 'a fragmented MP4',
    fate: 'replaced',
    args: [...plain, ...words('-movflags frag_keyframe+empty_moov+default_base_moof')],
  },
  'turned 90.mov': { about: 'turned by 90 degrees', fate: 'replaced', args: plain, patch: (m) => turned(m, 90) },
  'turned 180.mp4': { about: 'turned by 180 degrees', fate: 'replaced', args: plain, patch: (m) => turned(m, 180) },
  'turned 270.mp4': { about: 'turned by 270 degrees', fate: 'replaced', args: plain, patch: (m) => turned(m, 270) },
  'anamorphic.mp4': {
    about: 'pixels of 64:45',
    fate: 'replaced',
    args: [...words('-f lavfi -i testsrc2=s=320x180:r=25:d=2,setsar=64/45'), ...a, ...h264, ...aac],
  },
  'pictures late.mp4': {
    about: 'the pictures begin 0.6 s after the sound',
    fate: 'replaced',
    args: ['-itsoffset', '0.6', ...v, ...a, ...words('-map 0 -map 1'), ...h264, ...aac],
  },
  'sound late.mp4': {
    about: 'the sound begins 0.7 s after the pictures',
    fate: 'replaced',
    args: [...v, '-itsoffset', '0.7', ...a, ...words('-map 0 -map 1'), ...h264, ...aac],
  },
  'sound late.ts': {
    about: 'the same in a transport stream',
    fate: 'replaced',
    args: [...v, '-itsoffset', '0.7', ...a, ...words('-map 0 -map 1'), ...h264, ...words('-c:a mp2 -b:a 128k')],
  },
  'sound early.mkv': {
    about: 'the sound begins 0.4 s before the pictures',
    fate: 'replaced',
    args: ['-itsoffset', '0.4', ...v, ...a, ...words('-map 0 -map 1'), ...h264, ...aac],
  },
  'sound early.avi': {
    about: 'late pictures in a container that knows no offset',
    fate: 'replaced',
    args: ['-itsoffset', '0.4', ...v, ...a, ...words('-map 0 -map 1'), ...words('-c:v mpeg4 -q:v 1 -c:a libmp3lame')],
  },
  'long.mp4': { about: 'the source of a cut', fate: 'replaced', args: [...plain, ...words('-g 20 -bf 2')] },
  'cut.mp4': {
    about: 'cut without a new encode: an edit list hides the first pictures',
    fate: 'replaced',
    args: words('-ss 0.5 -i @long.mp4 -c copy'),
  },
  'negative start.mp4': {
    about: 'times before zero, without an edit list',
    fate: 'replaced',
    args: [...plain, ...words('-bf 3 -use_editlist 0 -movflags negative_cts_offsets')],
  },
  'bt601.mkv': { about: 'the colours of NTSC', fate: 'replaced', args: [...plain, ...colours('smpte170m', 'smpte170m', 'smpte170m')] },
  'bt709.mp4': { about: 'the colours of high definition', fate: 'replaced', args: [...plain, ...colours('bt709', 'bt709', 'bt709')] },
  'bt2020.mkv': {
    about: 'wide colours without HDR, ten bits',
    fate: 'replaced',
    args: [...v, ...a, ...ten, ...aac, ...colours('bt2020', 'bt2020-10', 'bt2020nc')],
  },
  'full range.mp4': {
    about: 'all 256 levels',
    fate: 'replaced',
    args: [
      ...words('-f lavfi -i testsrc2=s=320x180:r=25:d=2,scale=out_range=pc'),
      ...a,
      ...words('-c:v libx264 -preset ultrafast -crf 4 -pix_fmt yuvj420p'),
      ...aac,
      ...colours('bt709', 'bt709', 'bt709', 'pc'),
    ],
  },
  'grey.mkv': {
    about: 'no colour at all',
    fate: 'replaced',
    args: [...v, ...words('-c:v libx264 -preset ultrafast -crf 4 -pix_fmt gray')],
  },
  'hlg.mkv': { about: 'HLG', fate: 'replaced', args: [...v, ...a, ...ten, ...aac, ...colours('bt2020', 'arib-std-b67', 'bt2020nc')] },
  'hdr10.mp4': {
    about: 'PQ with mastering display and light levels',
    fate: 'replaced',
    args: [...v, ...a, ...ten, ...aac, ...colours('bt2020', 'smpte2084', 'bt2020nc')],
    patch: (m) => withStaticHdr(m, 'avc1'),
  },
  'pq alone.mkv': {
    about: 'PQ without any static metadata',
    fate: 'replaced',
    args: [...v, ...a, ...ten, ...aac, ...colours('bt2020', 'smpte2084', 'bt2020nc')],
  },
  'variable.mkv': {
    about: 'uneven distances between frames',
    fate: 'replaced',
    args: [
      ...words("-f lavfi -i testsrc2=s=320x180:r=25:d=2,settb=1/1000,setpts='if(lt(N,20),N*40,if(lt(N,35),800+(N-20)*83,2045+(N-35)*21))'"),
      ...a,
      ...words('-map 0 -map 1 -fps_mode passthrough -enc_time_base 1:1000'),
      ...h264,
      ...aac,
    ],
  },
  'tff.mkv': { about: 'interlaced, top field first', fate: 'interlaced', args: [...fields('top'), ...a, ...interlace(1), ...aac] },
  'tff to progressive.mkv': {
    about: 'interlaced, top field first, deinterlaced',
    fate: 'replaced',
    profile: deinterlace,
    args: [...fields('top'), ...a, ...interlace(1), ...aac],
  },
  'bff to progressive.mp4': {
    about: 'interlaced, bottom field first, deinterlaced',
    fate: 'replaced',
    profile: deinterlace,
    args: [...fields('bottom'), ...a, ...interlace(0), ...aac],
  },
  'fields.h264': { about: 'half of a mixed film', fate: 'raw-stream', args: [...fields('top', 4), ...interlace(1), '-g', '25'] },
  'frames.h264': {
    about: 'the other half',
    fate: 'raw-stream',
    args: [...words('-f lavfi -i testsrc2=s=320x192:r=25:d=4'), ...words('-c:v libx264 -preset ultrafast -crf 4 -g 25 -pix_fmt yuv420p')],
  },
  'mixed.mkv': {
    about: 'progressive in the beginning, interlaced later',
    fate: 'interlaced',
    args: words('-i concat:@frames.h264|@fields.h264 -c copy'),
  },
  'captions.h264': {
    about: 'captions from the first picture on',
    fate: 'raw-stream',
    args: [...v, ...words('-c:v libx264 -preset ultrafast -crf 4 -pix_fmt yuv420p -bsf:v h264_mp4toannexb')],
    patch: (m) => withCaptions(m, 0),
  },
  'captions.mkv': { about: 'captions inside the pictures', fate: 'closed-captions', args: words('-r 25 -i @captions.h264 -c copy') },
  'later captions.h264': {
    about: 'captions after the logo',
    fate: 'raw-stream',
    args: [...words('-f lavfi -i testsrc2=s=320x180:r=25:d=8'), ...words('-c:v libx264 -preset ultrafast -crf 10 -g 25 -pix_fmt yuv420p')],
    patch: (m) => withCaptions(m, 40),
  },
  'later captions.mkv': {
    about: 'captions that begin later',
    fate: 'closed-captions',
    args: ['-r', '25', '-i', '@later captions.h264', '-c', 'copy'],
  },
  '444.mkv': { about: 'full colour', fate: 'chroma', args: [...v, ...words('-c:v libx264 -preset ultrafast -pix_fmt yuv444p')] },
  'transparent.webm': {
    about: 'VP9 with transparency',
    fate: 'alpha',
    profile: { alsoEfficient: [] },
    args: [
      ...words('-f lavfi -i testsrc2=s=320x180:r=25:d=1,format=yuva420p'),
      ...words('-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 4M'),
    ],
  },
  'odd size.avi': {
    about: '321 by 181',
    fate: 'odd-dimensions',
    args: [...words('-f lavfi -i testsrc=s=321x181:r=25:d=1'), ...words('-c:v mpeg4 -q:v 1')],
  },
  'two films.mkv': {
    about: 'two film streams',
    fate: 'several-videos',
    args: [...v, ...v, ...words('-map 0 -map 1 -c:v libx264 -preset ultrafast -crf 4 -pix_fmt yuv420p')],
  },
  'two sounds.avi': {
    about: 'two MP3 tracks with names in AVI',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...b,
      ...words(
        '-map 0 -map 1 -map 2 -c:v mpeg4 -q:v 1 -c:a libmp3lame -metadata title=Metropolis -metadata:s:a:0 title=Deutsch -metadata:s:a:1 title=English',
      ),
    ],
  },
  'packed.avi': {
    about: 'MPEG-4 with B-frames',
    fate: 'replaced',
    args: [...v, ...a, ...words('-c:v mpeg4 -q:v 1 -bf 2 -vtag DIVX -c:a ac3')],
  },
  'two sounds.wmv': {
    about: 'WMV with two sounds',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...b,
      ...words(
        '-map 0 -map 1 -map 2 -c:v wmv2 -q:v 1 -c:a wmav2 -metadata:s:a:0 language=eng -metadata:s:a:1 language=ger -metadata title=Metropolis -f asf',
      ),
    ],
  },
  'web.flv': { about: 'H.264 in FLV', fate: 'replaced', args: [...plain, '-bf', '2'] },
  'dvd.mpg': {
    about: 'MPEG-2, two sounds and DVD subtitles in a program stream',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...b,
      ...words('-fix_sub_duration -i @subs.sup -map 0 -map 1 -map 2 -map 3 -c:v mpeg2video -q:v 2 -c:a ac3 -c:s dvdsub -f vob'),
    ],
  },
  'web subtitles.webm': {
    about: 'VP8 with WebVTT',
    fate: 'replaced',
    args: [
      ...v,
      ...a,
      ...words(
        '-i @subs.srt -map 0 -map 1 -map 2 -c:v libvpx -deadline realtime -b:v 6M -crf 4 -qmin 0 -qmax 10 -c:a libvorbis -ac 2 -c:s webvtt -metadata:s:s language=eng',
      ),
    ],
  },
  'data.ts': {
    about: 'a data track that nobody else can hold',
    fate: 'stream-not-keepable',
    args: [...v, ...a, ...words('-f data -i @font.ttf -map 0 -map 1 -map 2'), ...h264, ...words('-c:a mp2 -c:d copy')],
  },
  'timecode.mp4': { about: 'a timecode track in MP4', fate: 'replaced', args: [...plain, ...words('-timecode 01:00:00:00')] },
  'many chapters.mkv': {
    about: '300 chapters and a comment of 3,000 letters',
    fate: 'replaced',
    args: [...v, ...a, ...words('-i @many.txt -map 0 -map 1 -map_metadata 2 -map_chapters 2'), ...h264, ...aac],
  },
  'short sound.mkv': {
    about: 'the sound ends a second early',
    fate: 'replaced',
    args: [...v, ...words('-f lavfi -i sine=d=1:r=48000'), ...h264, ...aac],
  },
};
