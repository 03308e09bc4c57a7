import type { Profile } from './profile.ts';
import type { Reason } from './reasons.ts';

/** Our encoder families; the names are ffmpeg's own. */
export const encoderNames = ['libx265', 'hevc_nvenc', 'hevc_qsv', 'hevc_vaapi', 'hevc_amf', 'hevc_videotoolbox'] as const;
export type EncoderName = (typeof encoderNames)[number];

/** What a real test encode said about one encoder on one device of one node. */
export interface EncoderReport {
  name: string;
  /** '/dev/dri/renderD128', or a number for NVENC; null where there is nothing to choose */
  device: string | null;
  works: boolean;
  tenBit: boolean;
  hardware: boolean;
  /** why it does not work, or does not work in 10 bit, in words; null when all is well */
  reason: string | null;
  /** ISO 8601 */
  testedAt: string;
}

/** The encoder of one attempt. */
export interface EncoderChoice {
  name: EncoderName;
  device: string | null;
}

/** Hardware families in order of picture quality per bit: what 'auto' and 'hardware' try first. */
const preference: EncoderName[] = ['hevc_nvenc', 'hevc_qsv', 'hevc_videotoolbox', 'hevc_vaapi', 'hevc_amf', 'libx265'];

/**
 * Which of a node's proved encoders a profile gets for pictures of this bit depth. Among equal devices the first
 * reported one wins. No hardware where the profile insists on it is a refusal, never a silent fall-back to libx265.
 */
export function chooseEncoder(
  reports: EncoderReport[],
  profile: Pick<Profile, 'encoder'>,
  bitDepth: 8 | 10,
): { choice: EncoderChoice } | { choice: null; reason: Reason } {
  const able = reports.filter((r) => r.works && (bitDepth === 8 || r.tenBit) && isEncoderName(r.name) && allowed(r, profile.encoder));
  const best = able.toSorted((a, b) => rank(a) - rank(b))[0];
  if (best) return { choice: { name: best.name as EncoderName, device: best.device } };
  return { choice: null, reason: { code: profile.encoder === 'hardware' ? 'no-hardware-encoder' : 'no-encoder', params: { bitDepth } } };
}

function allowed(report: EncoderReport, wish: Profile['encoder']): boolean {
  return wish === 'auto' || report.hardware === (wish === 'hardware');
}

function rank(report: EncoderReport): number {
  return preference.indexOf(report.name as EncoderName);
}

function isEncoderName(name: string): name is EncoderName {
  return (encoderNames as readonly string[]).includes(name);
}
