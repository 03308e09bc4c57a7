import { encoderNames } from './encoder-choice.ts';
import { compare, holesOf, type Found } from './ffmpeg-holes.ts';
import { seesHdr10plus } from './plan-rules.ts';

/**
 * Which ffmpeg of a machine is used, which would be better and why, and when none may open a film.
 *
 *   found ─▶ usable? ─▶ a person's own, if it works ──────────────┐
 *               └─▶ the best: fewest holes, then what it can do ──┴─▶ has it a serious hole that a film can reach?
 *                                                                      └─ yes, and nobody allowed it: refused
 *
 * What a person configured is never replaced by another one; that a better one is there is said.
 */
export interface FfmpegBuild {
  /** absolute */
  path: string;
  /** 'tools': a folder of that name beside the program or in its data directory */
  from: 'configured' | 'system' | 'tools' | 'bundled';
  /** '' when it did not say one */
  version: string;
  /** null for a nightly build, as Tool.release */
  release: readonly number[] | null;
  year: number | null;
  /** those of our encoders that were compiled in; whether they work is proved by test encodes */
  encoders: readonly string[];
  decodes: { hevc: boolean; av1: boolean };
  /** its libx265 makes 10 bit */
  tenBit: boolean;
  /** filters of ours that were not compiled in */
  lacks: readonly string[];
  /** the ffprobe that goes with it; null when there is none at all */
  ffprobe: FfprobeBuild | null;
  /** why it cannot be used, as a sentence goes on; null when it can */
  problem: string | null;
}

export interface FfprobeBuild {
  path: string;
  version: string;
  release: readonly number[] | null;
  year: number | null;
  /** it lies beside its ffmpeg */
  beside: boolean;
}

/** What a machine tells of its ffmpegs. */
export interface FfmpegTold {
  builds: readonly FfmpegBuild[];
  /** index of the one that it uses */
  used: number | null;
  /** a person lets it use one with a serious hole */
  allowed: boolean;
}

export interface FfmpegChoice {
  /** index of the one that is used; null when none can be */
  used: number | null;
  /** why this one, a sentence */
  why: string;
  /** index of one that would be better than what a person chose, with the reasons; null when there is none */
  better: { index: number; reasons: string[] } | null;
  /** a serious hole for which it opens no film, of ffmpeg or of its ffprobe; null: films may be opened */
  refused: { hole: string; says: string } | null;
}

/** Filters of ours beyond the plainest ones, and what is lost without them. */
export const wantedFilters: Readonly<Record<string, string>> = {
  libvmaf: 'quality is measured by SSIM instead of VMAF',
  zscale: 'comparison pictures of HDR films look pale',
  bwdif: 'interlaced films cannot be deinterlaced',
};

/**
 * @param allowed a person lets an ffmpeg with a serious hole be used
 * @param stay index of the one that is in use already and shall stay so; left out: chosen anew
 */
export function chooseFfmpeg(builds: readonly FfmpegBuild[], options: { allowed: boolean; stay?: number | undefined }): FfmpegChoice {
  const order = ranked(builds);
  const best = order[0];
  if (best === undefined) return { used: null, why: 'No ffmpeg that can make HEVC was found.', better: null, refused: null };
  const own = builds.findIndex((build) => build.from === 'configured' && build.problem === null);
  const used = own >= 0 ? own : (options.stay ?? best);
  const reasons = used === best ? [] : advantages(builds[best]!, builds[used]!);
  return {
    used,
    why: whyOf(builds, order, used),
    better: reasons.length > 0 ? { index: best, reasons } : null,
    refused: options.allowed ? null : refusalOf(builds[used]!),
  };
}

/** Indices of the usable ones, the best first. */
export function ranked(builds: readonly FfmpegBuild[]): number[] {
  const marks = builds.map(marksOf);
  return builds
    .map((_, index) => index)
    .filter((index) => builds[index]!.problem === null)
    .sort((a, b) => firstDifference(marks[b]!, marks[a]!) || newer(builds[b]!, builds[a]!) || a - b);
}

/** Holes of a build and of the ffprobe that goes with it: both open films. Each once. */
export function holesOfBuild(build: FfmpegBuild): Found[] {
  const both = [...holesOf(build), ...(build.ffprobe && build.ffprobe.version !== build.version ? holesOf(build.ffprobe) : [])];
  return both.filter((found, index) => both.findIndex((other) => other.hole.id === found.hole.id) === index);
}

export function hardwareEncoders(build: FfmpegBuild): string[] {
  return build.encoders.filter((name) => !name.startsWith('lib') && (encoderNames as readonly string[]).includes(name));
}

