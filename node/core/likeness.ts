/**
 * Is this the same film, picture by picture? Whether an encode looks good is another question (a score answers it): a copy
 * of a grainy film at a low quality scores worse than one whose pictures come five frames late. So pieces of both films are
 * made as small as thumbnails, where grain and blocks average out and what remains is what is shown, and two things are
 * asked: how far the picture is from the original's at the same place, and whether it fits another place of the piece better.
 *
 *   black, green, half decoded, another film ─▶ far from the original, or not nearer to it than a plain grey would be
 *   frozen, shifted, frames in another order ─▶ a picture of another moment fits better
 *
 * All figures are levels of 255. ffmpeg/likeness.test.ts holds them to real encodes, good and bad ones.
 */

/** Brightness in full, colour at half in both directions: what `format=yuv420p` gives at this size. */
export const thumb = { width: 64, height: 36, bytes: 64 * 36 + 2 * 32 * 18 } as const;

/** What was found in one piece of film. */
export interface PieceFinding {
  /** from the film's start */
  atMs: number;
  /** pictures of the original that were looked at; 0: it could not show any here */
  pictures: number;
  /** pictures of the output there */
  shown: number;
  /** how far the output's pictures are from the original's at their own place: the mean */
  difference: number;
  /** of the picture that differs most, its worst of sixteen fields */
  worst: number;
  /** how far they are from the picture of the original that fits best, wherever in the piece it is */
  elsewhere: number;
  /** how far the whole piece would be if it were moved by more than the slack: the mean at the move that fits best */
  moved: number;
  /** how much there is to see: the mean distance of the original's points from their mean */
  contrast: number;
}

/** Of two decoders' clocks: rounded times may move a piece by a frame or two. */
const SLACK = [0, -1, 1, -2, 2];
const MOVES = Array.from({ length: 13 }, (_, i) => [i + 3, -i - 3]).flat();

/** Compares the thumbnails of one piece, in order of time. */
export function comparePiece(atMs: number, original: readonly Uint8Array[], output: readonly Uint8Array[]): PieceFinding {
  const finding = { atMs, pictures: original.length, shown: output.length, difference: 255, worst: 255, elsewhere: 255, moved: 255 };
  if (original.length === 0) return { ...finding, contrast: 0 };
  const contrast = mean(original.map(contrastOf));
  if (output.length === 0) return { ...finding, contrast };
  const costs = output.map((made) => original.map((was) => distance(was, made)));
  const own = bestOf(SLACK, costs, original.length).pairs;
  return {
    ...finding,
    difference: mean(own.map(([was, made]) => costs[made]![was]!)),
    worst: Math.max(...own.map(([was, made]) => worstField(original[was]!, output[made]!))),
    elsewhere: mean(own.map(([, made]) => Math.min(...costs[made]!))),
    moved: bestOf(MOVES, costs, original.length).cost,
    contrast,
  };
}

export type PictureFault = 'missing' | 'other-pictures' | 'part-differs' | 'other-moment';

/** Farther than this from the original is another picture, in the mean and in one field. */
const FAR = 8;
const FIELD_FAR = 32;
/** With less than this to see, black and a dark scene are one. */
const LITTLE_TO_SEE = 2;

/** What is wrong with a piece; null when it shows the same film. Null too when the original itself shows nothing there. */
export function pictureFault(piece: PieceFinding): PictureFault | null {
  if (piece.pictures === 0) return null;
  if (piece.shown === 0) return 'missing';
  if (piece.difference > FAR) return 'other-pictures';
  if (piece.contrast > LITTLE_TO_SEE && piece.difference > 0.75 * piece.contrast) return 'other-pictures';
  if (piece.worst > FIELD_FAR) return 'part-differs';
  const elsewhere = piece.difference > 2 * piece.elsewhere + 0.5;
  // a frozen or stammering picture fits some picture of the piece; one that is late fits when the whole piece is moved
  return elsewhere || piece.difference > 1.2 * piece.moved + 0.15 ? 'other-moment' : null;
}

/** A piece is at most so long, and at most so many pictures. */
export const PIECE_MS = 2000;
export const PIECE_PICTURES = 40;
const FEW = 3;
const EVERY_MS = 30_000;
/** ten hours of film */
const MOST_PIECES = 1200;

/** Where pieces of film are looked at, in ms: always a few; `thorough`: one in every half minute, so that no minute goes unseen. */
export function piecesOf(durationMs: number, thorough: boolean): number[] {
  const wanted = thorough ? Math.min(MOST_PIECES, Math.max(5, Math.ceil(durationMs / EVERY_MS))) : FEW;
  const room = Math.max(0, durationMs - PIECE_MS);
  const count = Math.max(1, Math.min(wanted, Math.floor(durationMs / (2 * PIECE_MS))));
  return Array.from({ length: count }, (_, i) => Math.round((room * (i + 0.5)) / count));
}

/** Cuts what ffmpeg wrote into thumbnails; a torn last one is left out. */
export function thumbsOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.floor(bytes.length / thumb.bytes) }, (_, i) => bytes.subarray(i * thumb.bytes, (i + 1) * thumb.bytes));
}

/** The move of the whole piece that fits best, the first of equals; half of it at least must still meet. */
function bestOf(moves: number[], costs: number[][], pictures: number): { cost: number; pairs: [number, number][] } {
  let best: { cost: number; pairs: [number, number][] } = { cost: Infinity, pairs: [] };
  for (const move of moves) {
    const met = pairs(move, pictures, costs.length);
    if (met.length === 0 || met.length < Math.min(pictures, costs.length) / 2) continue;
    const cost = mean(met.map(([was, made]) => costs[made]![was]!));
    if (cost < best.cost - 1e-9) best = { cost, pairs: met };
  }
  return best.pairs.length > 0 ? best : { cost: 255, pairs: pairs(0, pictures, costs.length) };
}

/** [original, output] by number */
function pairs(shift: number, pictures: number, shown: number): [number, number][] {
  const all = Array.from({ length: shown }, (_, made): [number, number] => [made + shift, made]);
  return all.filter(([was]) => was >= 0 && was < pictures);
}

const LUMA = thumb.width * thumb.height;
const CHROMA = LUMA / 4;

/** Brightness and each of the two colours counts by itself: a green picture of the right brightness is far away. */
function distance(a: Uint8Array, b: Uint8Array): number {
  return Math.max(apart(a, b, 0, LUMA), apart(a, b, LUMA, LUMA + CHROMA), apart(a, b, LUMA + CHROMA, thumb.bytes));
}

function apart(a: Uint8Array, b: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / (to - from);
}

/** Brightness only, in four by four fields. */
function worstField(a: Uint8Array, b: Uint8Array): number {
  const sums = new Float64Array(16);
  for (let y = 0; y < thumb.height; y++)
    for (let x = 0; x < thumb.width; x++) {
      const i = y * thumb.width + x;
      sums[Math.floor((y * 4) / thumb.height) * 4 + Math.floor((x * 4) / thumb.width)]! += Math.abs(a[i]! - b[i]!);
    }
  return Math.max(...sums) / (LUMA / 16);
}

function contrastOf(picture: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < LUMA; i++) total += picture[i]!;
  const middle = total / LUMA;
  let sum = 0;
  for (let i = 0; i < LUMA; i++) sum += Math.abs(picture[i]! - middle);
  return sum / LUMA;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}
