import type { Answer } from '../core/notice-routing.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Outgoing, OutgoingAnswer } from '../outgoing.ts';
import { version } from '../version.ts';

/** One POST with JSON, and what its answer means. */
export interface Post {
  url: string;
  /** what people call the receiver: "Discord" */
  who: string;
  headers?: Record<string, string>;
  /** as it is sent: a signature must be over these very bytes */
  body: string;
  outgoing: Outgoing;
  ca?: string | undefined;
  signal: AbortSignal;
  /** what a receiver means by a status of its own; null: what everybody means */
  judge?: (answer: OutgoingAnswer) => Answer | null;
}

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 64 * 1024;

/** Rejects only with the reason of `signal`. */
export async function post({ url, who, headers, body, outgoing, ca, signal, judge }: Post): Promise<Answer> {
  try {
    const answer = await outgoing.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', 'user-agent': `CodecShift/${version}`, ...headers },
      body,
      signal,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MOST_BYTES,
      // whoever said that he took it has it, whatever he says besides: sent again, it would come twice
      cutBody: true,
      ...(ca !== undefined && { ca }),
    });
    return judge?.(answer) ?? judged(who, answer);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return unreached(error);
  }
}

/** What every receiver means by a status. Its text is not shown: it may be of a program that nobody meant to ask. */
export function judged(who: string, answer: OutgoingAnswer): Answer {
  const { status } = answer;
  if (status >= 200 && status < 300) return { ok: true, says: `${who} took it (status ${status}).` };
  const no = (says: string, again = false): Answer => ({ ok: false, says, again, ...(again && { afterSeconds: patience(answer) }) });
  if (status >= 300 && status < 400)
    return no(`${who} points to another address (status ${status}), and nobody goes there. Enter the address that it has now.`);
  if (status === 401 || status === 403) return no(`${who} refused it (status ${status}): the token or key is wrong, or may not do this.`);
  if (status === 404 || status === 410) return no(`${who} knows no such address (status ${status}). It may have been deleted there.`);
  if (status === 429) return no(`${who} wants fewer messages (status 429).`, true);
  if (status === 408 || status >= 500) return no(`${who} cannot take it now (status ${status}).`, true);
  return no(`${who} did not understand it (status ${status}${codeIn(answer)}).`);
}

/** Nobody could be asked. */
export function unreached(error: unknown): Answer {
  if (error instanceof PlainError && error.reason?.code === 'address-forbidden')
    return {
      ok: false,
      again: false,
      says: `Nothing is sent to ${String(error.reason.params?.['address'] ?? 'this address').slice(0, 100)}: no receiver can be there.`,
    };
  const says = error instanceof PlainError ? error.message : `It could not be sent: ${messageOf(error)}.`;
  return { ok: false, again: true, says: says.slice(0, 400) };
}

/** Seconds that a receiver wants to be left alone; null: it did not say. */
export function patience(answer: OutgoingAnswer): number | null {
  const header = answer.headers['retry-after'] ?? '';
  if (/^\d{1,6}$/.test(header)) return Number(header);
  const date = Date.parse(header);
  if (header !== '' && !Number.isNaN(date)) return Math.max(0, Math.round((date - Date.now()) / 1000));
  const said = jsonOf(answer)['retry_after'];
  return typeof said === 'number' && Number.isFinite(said) && said >= 0 ? Math.ceil(said) : null;
}

/** The answer as an object; {} when it is none. */
export function jsonOf({ body }: OutgoingAnswer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function codeIn(answer: OutgoingAnswer): string {
  const { code } = jsonOf(answer);
  return typeof code === 'number' && Number.isSafeInteger(code) ? `, code ${code}` : '';
}
