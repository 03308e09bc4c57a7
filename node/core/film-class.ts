/**
 * Films that shrink alike and take alike: of one codec, one size of picture, one kind of HDR and one bit depth. A key is
 * stored with what was measured, so what it is made of may be added to and never changed.
 */
export interface FilmClass {
  /** ffprobe's name; '' until a file was looked into */
  codec: string;
  lines: Lines;
  hdr: string | null;
  bitDepth: number | null;
}

export const lineBands = [
  { name: 'sd', upTo: 576 },
  { name: '720p', upTo: 800 },
  { name: '1080p', upTo: 1200 },
  { name: '2160p', upTo: null },
] as const;
export type Lines = (typeof lineBands)[number]['name'] | 'unknown';

/** A cropped or an upright picture counts with those that it was made like: 1920×800 is 1080p. */
export function linesOf(width: number | null, height: number | null): Lines {
  if (!width || !height) return 'unknown';
  const lines = Math.max(Math.min(width, height), (Math.max(width, height) * 9) / 16);
  return lineBands.find((band) => band.upTo === null || lines <= band.upTo)!.name;
}

/** The class of one file, from its columns. */
export function classOfFile(file: {
  codec: string | null;
  width: number | null;
  height: number | null;
  hdr: string | null;
  bitDepth: number | null;
}): string {
  const { codec, width, height, hdr, bitDepth } = file;
  return classKey({ codec: codec ?? '', lines: linesOf(width, height), hdr, bitDepth });
}

/** "h264 1080p sdr 8bit" */
export function classKey({ codec, lines, hdr, bitDepth }: FilmClass): string {
  return [codec || 'none', lines, hdr ?? 'sdr', `${bitDepth ?? 8}bit`].join(' ').slice(0, 100);
}
