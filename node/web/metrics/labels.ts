import { encoderNames } from '../../core/encoder-choice.ts';
import { isReasonCode } from '../../core/reasons.ts';

/**
 * A label is from a list of ours, a number, or the short id of a machine: never a file, a title, a person or an address.
 * Whatever else the books hold becomes 'other'.
 */
export function encoderLabel(encoder: string): string {
  if (encoder === '') return 'none';
  return (encoderNames as readonly string[]).includes(encoder) ? encoder : 'other';
}

export function codecLabel(codec: string): string {
  return codec === 'hevc' || codec === 'av1' || codec === 'h264' ? codec : 'other';
}

export function resultLabel(result: string): string {
  return ['replaced', 'kept', 'failed'].includes(result) ? result : 'other';
}

export function reasonLabel(code: string): string {
  if (code === '') return 'none';
  return isReasonCode(code) ? code : 'other';
}

/** Of a list that another room keeps: words as ours are, and nothing that could be a name. */
export function wordLabel(text: string): string {
  return /^[a-z][a-z0-9-]{0,30}$/.test(text) ? text : 'other';
}

/** The short name of a machine: the end of its id, which is the same for as long as it lives. */
export function shortNode(id: string): string {
  return id.slice(-10);
}
