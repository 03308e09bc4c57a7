import { createHmac } from 'node:crypto';
import { plainLine } from '../core/notice-text.ts';
import { noticeWords, type ToldNotice } from '../core/notice-words.ts';
import { sentence } from '../core/reasons.ts';
import { post } from './post.ts';
import type { Letter, Send } from './senders.ts';

/**
 * JSON for any program, signed when there is a key: `X-CodecShift-Signature: t=<seconds since 1970>,v1=<hex of HMAC-SHA256>` over
 * "<t>.<body>". The time is signed too, so that a receiver can refuse what somebody recorded and sends again.
 */
export const sendToWebhook: Send = (target, letter, { outgoing, ca, signal, now }) => {
  const body = JSON.stringify(bodyOf(letter));
  const { url, signingKey } = target.secrets;
  const headers = {
    'x-codecshift-event': letter.event,
    'x-codecshift-id': letter.id,
    ...(signingKey && { 'x-codecshift-signature': signature(signingKey, body, Math.floor(now() / 1000)) }),
  };
  return post({ url: url ?? '', who: 'The receiver', body, headers, outgoing, ca, signal });
};

export function signature(key: string, body: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex')}`;
}

function bodyOf({ id, event, words, link, at, house, notices }: Letter): object {
  const { title, lines, level } = words;
  return {
    version: 1,
    id,
    event,
    level,
    title,
    text: lines.join('\n'),
    link,
    at: new Date(at).toISOString(),
    house,
    notices: notices.map(toldOf),
  };
}

function toldOf(notice: ToldNotice): object {
  return {
    id: notice.message,
    event: notice.event,
    count: notice.count,
    title: noticeWords(notice).title,
    items: notice.items.map(factsOf),
  };
}

/** Plain values only; a reason with its sentence. */
function factsOf(item: Record<string, unknown>): Record<string, Fact> {
  const facts: Record<string, Fact> = {};
  for (const [name, value] of Object.entries(item).slice(0, 30)) {
    if (typeof value === 'string') facts[name] = plainLine(value, 500);
    else if (typeof value === 'number' || typeof value === 'boolean') facts[name] = value;
    else if (isReason(value)) facts[name] = { code: value.code, sentence: plainLine(sentence(value), 500) };
  }
  return facts;
}

type Fact = string | number | boolean | { code: string; sentence: string };

function isReason(value: unknown): value is { code: string; params?: Record<string, string | number> } {
  return (
    typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string' && /^[a-z-]{1,60}$/.test(value.code)
  );
}
