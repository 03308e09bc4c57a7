import { expectedBytes, videoBitrate } from './estimate.ts';
import { filmStreams, type Probe } from './media.ts';
import type { Profile } from './profile.ts';

/**
 * Measuring what a film would become by encoding short pieces of it: how many and from where, and what follows from them
 * for the whole film. A person asked for it, and no more than this is ever tried at once.
 */
export const MOST_CLASSES = 8;
export const FILMS_PER_CLASS = 3;
export const PIECES_PER_FILM = 3;
export const PIECE_MS = 5000;

/** Share of the bytes of a library that its measured classes shall cover. */
const ENOUGH = 0.95;

/** What of a profile decides how large an output becomes; samples of another wish say nothing. At most 100 characters. */
export function wishKey(profile: Pick<Profile, 'codec' | 'target' | 'quality' | 'speed' | 'tenBit' | 'encoder'>): string {
  const { codec, target, quality, speed, tenBit, encoder } = profile;
  return [codec ?? 'hevc', target === 'number' || !target ? `q${quality}` : target, speed, tenBit ? '10bit' : '8bit', encoder].join(' ');
}

/** Where pieces are taken out: away from both ends, where titles and credits are. Null when the film is too short for one. */
export function planPieces(durationMs: number): { places: number[]; count: number; lengthMs: number } | null {
  if (!(durationMs >= 2 * PIECE_MS)) return null;
  const count = Math.min(PIECES_PER_FILM, Math.floor(durationMs / (2 * PIECE_MS)));
  const at = (share: number): number => Math.round((durationMs - PIECE_MS) * (0.06 + 0.88 * share));
  const middles = Array.from({ length: count }, (_, n) => at((n + 0.5) / count));
  // further ones for those that show nothing
  const between = Array.from({ length: count - 1 }, (_, n) => at((n + 1) / count));
  return { places: [...middles, ...between], count, lengthMs: PIECE_MS };
}

/**
 * What the whole film would weigh, in bytes: its pictures shrink as those of the pieces did, everything else stays. And
 * what the general table says of the same film, so that the two can be compared.
 */
export function wholeFilm(
  probe: Probe,
  profile: Pick<Profile, 'quality' | 'speed' | 'codec'>,
  pieces: { sourceBytes: number; outputBytes: number },
): { measuredBytes: number; guessedBytes: number } {
  const film = filmStreams(probe)[0];
  const guessedBytes = expectedBytes(probe, profile);
  if (!film || pieces.sourceBytes <= 0) return { measuredBytes: guessedBytes, guessedBytes };
  const pictures = Math.min(probe.sizeBytes, (videoBitrate(probe, film) * (probe.durationMs ?? 0)) / 8000);
  const share = Math.min(4, pieces.outputBytes / pieces.sourceBytes);
  return { measuredBytes: Math.round(probe.sizeBytes - pictures + pictures * share), guessedBytes };
}

/** Which classes to measure, the heaviest first, and how many films of each are still to be tried. */
export function classesToMeasure<C extends { key: string; files: number; bytes: number }>(
  classes: readonly C[],
  filmsMeasured: ReadonlyMap<string, number>,
): (C & { films: number })[] {
  const all = classes.reduce((sum, one) => sum + one.bytes, 0);
  let covered = 0;
  const large: C[] = [];
  for (const one of classes.toSorted((a, b) => b.bytes - a.bytes || (a.key < b.key ? -1 : 1))) {
    if (large.length >= MOST_CLASSES || covered >= all * ENOUGH) break;
    large.push(one);
    covered += one.bytes;
  }
  return large
    .map((one) => ({ ...one, films: Math.min(one.files, FILMS_PER_CLASS) - (filmsMeasured.get(one.key) ?? 0) }))
    .filter((one) => one.films > 0);
}
