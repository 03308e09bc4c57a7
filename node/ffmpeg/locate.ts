import type { Cage } from './sandbox.ts';

/** One usable program: it ran and said its version. */
export interface Tool {
  name: 'ffmpeg' | 'ffprobe';
  /** absolute */
  path: string;
  /** as the program says it, for example "5.1.9-0+deb12u1" */
  version: string;
  /** [5, 1, 9]; null when the version is not a number (a git build) */
  release: number[] | null;
  from: 'configured' | 'system' | 'bundled';
}

/** Everything this room needs to run ffmpeg: found once at start, handed to every function. */
export interface Tools {
  ffmpeg: Tool;
  ffprobe: Tool;
  /** null: no sandbox on this machine, `cageProblem` says why */
  cage: Cage | null;
  cageProblem: string | null;
}

export interface LocateOptions {
  configured?: { ffmpeg?: string | undefined; ffprobe?: string | undefined };
  /** where an executable copy of a bundled tool may be kept when node_modules is read-only */
  cacheDir?: string;
  signal?: AbortSignal;
}

/** @throws PlainError in one sentence with the way to get ffmpeg on this platform */
export declare function locateTools(options?: LocateOptions): Promise<Tools>;
