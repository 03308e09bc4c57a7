import { isDeepStrictEqual } from 'node:util';
import path from 'node:path';
import { codecOf, type EncoderChoice } from '../core/encoder-choice.ts';
import { filmStreams, type VideoStream } from '../core/media.ts';
import { defaultProfile } from '../core/profile.ts';
import { encodeArguments } from './args.ts';
import { refusalOf, type Refusal } from './encoder-words.ts';
import { encoderArguments, rowOf } from './encoders.ts';
import type { Tools } from './locate.ts';
import { probeFile } from './probe.ts';
import { run } from './process.ts';
import { fileUrl, safeGlobals, safeInput, wrapper } from './sandbox.ts';

export interface Proving {
  tools: Tools;
  /** an absolute path; only the tests write into it */
  folder: string;
  signal?: AbortSignal | undefined;
  hardwareLimitMs?: number;
}

const FRAMES = 10;
/** 320x240: some NVENC chips refuse less than 145 pixels. */
export const testPattern = `testsrc2=s=320x240:r=25:d=${FRAMES / 25}`;
/** The pattern comes back at 0.95 and more from every encoder that works; a wrong or empty picture has less than 0.4. */
const SIMILAR = 0.8;

/** Null when a few pictures came out as they went in; else why not. The options are those of a real job. */
export async function testEncode(p: Proving, choice: EncoderChoice, bitDepth: 8 | 10): Promise<Refusal | null> {
  const row = rowOf(choice);
  const filters = row.filters(bitDepth);
  const output = path.join(p.folder, 'test.mkv');
  const command = [
    p.tools.ffmpeg.path,
    ...safeGlobals,
    '-v',
    'error',
    ...row.device(choice.device),
    '-f',
    'lavfi',
    '-i',
    testPattern,
    ...encoderArguments(choice, { quality: 22, speed: 'fast', bitDepth }, 0),
    ...(filters.length > 0 ? ['-filter:0', filters.join(',')] : []),
    '-f',
    'matroska',
    '-y',
    fileUrl(output),
  ];
  try {
    await caged(p, command, {
      write: true,
      devices: row.hardware,
      timeoutMs: limitMs(p, row.hardware),
      what: `encode with ${choice.name}`,
    });
    return await comparePictures(p, output);
  } catch (error) {
    p.signal?.throwIfAborted();
    return refusalOf(error);
  }
}

/** Exit code 0 is no proof: broken drivers end well with green, black or no pictures at all. */
async function comparePictures(p: Proving, made: string): Promise<Refusal | null> {
  const same = 'format=yuv420p,settb=1/25,setpts=N';
  const command = [
    p.tools.ffmpeg.path,
    ...safeGlobals,
    '-v',
    'info',
    ...safeInput,
    '-i',
    fileUrl(made),
    '-f',
    'lavfi',
    '-i',
    testPattern,
    '-filter_complex',
    `[0:v]${same}[a];[1:v]${same}[b];[a][b]ssim=shortest=1`,
    '-progress',
    'pipe:1',
    '-nostats',
    '-f',
    'null',
    '-',
  ];
  const { stdout, stderrTail } = await caged(p, command, { read: [made], timeoutMs: 60_000, what: 'decode what was encoded' });
  const frames = Number(/^frame=\s*(\d+)/m.exec(stdout.slice(stdout.lastIndexOf('frame=')))?.[1]);
  const likeness = Number(/\bSSIM .*\bAll:([\d.]+)/.exec(stderrTail)?.[1]);
  if (frames !== FRAMES) return { words: `${FRAMES} pictures went in and ${frames || 'none'} came out`, hopeless: false };
  if (likeness >= SIMILAR) return null;
  return { words: 'the pictures that came out are not those that went in; a new driver may help', hopeless: false };
}

/**
 * Whether HDR10's values come out of an encoder as they went in, by the very command of a real film. Newer ffmpeg hands
 * them to hardware, older does not; neither the version nor the chip's papers are believed.
 */
export async function carriesHdr10(p: Proving, choice: EncoderChoice): Promise<boolean> {
  const output = path.join(p.folder, 'hdr10-out.mkv');
  try {
    const input = await hdr10Sample(p);
    const probe = await probeFile({ tools: p.tools, path: input, signal: p.signal });
    const command = encodeArguments({
      plan: {
        action: 'transcode',
        reason: { code: 'not-hevc' },
        container: 'matroska',
        extension: '.mkv',
        dropped: [],
        expectedBytes: 1,
        video: { bitDepth: 10, deinterlace: false, hdr10: true },
        streams: [{ index: 0, kind: 'video', action: 'encode', codec: codecOf(choice.name), note: null }],
      },
      profile: { ...defaultProfile, speed: 'fast' },
      probe,
      input,
      output,
      encoder: choice,
      release: p.tools.ffmpeg.release,
    }).map((argument) => (argument === '-n' ? '-y' : argument));
    const { hardware } = rowOf(choice);
    await caged(p, [p.tools.ffmpeg.path, ...command], {
      read: [input],
      write: true,
      devices: hardware,
      timeoutMs: limitMs(p, hardware),
      what: `encode HDR10 with ${choice.name}`,
    });
    const before = filmStreams(probe)[0];
    const made = filmStreams(await probeFile({ tools: p.tools, path: output, signal: p.signal }))[0];
    return before?.hdr?.masteringDisplay != null && isDeepStrictEqual(hdrOf(made), hdrOf(before));
  } catch {
    p.signal?.throwIfAborted();
    return false;
  }
}

function hdrOf(film: VideoStream | undefined): unknown {
  return [film?.hdr, film?.color.transfer, film?.color.primaries, film?.color.space];
}

/** A few pictures with all of HDR10's values, made by libx265, which every ffmpeg that we use has. */
async function hdr10Sample(p: Proving): Promise<string> {
  const file = path.join(p.folder, 'hdr10.mkv');
  const hdr10 = {
    kind: 'hdr10',
    dolbyVisionProfile: null,
    masteringDisplay: 'G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)',
    contentLight: '1000,400',
  } as const;
  const command = [
    p.tools.ffmpeg.path,
    ...safeGlobals,
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    testPattern,
    ...encoderArguments({ name: 'libx265', device: null }, { quality: 22, speed: 'fast', bitDepth: 10, hdr10 }, 0),
    ...['-color_primaries:0', 'bt2020', '-color_trc:0', 'smpte2084', '-colorspace:0', 'bt2020nc', '-color_range:0', 'tv'],
    '-f',
    'matroska',
    '-y',
    fileUrl(file),
  ];
  await caged(p, command, { write: true, timeoutMs: limitMs(p, false), what: 'make an HDR10 sample' });
  return file;
}

interface Run {
  read?: string[];
  write?: boolean;
  devices?: boolean;
  timeoutMs: number;
  what: string;
}

function caged(p: Proving, command: string[], by: Run): ReturnType<typeof run> {
  const view = { read: by.read ?? [], devices: by.devices ?? false, ...(by.write ? { write: p.folder, maxFileBytes: 2 ** 26 } : {}) };
  return run({
    command,
    wrapper: wrapper(p.tools, p.tools.ffmpeg.path, view),
    what: by.what,
    signal: p.signal,
    timeoutMs: by.timeoutMs,
  });
}

/** A hanging driver is given up soon; libx265 on a busy machine is only slow, and without it a node is useless. */
export function limitMs({ hardwareLimitMs = 10_000 }: Proving, hardware: boolean): number {
  return hardware ? hardwareLimitMs : 60_000;
}
