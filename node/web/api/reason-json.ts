import { sentence, type Reason } from '../../core/reasons.ts';

/** A reason as the API gives it: its code to be compared, its sentence to be read. */
export function reasonJson(reason: Reason | null): object | null {
  return reason && { code: reason.code, params: reason.params ?? {}, sentence: sentence(reason) };
}
