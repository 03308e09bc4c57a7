import type { FfmpegTold } from '../../core/ffmpeg-choice.ts';
import { ffmpegsInWords, type FfmpegWords, type HoleWords } from '../../core/ffmpeg-words.ts';
import { plural } from '../format.ts';

/** The table "ffmpeg on this machine". */
export interface FfmpegTable {
  lines: FfmpegLine[];
  refused: string;
  better: string;
}

export interface FfmpegLine extends Omit<FfmpegWords, 'holes'> {
  /** those that a person should heed */
  warned: HoleWords[];
  /** the others, in one line that opens */
  calm: HoleWords[];
  calmText: string;
}

/** Null for a machine of an older version, which does not tell. */
export function ffmpegTable(told: FfmpegTold | null | undefined): FfmpegTable | null {
  if (!told || told.builds.length === 0) return null;
  const { all, refused, better } = ffmpegsInWords(told);
  return { lines: all.map(lineOf), refused, better };
}

/** Why a machine opens no film, a sentence; '' when it does, or does not tell. */
export function refusedFfmpeg({ ffmpeg }: { ffmpeg?: FfmpegTold | null }): string {
  return ffmpegTable(ffmpeg)?.refused ?? '';
}

function lineOf({ holes, ...words }: FfmpegWords): FfmpegLine {
  const calm = holes.filter((hole) => hole.tone === 'calm');
  return {
    ...words,
    warned: holes.filter((hole) => hole.tone !== 'calm'),
    calm,
    calmText: calm.length === 0 ? '' : `${plural(calm.length, 'known hole')} that no film reaches here, or that may be mended`,
  };
}
