import { allowedDecoders, allowedFormats } from './allowed-media.ts';

/**
 * Holes of ffmpeg that are publicly known, and whether a build has them. Versions say less than they seem to:
 * distributions mend a hole without changing the number, and a build between two releases has mended some of them. So a
 * build has a hole, has not, or may have it; and a hole in a part that CodecShift never lets ffmpeg open is closed,
 * whatever the version.
 *
 * The list holds what a film could do on this machine: run code, or write where it must not. It is as old as this
 * version of CodecShift and names only holes whose first mended release is known; it proves nobody safe.
 */
export interface Hole {
  /** CVE number */
  id: string;
  /** completes "a hole by which …" */
  lets: string;
  /** what ffmpeg has to be let open for it, by ffmpeg's own names */
  through: { demuxer: string } | { decoder: string } | { hardware: string };
  /** in words, for people */
  part: string;
  /** code can be run, or memory be overwritten, by whoever made the film: never opened with it unless a person says so */
  serious: boolean;
  /** the first release that has it; null: all of old */
  since: Release | null;
  /** the first release of each branch that has it no more; a branch that is not named never mended it */
  mended: readonly Release[];
  /** a build of the newest source has it from about `since` (early rather than late) until the day it was mended */
  days: { since: string | null; mended: string };
  /** mended by a distribution under an older number, as its own version says it */
  distributions?: readonly { release: Release; revision: RegExp; atLeast: number }[];
}

export type Release = readonly [major: number, minor: number, patch: number];

export const knownHoles: readonly Hole[] = [
  {
    // "PixelSmash". JFrog, June 2026; releases by jellyfin-ffmpeg #730 and Mastodon 4.6.2; deepin's 6.1.5-0deepin3 by its #33
    id: 'CVE-2026-8461',
    lets: 'a film with MagicYUV pictures runs code of its maker',
    through: { decoder: 'magicyuv' },
    part: 'the decoder of MagicYUV',
    serious: true,
    since: null,
    mended: [
      [5, 1, 10],
      [6, 1, 6],
      [7, 1, 5],
      [8, 0, 3],
      [8, 1, 2],
    ],
    days: { since: null, mended: '2026-06-17' },
    distributions: [{ release: [6, 1, 5], revision: /^0deepin(\d+)$/, atLeast: 3 }],
  },
  {
    // CVE record: 2.1 to 8.1.2, mended in dbd495f066
    id: 'CVE-2026-64830',
    lets: 'a VobSub subtitle file overwrites memory',
    through: { demuxer: 'vobsub' },
    part: 'the reader of VobSub files',
    serious: true,
    since: [2, 1, 0],
    mended: [[8, 1, 3]],
    days: { since: '2013-01-01', mended: '2026-06-30' },
  },
  {
    // CVE record: 0.5 to before 9.0, mended in 93f2a525ec; reached by one huge packet, which only WTV's reader hands over
    id: 'CVE-2026-70628',
    lets: 'a WTV recording with DVB subtitles overwrites memory',
    through: { demuxer: 'wtv' },
    part: 'the reader of WTV recordings',
    serious: true,
    since: null,
    mended: [[9, 0, 0]],
    days: { since: null, mended: '2026-07-24' },
  },
  {
    // CVE record: 2.7 to 8.1.2, mended in fd3ee52fab
    id: 'CVE-2026-65703',
    lets: 'a film with TDSC pictures overwrites memory',
    through: { decoder: 'tdsc' },
    part: 'the decoder of TDSC',
    serious: true,
    since: [2, 7, 0],
    mended: [[8, 1, 3]],
    days: { since: '2015-01-01', mended: '2026-07-13' },
  },
  {
    // CVE record: 4.4 to 8.1.2, mended in 4c6217477f
    id: 'CVE-2026-64832',
    lets: 'a film that is decoded by an NVIDIA card frees memory twice',
    through: { hardware: 'nvdec' },
    part: 'decoding by NVIDIA cards',
    serious: true,
    since: [4, 4, 0],
    mended: [[8, 1, 3]],
    days: { since: '2020-06-01', mended: '2026-07-04' },
  },
  {
    // CVE record: 4.1 to before 8.1, rated 4.9 of 10; 5.1.9 mends it by its own changelog ("use 64bit in CENC subsample bounds checks")
    id: 'CVE-2026-40962',
    lets: 'an encrypted MP4 overwrites a little memory',
    through: { demuxer: 'mov' },
    part: 'the reader of MP4 and MOV',
    serious: false,
    since: [4, 1, 0],
    mended: [
      [5, 1, 9],
      [8, 1, 0],
    ],
    days: { since: '2018-04-20', mended: '2026-04-16' },
  },
  {
    // CVE record: since 5.1, rated 9.0 of 10, mended in c953baa084; 5.1.1 has it by its changelog ("Check count sums in build_open_gop_key_points")
    id: 'CVE-2022-2566',
    lets: 'an MP4 runs code of its maker',
    through: { demuxer: 'mov' },
    part: 'the reader of MP4 and MOV',
    serious: true,
    since: [5, 1, 0],
    mended: [[5, 1, 1]],
    days: { since: '2022-01-01', mended: '2022-08-27' },
  },
  {
    // CVE record: 4.0 before 4.0.4 and 4.1 before 4.1.2
    id: 'CVE-2019-11339',
    lets: 'an MPEG-4 film overwrites memory',
    through: { decoder: 'mpeg4' },
    part: 'the decoder of MPEG-4 (DivX, Xvid)',
    serious: true,
    since: [4, 0, 0],
    mended: [
      [4, 0, 4],
      [4, 1, 2],
    ],
    days: { since: '2018-01-01', mended: '2019-04-18' },
  },
];