/** What makes one better than another, the weightiest first; more is better. */
const criteria: readonly { mark: (build: FfmpegBuild) => number; says: (build: FfmpegBuild, than: FfmpegBuild) => string }[] = [
  { mark: (b) => -danger(b), says: (b, than) => holesWords(b, than) },
  { mark: (b) => Number(b.tenBit), says: () => 'it makes 10 bit by software' },
  {
    mark: (b) => Number(b.ffprobe !== null && seesHdr10plus(b.ffprobe.version)),
    says: (b) => `its ffprobe ${b.ffprobe?.version ?? ''} sees HDR10+`,
  },
  { mark: (b) => Number(b.decodes.av1), says: () => 'it reads AV1 films' },
  { mark: (b) => Number(!b.lacks.includes('libvmaf')), says: () => 'it measures quality by VMAF' },
  { mark: (b) => Number(b.encoders.includes('libsvtav1')), says: () => 'it makes AV1 by software' },
  {
    mark: (b) => hardwareEncoders(b).length,
    says: (b, than) => `it knows ${list(hardwareEncoders(b).filter((name) => !than.encoders.includes(name)))}`,
  },
  { mark: (b) => -b.lacks.length, says: (b, than) => `it has the filter ${list(than.lacks.filter((name) => !b.lacks.includes(name)))}` },
];

/** 4: a film can run code by it · 3: a film can do less harm · 2: holes that are kept closed · 1: may have been mended · 0: none known. */
export function danger(build: FfmpegBuild): number {
  return Math.max(0, ...holesOfBuild(build).map(({ hole, has, open }) => (has === 'maybe' ? 1 : !open ? 2 : hole.serious ? 4 : 3)));
}

function marksOf(build: FfmpegBuild): number[] {
  return criteria.map(({ mark }) => mark(build));
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((mark, index) => mark !== b[index]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

function newer(a: FfmpegBuild, b: FfmpegBuild): number {
  return a.release && b.release ? compare(a.release, b.release) : 0;
}

/** In what `a` is better than `b`, as far as it is worth a change; what is worse in it does not matter behind a weightier reason. */
function advantages(a: FfmpegBuild, b: FfmpegBuild): string[] {
  if (firstDifference(marksOf(a), marksOf(b)) <= 0) return [];
  return criteria.filter(({ mark }) => mark(a) > mark(b)).map(({ says }) => says(a, b));
}

function holesWords(a: FfmpegBuild, than: FfmpegBuild): string {
  const sure = (build: FfmpegBuild): string[] => holesOfBuild(build).flatMap(({ hole, has }) => (has === 'yes' ? [hole.id] : []));
  const mine = sure(a);
  const theirs = sure(than).filter((id) => !mine.includes(id));
  if (theirs.length === 0) return 'less is known against it';
  const ids = list(theirs.length > 3 ? [...theirs.slice(0, 2), `${theirs.length - 2} more`] : theirs);
  return danger(a) === 1 ? `what it may have of ${ids} may be mended` : `it is free of ${ids}`;
}

function whyOf(builds: readonly FfmpegBuild[], order: readonly number[], used: number): string {
  const build = builds[used]!;
  if (build.from === 'configured') return 'It is the one that was configured.';
  const others = order.filter((index) => index !== used);
  if (others.length === 0) return 'It is the only one here that can be used.';
  if (used !== order[0]) return 'It was chosen when the program started.';
  const reasons = advantages(build, builds[others[0]!]!);
  if (reasons.length > 0) return `It is the best here: ${list(reasons)}.`;
  return `It can do as much as the others and is ${newer(build, builds[others[0]!]!) > 0 ? 'the newest' : 'found first'}.`;
}

function refusalOf(build: FfmpegBuild): FfmpegChoice['refused'] {
  const found = holesOfBuild(build).find(({ hole, has, open }) => hole.serious && open && has === 'yes');
  if (!found) return null;
  const { id, lets, mended } = found.hole;
  const mine = holesOf(build).some(({ hole, has }) => hole.id === id && has === 'yes');
  const who =
    mine || !build.ffprobe ? `ffmpeg ${build.version} at ${build.path}` : `ffprobe ${build.ffprobe.version} at ${build.ffprobe.path}`;
  const from = mended.map((release) => `${release[0]}.${release[1]}${release[2] > 0 ? `.${release[2]}` : ''}`);
  return {
    hole: id,
    says: `${who} has the hole ${id}, by which ${lets}. It is mended in ${list(from, 'or')}.`,
  };
}

function list(items: readonly string[], last = 'and'): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)!}`;
}
