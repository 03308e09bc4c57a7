import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';

/** Our encoder families; the names are ffmpeg's own. VideoToolbox makes no AV1. */
export const encoderNames = [
  'libx265',
  'hevc_nvenc',
  'hevc_qsv',
  'hevc_vaapi',
  'hevc_amf',
  'hevc_videotoolbox',
  'libsvtav1',
  'av1_nvenc',
  'av1_qsv',
  'av1_vaapi',
  'av1_amf',
] as const;
export type EncoderName = (typeof encoderNames)[number];

/** What real test encodes said about one encoder on one device of one node. What came later is optional: a node of the version before does not say it. */
export interface EncoderReport extends EncoderRef {
  works: boolean;
  tenBit: boolean;
  hardware: boolean;
  /** why it does not work, or does not work in 10 bit, in words; null when all is well */
  reason: string | null;
  /** ISO 8601 */
  testedAt: string;
  codec?: Profile['codec'] | undefined;
  /** mastering display and light levels came out as they went in */
  hdr10?: boolean | undefined;
  /** B-frames came out; told only of families that do not everywhere make them by themselves */
  bFrames?: boolean | undefined;
  /** so many encodes ran at once before the next was refused; null: no refusal was met */
  atOnce?: number | null | undefined;
  /** "NVIDIA GeForce RTX 4070", as the driver calls it */
  deviceName?: string | null | undefined;
  driver?: string | null | undefined;
  /** ffmpeg and driver together: when this changes, what was learned about the encoder is old */
  build?: string | undefined;
}

/** One encoder on one device. */
export interface EncoderRef {
  name: string;
  /** '/dev/dri/renderD128', or a number for NVENC; null where there is nothing to choose */
  device: string | null;
}

/** The encoder of one attempt. */
export interface EncoderChoice {
  name: EncoderName;
  device: string | null;
  /** proved on this very chip */
  bFrames?: boolean;
}

/** What narrows the choice beyond the profile. */
export interface Narrowing {
  /** the film has mastering data, which the encoder must carry over */
  hdr10?: boolean | undefined;
  /** never to be used now, for example because they made bad output */
  leaveOut?: readonly EncoderRef[] | undefined;
  /** one for each time that an encoder failed with this very file: what failed least often comes first */
  failed?: readonly EncoderRef[] | undefined;
  /** one for each encode that runs on this node now */
  busy?: readonly EncoderRef[] | undefined;
}

/** Hardware families in order of picture quality per bit: what 'auto' and 'hardware' try first. */
const preference: EncoderName[] = [
  'hevc_nvenc',
  'hevc_qsv',
  'hevc_videotoolbox',
  'hevc_vaapi',
  'hevc_amf',
  'libx265',
  'av1_nvenc',
  'av1_qsv',
  'av1_vaapi',
  'av1_amf',
  'libsvtav1',
];

/**
 * Which of a node's proved encoders a profile gets for pictures of this bit depth: what failed least with this file, then
 * the better family, then the device with the least to do, then the first reported. No hardware where the profile insists
 * on it is a refusal, never a silent fall-back to software. Reason 'device-busy' means: wait until an encode ends.
 */
export function chooseEncoder(
  reports: readonly EncoderReport[],
  profile: Pick<Profile, 'encoder'> & { codec?: Profile['codec'] | undefined },
  bitDepth: 8 | 10,
  narrowing: Narrowing = {},
): { choice: EncoderChoice } | { choice: null; reason: Reason } {
  const codec = profile.codec ?? 'hevc';
  const { busy = [], failed = [], leaveOut = [] } = narrowing;
  const able = reports.filter(
    (r) =>
      r.works &&
      isEncoderName(r.name) &&
      codecOf(r.name) === codec &&
      (bitDepth === 8 || r.tenBit) &&
      (!narrowing.hdr10 || keepsHdr10(r)) &&
      allowed(r, profile.encoder) &&
      count(leaveOut, r) === 0,
  );
  if (able.length === 0) return { choice: null, reason: noEncoder(profile.encoder, codec, bitDepth, narrowing.hdr10 ?? false) };
  const free = able.filter((r) => r.atOnce == null || onDevice(busy, r) < r.atOnce);
  const best = free.toSorted(
    (a, b) => count(failed, a) - count(failed, b) || rank(a) - rank(b) || onDevice(busy, a) - onDevice(busy, b),
  )[0];
  if (!best) return { choice: null, reason: { code: 'device-busy' } };
  const choice: EncoderChoice = { name: best.name as EncoderName, device: best.device };
  return { choice: best.bFrames ? { ...choice, bFrames: true } : choice };
}

/** What an encoder of this name makes. */
export function codecOf(name: string): Profile['codec'] {
  return name === 'libsvtav1' || name.startsWith('av1_') ? 'av1' : 'hevc';
}

export function isEncoderName(name: string): name is EncoderName {
  return (encoderNames as readonly string[]).includes(name);
}

/** Two encoders of one chip share its sessions, whichever codec they make. */
export function sameChip(a: EncoderRef, b: EncoderRef): boolean {
  return engineOf(a.name) === engineOf(b.name) && a.device === b.device;
}

function onDevice(busy: readonly EncoderRef[], report: EncoderRef): number {
  return busy.filter((run) => sameChip(run, report)).length;
}

function engineOf(name: string): string {
  return name.replace(/^(hevc|av1)_/, '');
}

function count(refs: readonly EncoderRef[], report: EncoderRef): number {
  return refs.filter((ref) => ref.name === report.name && ref.device === report.device).length;
}

/** A node of the version before tells nothing; of its encoders only libx265 is known to be handed the values by us. */
function keepsHdr10(report: EncoderReport): boolean {
  return report.hdr10 ?? report.name === 'libx265';
}

function allowed(report: EncoderReport, wish: Profile['encoder']): boolean {
  return wish === 'auto' || report.hardware === (wish === 'hardware');
}

function rank(report: EncoderReport): number {
  return preference.indexOf(report.name as EncoderName);
}

function noEncoder(wish: Profile['encoder'], codec: Profile['codec'], bitDepth: 8 | 10, hdr10: boolean): Reason {
  return {
    code: wish === 'hardware' ? 'no-hardware-encoder' : 'no-encoder',
    params: { bitDepth, ...(codec === 'av1' ? { codec } : {}), ...(hdr10 ? { hdr: 'HDR10' } : {}) },
  };
}
