import { chooseFfmpeg, hardwareEncoders, holesOfBuild, wantedFilters, type FfmpegBuild, type FfmpegTold } from './ffmpeg-choice.ts';
import type { Found } from './ffmpeg-holes.ts';
import { seesHdr10plus } from './plan-rules.ts';

/** One ffmpeg of a machine as a person reads it. */
export interface FfmpegWords {
  path: string;
  /** "ffmpeg 5.1.9-0+deb12u1" */
  name: string;
  /** "of this system" */
  from: string;
  used: boolean;
  /** why it is the one that is used; '' for the others */
  why: string;
  /** "HEVC in 10 bit", "sees HDR10+"; then the hardware encoders that were compiled in */
  able: string[];
  /** sentences */
  lacks: string[];
  holes: HoleWords[];
  /** why it cannot be used, a sentence; '' when it can */
  problem: string;
}

export interface HoleWords {
  id: string;
  /** bad: it is refused for it · heed: look for another · calm: it cannot be reached, or is probably mended */
  tone: 'bad' | 'heed' | 'calm';
  says: string;
}

/** What a machine has, the one that it uses first, and what a person should do about it. */
export interface FfmpegsWords {
  all: FfmpegWords[];
  /** why no film is opened there; '' when they are */
  refused: string;
  /** that a better one is there, and why; '' when there is none */
  better: string;
}

const froms: Record<FfmpegBuild['from'], string> = {
  configured: 'as configured',
  system: 'of this system',
  tools: 'of the folder “tools”',
  bundled: 'that comes with CodecShift',
};

export function ffmpegsInWords({ builds, used, allowed }: FfmpegTold): FfmpegsWords {
  const choice = chooseFfmpeg(builds, { allowed, ...(used === null ? {} : { stay: used }) });
  const words = builds.map((build, index) => ffmpegInWords(build, index === choice.used ? choice.why : ''));
  const better = choice.better && builds[choice.better.index];
  return {
    all: words.sort((a, b) => Number(b.used) - Number(a.used)),
    refused: choice.refused?.says ?? '',
    better: better
      ? `A better one is here: ffmpeg ${better.version} at ${better.path}; ${choice.better!.reasons.join(', ')}. ${howToTake(builds[choice.used!]!)}`
      : '',
  };
}

function howToTake(used: FfmpegBuild): string {
  return used.from === 'configured'
    ? 'The configured one is used until --ffmpeg (CODECSHIFT_FFMPEG) names the other, or none.'
    : 'It is taken at the next start of CodecShift.';
}

function ffmpegInWords(build: FfmpegBuild, why: string): FfmpegWords {
  const bare = { path: build.path, name: `ffmpeg ${build.version || '(no version)'}`, from: froms[build.from], used: why !== '', why };
  if (build.problem !== null) return { ...bare, able: [], lacks: [], holes: [], problem: `It cannot be used: ${build.problem}.` };
  return { ...bare, able: able(build), lacks: lacks(build), holes: holesOfBuild(build).map(holeInWords), problem: '' };
}

function able(build: FfmpegBuild): string[] {
  return [
    build.tenBit ? 'HEVC in 10 bit' : 'HEVC in 8 bit',
    ...(build.encoders.includes('libsvtav1') ? ['AV1'] : []),
    ...(build.ffprobe && seesHdr10plus(build.ffprobe.version) ? ['sees HDR10+'] : []),
    ...(build.decodes.av1 ? ['reads AV1'] : []),
    ...(build.lacks.includes('libvmaf') ? [] : ['VMAF']),
    ...hardwareEncoders(build),
  ];
}

function lacks(build: FfmpegBuild): string[] {
  const { ffprobe } = build;
  return [
    ...(build.tenBit ? [] : ['Its libx265 makes no 10 bit.']),
    ...(build.decodes.hevc ? [] : ['It reads no HEVC, so no copy could be checked.']),
    ...(build.decodes.av1 ? [] : ['It reads no AV1 films.']),
    ...(build.encoders.includes('libsvtav1') ? [] : ['It makes no AV1 by software.']),
    ...(ffprobe === null ? ['There is no ffprobe for it.'] : []),
    ...(ffprobe && !seesHdr10plus(ffprobe.version) ? [`Its ffprobe ${ffprobe.version} does not see HDR10+ in AV1 and VP9.`] : []),
    ...(ffprobe && ffprobe.version !== build.version ? [`ffprobe is another version, ${ffprobe.version} at ${ffprobe.path}.`] : []),
    ...build.lacks.map((name) => `Without its filter ${name}, ${wantedFilters[name] ?? 'something is lost'}.`),
  ];
}

function holeInWords({ hole, has, open }: Found): HoleWords {
  const { id, lets, part } = hole;
  const tone = has === 'maybe' || !open ? 'calm' : hole.serious ? 'bad' : 'heed';
  const mended = has === 'maybe' ? ' It may be mended in this build, whose number does not tell.' : '';
  const reached = open ? '' : ` CodecShift keeps ${part} switched off, so no film reaches it.`;
  return { id, tone, says: `A hole by which ${lets}.${mended}${reached}` };
}
