import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tools } from '../ffmpeg/locate.ts';

/** The real ffmpeg of this machine under another version, with its ffprobe beside it. Writing it again is an upgrade. */
export function agedFfmpeg(real: Tools, folder: string, version: string): string {
  mkdirSync(folder, { recursive: true });
  const program = join(folder, 'ffmpeg');
  const rename = `sed 's/^ffmpeg version [^ ]*/ffmpeg version ${version}/'`;
  writeFileSync(
    program,
    `#!/bin/sh\ncase "$*" in *-version*) '${real.ffmpeg.path}' "$@" | ${rename} ;; *) exec '${real.ffmpeg.path}' "$@" ;; esac\n`,
  );
  chmodSync(program, 0o755);
  try {
    symlinkSync(real.ffprobe.path, join(folder, 'ffprobe'));
  } catch {
    // it is there from before
  }
  return program;
}