/** What is known of a build's age. */
export interface BuildAge {
  /** as it says it: "5.1.9-0+deb12u1", "n7.0-7-gd38bf5e08e-20240407", "N-66595-gc2b38619c0-static" */
  version: string;
  /** null for a nightly build */
  release: readonly number[] | null;
  /** the last year in its copyright line */
  year: number | null;
}

export interface Found {
  hole: Hole;
  /** 'maybe': its distributor may have mended it under the old number, or the day of the build is not known */
  has: 'yes' | 'maybe';
  /** some film can reach it through CodecShift */
  open: boolean;
}

/** The holes that a build has or may have; those that a film can reach first. */
export function holesOf(build: BuildAge, holes: readonly Hole[] = knownHoles): Found[] {
  return holes
    .map((hole) => ({ hole, has: hasHole(build, hole), open: isOpen(hole) }))
    .filter((found): found is Found => found.has !== 'no')
    .sort((a, b) => Number(b.open) - Number(a.open) || Number(b.has === 'yes') - Number(a.has === 'yes'));
}

/** Whether CodecShift lets ffmpeg open the part. Films are decoded by the processor alone. */
export function isOpen({ through }: Hole): boolean {
  if ('demuxer' in through) return allowedFormats.includes(through.demuxer);
  return 'decoder' in through && allowedDecoders.includes(through.decoder);
}

/** Who made the build mends holes without a new number: a revision of a package, or a name of its own. */
export function isDistributors(version: string): boolean {
  return /^(?!.*-g[0-9a-f]{7})n?\d+(\.\d+)+-\d/.test(version) || /jellyfin|deb\d|ubuntu|\+rpt|deepin/i.test(version);
}

/** "…-20240407" or "2026-08-03-git-…": the day of a build between releases, as "2024-04-07". */
export function dayOf(version: string): string | null {
  const [, year, month, day] = /(?:^|-)(20\d\d)-?([01]\d)-?([0-3]\d)(?:-|$)/.exec(version) ?? [];
  return year ? `${year}-${month}-${day}` : null;
}

function hasHole(build: BuildAge, hole: Hole): 'yes' | 'maybe' | 'no' {
  const { version, release } = build;
  const day = dayOf(version);
  if (!release) return byDay(day, build.year, hole);
  if (!isAffected(release, hole)) return 'no';
  if (hole.distributions?.some((mended) => isMendedBy(version, release, mended))) return 'no';
  if (isDistributors(version)) return 'maybe';
  // some commits after a release: a branch gets its mends around the day of the newest source
  return day !== null && day >= hole.days.mended ? 'maybe' : 'yes';
}

/** Branch by branch: the first release that is mended there counts; newer branches than the newest mended one never had it. */
function isAffected(release: readonly number[], { since, mended }: Hole): boolean {
  if (since && compare(release, since) < 0) return false;
  const branch = mended.find(([major, minor]) => major === release[0] && minor === (release[1] ?? 0));
  if (branch) return compare(release, branch) < 0;
  return compare(release, newest(mended)) < 0;
}

function byDay(day: string | null, year: number | null, { days }: Hole): 'yes' | 'maybe' | 'no' {
  if (day !== null) return day >= days.mended || (days.since !== null && day < days.since) ? 'no' : 'yes';
  if (year === null) return 'maybe';
  const mended = Number(days.mended.slice(0, 4));
  const since = days.since === null ? 0 : Number(days.since.slice(0, 4));
  if (year > mended || year < since) return 'no';
  return year === mended || year === since ? 'maybe' : 'yes';
}

function isMendedBy(version: string, release: readonly number[], by: NonNullable<Hole['distributions']>[number]): boolean {
  const revision = by.revision.exec(version.slice(version.indexOf('-') + 1))?.[1];
  return revision !== undefined && compare(release, by.release) === 0 && Number(revision) >= by.atLeast;
}

function newest(releases: readonly Release[]): Release {
  return releases.reduce((a, b) => (compare(a, b) < 0 ? b : a));
}

/** Negative when `a` is older. A part that is missing is 0. */
export function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
