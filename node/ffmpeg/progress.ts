/** Live numbers of a run; percent 0…99 until it has ended, times in milliseconds. */
export interface EncodeProgress {
  percent: number;
  fps: number | null;
  speed: number | null;
  leftMs: number | null;
  outputBytes: number | null;
  expectedBytes: number | null;
  paused: boolean;
}
