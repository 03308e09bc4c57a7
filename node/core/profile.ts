/**
 * A profile is a person's encoding wishes for one library: what to make, how good, what to leave alone.
 * It is stored with the library, copied into each job when the job is made, and never holds an ffmpeg argument:
 * a node builds its own command from it.
 */

export interface Profile {
  /** what the film becomes */
  codec: 'hevc' | 'av1';
  /**
   * 'number': `quality` as it stands. Otherwise short samples of each film are encoded and scored until its own setting is
   * found (core/quality.ts); `quality` is where the search begins, and what counts where nothing can be scored.
   */
  target: 'number' | 'visually-lossless' | 'very-good' | 'good';
  /** one number on x265's CRF scale, 18 best to 28 small; every encoder maps it to its own scale */
  quality: number;
  /** how much time to spend per frame */
  speed: 'fast' | 'medium' | 'slow';
  /** encode 8-bit sources as 10 bit: fewer bands in dark scenes, a little smaller */
  tenBit: boolean;
  /** which encoders may be used, in order of preference; 'auto' takes the node's best hardware, then libx265 */
  encoder: 'auto' | 'hardware' | 'software';
  /**
   * how an output is checked before it replaces its original: everything counted and decoded; the pictures compared as well;
   * or all of that by another machine than the one that encoded it, where there is one that sees the library
   */
  verification: 'inventory' | 'pictures' | 'second-look';
  /** the output must be at least this much smaller than the original, in percent, or the original stays */
  minSavingPercent: number;
  /** files with fewer bits per pixel than this are left alone as already efficient; 0 switches the rule off */
  minBitsPerPixel: number;
  minSizeMb: number;
  /** 0 means every size */
  maxSizeMb: number;
  minDurationSeconds: number;
  /** a file waits until nothing about it changed for so long; 0 means not at all */
  minAgeHours: number;
  /** keep: encode field by field is not offered; 'skip' leaves such files alone, 'deinterlace' makes them progressive */
  interlaced: 'skip' | 'deinterlace';
  /** Dolby Vision and HDR10+ are always skipped; this rule is for plain HDR10 and HLG */
  hdr: 'keep' | 'skip';
  /** files that have further hard links (seeding, snapshots): replacing one name frees nothing and parts the copies */
  hardLinked: 'skip' | 'replace';
  /** other efficient codecs that count as finished beside HEVC */
  alsoEfficient: ('av1' | 'vp9' | 'vvc')[];
  /** HEVC in a container that players dislike (AVI, TS) may be re-wrapped without touching the pictures */
  remux: boolean;
  /** glob patterns over the path inside the library: only files matching one are looked at; empty means all */
  include: string[];
  /** a file matching one of these is left alone, whatever `include` says */
  exclude: string[];
}

export const defaultProfile: Profile = {
  codec: 'hevc',
  target: 'number',
  quality: 22,
  speed: 'medium',
  tenBit: true,
  encoder: 'auto',
  verification: 'inventory',
  minSavingPercent: 10,
  minBitsPerPixel: 0.04,
  minSizeMb: 0,
  maxSizeMb: 0,
  minDurationSeconds: 0,
  minAgeHours: 0,
  interlaced: 'skip',
  hdr: 'keep',
  hardLinked: 'skip',
  alsoEfficient: ['av1', 'vp9', 'vvc'],
  remux: false,
  include: [],
  exclude: [],
};
