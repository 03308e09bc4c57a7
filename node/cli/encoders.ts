import { loadOptions } from '../config/load.ts';
import { ffmpegWish } from '../assembly/house.ts';
import type { EncoderReport } from '../core/encoder-choice.ts';
import { ffmpegsInWords, type FfmpegsWords, type FfmpegWords } from '../core/ffmpeg-words.ts';
import { sentence } from '../core/reasons.ts';
import { detectEncoders } from '../ffmpeg/detect.ts';
import { findFfmpeg } from '../ffmpeg/locate.ts';
import { command, nodeFlags, noMoreWords, print } from './arguments.ts';

const help = `codecshift encoders [--ffmpeg FILE] [--ffprobe FILE] [--allow-vulnerable-ffmpeg] [--data-dir DIR] [--json]

Tests every HEVC and AV1 encoder of this machine by encoding a few frames: 8 and 10 bit, HDR10, B-frames, how many at once.
Says why one does not work. Before that it names every ffmpeg of this machine, what each can do, which one is used and why,
and which known holes it has.
`;

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(['ffmpeg', 'ffprobe', 'data-dir', 'allow-vulnerable-ffmpeg']), async ({ values, positionals }) => {
    noMoreWords(positionals);
    const options = loadOptions(values);
    const found = await findFfmpeg(ffmpegWish(options));
    const { tools } = found;
    const builds = found.builds();
    const words = ffmpegsInWords({ builds, used: found.choice().used, allowed: options.allowVulnerableFfmpeg });
    const encoders = await detectEncoders({ tools });
    const { path, version, from } = tools.ffmpeg;
    print(values['json'] === true, { ffmpeg: { path, version, from }, builds, inWords: words, encoders }, () =>
      [...ffmpegLines(words), '', `Encoders of ffmpeg ${version}:`, ...encoders.map(line)].join('\n'),
    );
    return encoders.some((e) => e.works) && !tools.refused ? 0 : 1;
  });
}

function ffmpegLines({ all, refused, better }: FfmpegsWords): string[] {
  return [
    ...all.flatMap((one) => [
      `${one.problem ? '✗' : one.used ? '▸' : ' '} ${one.name}, ${one.from} (${one.path})${one.why ? `. ${one.why}` : ''}`,
      ...(one.problem ? [`    ${one.problem}`] : []),
      ...(one.able.length > 0 ? [`    Can: ${one.able.join('; ')}.`] : []),
      ...one.lacks.map((lack) => `    ${lack}`),
      ...one.holes.filter(({ tone }) => tone !== 'calm').map(({ id, says }) => `  ! ${id}: ${says}`),
      ...calmLine(one),
    ]),
    ...(better ? [`! ${better}`] : []),
    ...(refused ? [`✗ ${sentence({ code: 'ffmpeg-refused', params: { says: refused } })}`] : []),
  ];
}

function calmLine({ holes }: FfmpegWords): string[] {
  const calm = holes.filter(({ tone }) => tone === 'calm').map(({ id }) => id);
  return calm.length > 0 ? [`    Known holes that no film reaches here, or that may be mended: ${calm.join(', ')}.`] : [];
}

function line(e: EncoderReport): string {
  const device = e.device ? ` on ${e.device}` : '';
  const able = e.works ? `works, ${ableTo(e).join(', ')}` : 'does not work';
  return `${e.works ? '✓' : '✗'} ${e.name}${device}: ${able}${e.reason ? ` — ${e.reason}` : ''}`;
}

function ableTo(e: EncoderReport): string[] {
  return [
    e.tenBit ? '8 and 10 bit' : '8 bit only',
    e.hdr10 ? 'HDR10' : 'no HDR10',
    ...(e.bFrames ? ['B-frames'] : []),
    ...(e.atOnce ? [`${e.atOnce} at once`] : []),
    ...(e.deviceName ? [e.deviceName] : []),
    ...(e.driver ? [e.driver] : []),
  ];
}
