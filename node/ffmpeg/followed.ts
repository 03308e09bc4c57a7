import { reason } from '../core/reasons.ts';
import { start, ToolError, type Ended, type RunRequest } from './process.ts';
import type { TranscodeControl } from './transcode.ts';

export interface FollowedRun extends Omit<RunRequest, 'onErrorLine' | 'timeoutMs'> {
  /** obeys pause and resume */
  control?: TranscodeControl | undefined;
  /** not a word on stdout or stderr for so long while not paused: reason 'stalled' */
  stallMs: number;
  onErrorLine?: (line: string) => void;
}

/**
 * A run of unknown length that talks while it works: it may take as long as it likes, but not fall silent.
 * @throws ToolError, or the signal's reason
 */
export async function runFollowed(request: FollowedRun): Promise<Ended> {
  const { control, stallMs } = request;
  const running = start({
    ...request,
    onLine: (line) => {
      timer.refresh();
      request.onLine?.(line);
    },
    onErrorLine: (line) => {
      timer.refresh();
      request.onErrorLine?.(line);
    },
  });
  const seconds = Math.round(stallMs / 1000);
  const stalled = (ended: Ended): ToolError =>
    new ToolError(`ffmpeg did nothing for ${seconds} seconds while it should ${request.what}, and was ended.`, ended, {
      reason: reason('stalled', { seconds }),
      retry: true,
    });
  const timer = setTimeout(() => {
    if (control?.paused) timer.refresh();
    else running.stop(stalled);
  }, stallMs);
  const obey = (paused: boolean): void => {
    if (paused) running.pause();
    else running.resume();
    timer.refresh();
  };
  const unlisten = control?.onChange(obey);
  if (control?.paused) obey(true);
  try {
    return await running.done;
  } finally {
    clearTimeout(timer);
    unlisten?.();
  }
}
