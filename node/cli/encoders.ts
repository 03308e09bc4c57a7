import { loadOptions } from '../config/load.ts';
import type { EncoderReport } from '../core/encoder-choice.ts';
import { detectEncoders } from '../ffmpeg/detect.ts';
import { locateTools } from '../ffmpeg/locate.ts';
import { command, nodeFlags, print } from './arguments.ts';

const help = `codecshift encoders [--json]

Tests every HEVC and AV1 encoder of this machine by encoding a few frames: 8 and 10 bit, HDR10, B-frames, how many at once.
Says why one does not work.
`;

export function run(args: string[]): Promise<number> {
  return command(args, help, nodeFlags(['ffmpeg', 'ffprobe']), async ({ values }) => {
    const options = loadOptions(values);
    const tools = await locateTools({ configured: { ffmpeg: options.ffmpeg ?? undefined, ffprobe: options.ffprobe ?? undefined } });
    const encoders = await detectEncoders({ tools });
    const { path, version, from } = tools.ffmpeg;
    print(values['json'] === true, { ffmpeg: { path, version, from }, encoders }, () =>
      [`ffmpeg ${version} (${from}, ${path})`, ...encoders.map(line)].join('\n'),
    );
    return encoders.some((e) => e.works) ? 0 : 1;
  });
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
