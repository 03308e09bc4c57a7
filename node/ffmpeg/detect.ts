import { readdir } from 'node:fs/promises';
import { encoderNames, type EncoderChoice, type EncoderName, type EncoderReport } from '../core/encoder-choice.ts';
import { messageOf } from '../errors.ts';
import { encoderArguments, encoderRows } from './encoders.ts';
import type { Tools } from './locate.ts';
import { lastLine, run, ToolError } from './process.ts';
import { safeGlobals, wrapper } from './sandbox.ts';

export interface DetectRequest {
  tools: Tools;
  signal?: AbortSignal | undefined;
  onResult?: (report: EncoderReport) => void;
}

/**
 * Proves each encoder: `-encoders` says only what was compiled in, so five frames are really encoded, per device and
 * bit depth, with the options of a real job and in the same cage. libx265 first. One report per encoder and device;
 * for a family without any working device, one report with the first reason.
 */
export async function detectEncoders(request: DetectRequest): Promise<EncoderReport[]> {
  const compiled = await compiledEncoders(request);
  const nodes = await renderNodes();
  const reports: EncoderReport[] = [];
  for (const name of encoderNames) {
    if (!encoderRows[name].platforms.includes(process.platform)) continue;
    for (const report of await testFamily(request, name, compiled.has(name), nodes)) {
      reports.push(report);
      request.onResult?.(report);
    }
  }
  return reports;
}

async function compiledEncoders({ tools, signal }: DetectRequest): Promise<Set<string>> {
  const { stdout } = await run({
    command: [tools.ffmpeg.path, '-hide_banner', '-encoders'],
    what: 'list its encoders',
    signal,
    timeoutMs: 20_000,
    maxStdoutBytes: 4 * 1024 * 1024,
  });
  return new Set([...stdout.matchAll(/^ V\S{5} (\S+)/gm)].map((m) => m[1]!));
}

/** Every graphics card has a render node; VAAPI and QSV are asked for by it. */
async function renderNodes(): Promise<string[]> {
  const names = await readdir('/dev/dri').catch(() => []);
  return names
    .filter((n) => /^renderD\d{1,4}$/.test(n))
    .toSorted()
    .map((n) => `/dev/dri/${n}`);
}

async function testFamily(request: DetectRequest, name: EncoderName, compiled: boolean, nodes: string[]): Promise<EncoderReport[]> {
  const failed = (reason: string): EncoderReport[] => [report(name, null, { eight: reason, ten: reason })];
  if (!compiled) return failed('this ffmpeg was built without it');
  const devices = encoderRows[name].devices(nodes);
  if (devices.length === 0) return failed('there is no graphics device here (/dev/dri)');
  const reports: EncoderReport[] = [];
  for (const device of devices) {
    const eight = await testEncode(request, { name, device }, 8);
    const found = report(name, device, { eight, ten: eight === null ? await testEncode(request, { name, device }, 10) : eight });
    reports.push(found);
    // NVENC's cards are numbered without gaps: after the first that is not there, none is
    if (name === 'hevc_nvenc' && !found.works) break;
  }
  const working = reports.filter((r) => r.works);
  return working.length > 0 ? working : reports.slice(0, 1);
}

function report(name: EncoderName, device: string | null, problem: { eight: string | null; ten: string | null }): EncoderReport {
  const works = problem.eight === null;
  return {
    name,
    device,
    works,
    tenBit: works && problem.ten === null,
    hardware: encoderRows[name].hardware,
    reason: problem.eight ?? (problem.ten === null ? null : `10 bit: ${problem.ten}`),
    testedAt: new Date().toISOString(),
  };
}

/** Null when five frames came out; else why not, in words. 320x240: some NVENC chips refuse less than 145 pixels. */
async function testEncode({ tools, signal }: DetectRequest, choice: EncoderChoice, bitDepth: 8 | 10): Promise<string | null> {
  const row = encoderRows[choice.name];
  const filters = row.filters(bitDepth);
  const command = [
    tools.ffmpeg.path,
    ...safeGlobals,
    '-v',
    'error',
    ...row.device(choice.device),
    '-f',
    'lavfi',
    '-i',
    'color=black:s=320x240:r=25',
    '-frames:v',
    '5',
    ...encoderArguments(choice, { quality: 22, speed: 'fast', bitDepth }, 0),
    ...(filters.length > 0 ? ['-filter:0', filters.join(',')] : []),
    '-f',
    'null',
    '-',
  ];
  try {
    const cage = wrapper(tools, tools.ffmpeg.path, { read: [], devices: row.hardware });
    await run({ command, wrapper: cage, what: `encode with ${choice.name}`, signal, timeoutMs: limitMs(row.hardware) });
    return null;
  } catch (error) {
    signal?.throwIfAborted();
    return inWords(error);
  }
}

/** A hanging driver is given up soon; libx265 on a busy machine is only slow, and without it a node is useless. */
function limitMs(hardware: boolean): number {
  return hardware ? 10_000 : 60_000;
}

const words: [RegExp, string][] = [
  [/Cannot load (libcuda|nvcuda)/, 'there is no NVIDIA driver here'],
  [/No (NVENC )?capable devices found|no CUDA-capable device/, 'there is no NVIDIA card that can encode HEVC'],
  [/OpenEncodeSessionEx failed: out of memory/, 'the card has no free encoding session (consumer cards allow few at once)'],
  [/No VA display found|Failed to initialise VAAPI|vaInitialize failed/, 'the graphics driver offers no VAAPI'],
  [
    /Error (initializing|creating) an? (internal )?MFX session|MFX session|libvpl|No such device.*qsv/i,
    'there is no Intel Quick Sync here',
  ],
  [/libamfrt|AMF failed to initialise/i, 'there is no AMD AMF runtime here'],
  [/No usable encoding (entrypoint|profile)/i, 'the graphics chip cannot encode this'],
];

function inWords(error: unknown): string {
  if (!(error instanceof ToolError)) return messageOf(error);
  if (error.timedOut) return 'a test encode of five frames did not end in time';
  const last = lastLine(error.stderrTail) ?? error.message;
  const known = words.find(([pattern]) => pattern.test(error.stderrTail));
  return known ? `${known[1]} (${last})` : last;
}
