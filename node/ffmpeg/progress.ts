/** Live numbers of a run; percent 0…99 until it has ended, times in milliseconds, sizes in bytes. */
export interface EncodeProgress {
  percent: number;
  fps: number | null;
  speed: number | null;
  leftMs: number | null;
  outputBytes: number | null;
  /** what the output will weigh if it goes on like this; null as long as that is a guess */
  expectedBytes: number | null;
  paused: boolean;
}

/** One block of `-progress`, as far as it could be read. */
export interface ProgressBlock {
  frame: number | null;
  fps: number | null;
  outTimeMs: number | null;
  totalSize: number | null;
  speed: number | null;
  ended: boolean;
}

/**
 * Reads `-progress` line by line; calls back once per block. Values are often 'N/A', and the first out_time of a run may
 * be negative or the smallest 64-bit number.
 */
export function progressParser(onBlock: (block: ProgressBlock) => void): (line: string) => void {
  let values: Record<string, string> = {};
  return (line) => {
    const at = line.indexOf('=');
    if (at < 1) return;
    const [key, value] = [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    if (key !== 'progress') {
      values[key] = value;
      return;
    }
    onBlock(blockOf(values, value === 'end'));
    values = {};
  };
}

function blockOf(values: Record<string, string>, ended: boolean): ProgressBlock {
  // out_time_us is microseconds; so is out_time_ms, an old mistake of ffmpeg's
  const micros = amount(values['out_time_us'] ?? values['out_time_ms']);
  return {
    frame: amount(values['frame']),
    fps: amount(values['fps']),
    outTimeMs: micros === null ? null : micros / 1000,
    totalSize: amount(values['total_size']),
    speed: amount(values['speed']?.replace(/x$/, '')),
    ended,
  };
}

function amount(value: string | undefined): number | null {
  const n = value === undefined || value === '' ? Number.NaN : Number(value);
  return Number.isFinite(n) && n >= 0 ? n : null;
}

/** Muxers hold back the first megabytes and encoders the first seconds: before this, a projection is far too small. */
const TELLING_BYTES = 4 * 1024 * 1024;

/** What to show of a block. Percent never goes back and is never over 99: done is when the process has ended well. */
export function progressOf(block: ProgressBlock, run: { durationMs: number | null; lastPercent: number; paused: boolean }): EncodeProgress {
  const share = run.durationMs && block.outTimeMs !== null ? Math.min(1, block.outTimeMs / run.durationMs) : 0;
  const percent = Math.max(run.lastPercent, Math.min(99, share * 100));
  const speed = block.speed === 0 ? null : block.speed;
  return {
    percent,
    fps: block.fps === 0 ? null : block.fps,
    speed,
    leftMs:
      run.durationMs && speed && block.outTimeMs !== null ? Math.max(0, Math.round((run.durationMs - block.outTimeMs) / speed)) : null,
    outputBytes: block.totalSize,
    expectedBytes: share >= 0.05 && block.totalSize && block.totalSize >= TELLING_BYTES ? Math.round(block.totalSize / share) : null,
    paused: run.paused,
  };
}
