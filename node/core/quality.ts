/**
 * How alike two pieces of film are, by one of three judges. The numbers of different judges are not to be compared;
 * `goals` says which of each mean the same to a person.
 */
export const metrics = ['vmaf', 'xpsnr', 'ssim'] as const;
export type Metric = (typeof metrics)[number];

export interface QualityScore {
  metric: Metric;
  /** of all pieces, each weighing the same */
  mean: number;
  /** the lowest piece */
  worst: number;
  pieces: PieceScore[];
}

export interface PieceScore {
  atMs: number;
  /** vmaf 0…100, xpsnr in decibels up to 100, ssim 0…1; both last of the luma */
  score: number;
  /** what no judge of luma detail sees; such a piece has the score 0 */
  wrong: 'brightness' | 'colour' | null;
}
