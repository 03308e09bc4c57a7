import { PlainError } from '../errors.ts';
import type { Reason } from '../core/reasons.ts';

/** A run of ffmpeg or ffprobe that went wrong, with everything needed to repeat it by hand. */
export class ToolError extends PlainError {
  override name = 'ToolError';
  readonly command: string[];
  /** at most 32 KB */
  readonly stderrTail: string;
  readonly exitCode: number | null;
  readonly killedBy: string | null;

  constructor(
    message: string,
    run: { command: string[]; stderrTail: string; exitCode: number | null; killedBy: string | null },
    options: { cause?: unknown; reason?: Reason; retry?: boolean } = {},
  ) {
    super(message, options);
    this.command = run.command;
    this.stderrTail = run.stderrTail;
    this.exitCode = run.exitCode;
    this.killedBy = run.killedBy;
  }
}
