import type { Metric } from '../core/quality.ts';
import type { Tools } from './locate.ts';
import { run } from './process.ts';
import { safeGlobals, wrapper } from './sandbox.ts';

/** From the best judge of what a person sees to the one that every ffmpeg has. */
const byMerit: readonly Metric[] = ['vmaf', 'ssim'];

const known = new WeakMap<Tools['ffmpeg'], Promise<Metric>>();

/**
 * The best metric of this ffmpeg. `-filters` says only what was compiled in (a libvmaf without its models is there and
 * fails), so three frames are really compared. Asked once per program.
 * @throws ToolError when not even SSIM works
 */
export function metricOf(tools: Tools, signal?: AbortSignal): Promise<Metric> {
  const asked = known.get(tools.ffmpeg);
  if (asked) return asked;
  const asking = find(tools, signal);
  known.set(tools.ffmpeg, asking);
  asking.catch(() => known.delete(tools.ffmpeg)); // an abort or a full machine says nothing about the program
  return asking;
}

async function find(tools: Tools, signal: AbortSignal | undefined): Promise<Metric> {
  for (const metric of byMerit.slice(0, -1)) {
    const works = await proves(tools, metric, signal).then(
      () => true,
      () => false,
    );
    signal?.throwIfAborted();
    if (works) return metric;
  }
  await proves(tools, 'ssim', signal);
  return 'ssim';
}

async function proves(tools: Tools, metric: Metric, signal: AbortSignal | undefined): Promise<void> {
  const filter = metric === 'vmaf' ? 'libvmaf' : metric;
  await run({
    command: [
      tools.ffmpeg.path,
      ...safeGlobals,
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=s=320x240:r=25',
      '-frames:v',
      '3',
      '-filter_complex',
      `[0:v]format=yuv420p,split[a][b];[a][b]${filter}`,
      '-f',
      'null',
      '-',
    ],
    wrapper: wrapper(tools, tools.ffmpeg.path, { read: [] }),
    what: `compare pictures by ${metric}`,
    signal,
    timeoutMs: 30_000,
  });
}
