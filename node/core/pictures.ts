import type { VideoStream } from './media.ts';

/** Frames of an original beside those of its output, for a person to compare; and what of it crosses the network. */
export const sides = ['before', 'after'] as const;
export type Side = (typeof sides)[number];

export const MAX_PAIRS = 5;
/** of one picture; with base64 it still fits a message */
export const MAX_PICTURE_BYTES = 150 * 1024;
/** columns of a film's colour strip, three bytes each */
export const MAX_COLUMNS = 240;

/** Where in the film, as a share of its length: in this order, so that what was taken is spread when time runs out. */
export const places: readonly number[] = [0.5, 0.1, 0.9, 0.3, 0.7];

const LONGEST_SIDE = 1280;

/** The size of a comparison frame: turned and stretched as a player shows it, and no larger than a page can use. */
export function pictureSize(film: Pick<VideoStream, 'width' | 'height' | 'sampleAspectRatio' | 'rotation'>): {
  width: number;
  height: number;
} {
  const stretched = film.width * pixelShape(film.sampleAspectRatio);
  const [width, height] = film.rotation % 180 === 90 ? [film.height, stretched] : [stretched, film.height];
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height, 1));
  const even = (side: number): number => Math.max(2, Math.round((side * scale) / 2) * 2);
  return { width: even(width), height: even(height) };
}

/** Absurd shapes are those of a broken header. */
function pixelShape(ratio: string | null): number {
  const [, wide, high] = /^(\d{1,6})[:/](\d{1,6})$/.exec(ratio ?? '') ?? [];
  const shape = Number(wide) / Number(high);
  return Number.isFinite(shape) && shape >= 0.1 && shape <= 10 ? shape : 1;
}

/** Does this begin as a JPEG does? Nothing else is ever shown as a picture. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes.length > 4 && bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}
