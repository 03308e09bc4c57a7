import type { NoticeKind } from '../core/notice-kinds.ts';
import type { Answer } from '../core/notice-routing.ts';
import type { NoticeWords, ToldNotice } from '../core/notice-words.ts';
import type { Outgoing } from '../outgoing.ts';
import { sendToApprise } from './apprise.ts';
import { sendToDiscord } from './discord.ts';
import { sendMail } from './email.ts';
import { sendToNtfy } from './ntfy.ts';
import { sendToWebhook } from './webhook.ts';

/**
 * How a letter reaches a place outside of the house: one adapter for each kind. Everything goes through `outgoing`: addresses are
 * judged, redirects are not followed, answers are bounded. What a receiver says comes back as a sentence and never as its text:
 * whoever may enter addresses must not read other programs of the network by them.
 */
export interface Senders {
  /** Never rejects for what a receiver does; rejects only with the reason of `signal` */
  send(target: OpenTarget, letter: Letter, signal: AbortSignal): Promise<Answer>;
}

/** A target with its secrets unsealed: it is made for one letter and kept nowhere. */
export interface OpenTarget {
  kind: NoticeKind;
  place: string;
  fields: Record<string, string>;
  secrets: Record<string, string>;
}

export interface Letter {
  /** a UUID, the same at every try */
  id: string;
  /** the event, or "digest" for several */
  event: string;
  urgent: boolean;
  words: NoticeWords;
  /** the page of the dashboard; null: nobody said by which address people open it */
  link: string | null;
  /** milliseconds since 1970 */
  at: number;
  /** what it is about, for programs */
  notices: ToldNotice[];
  /** what the cluster is called */
  house: string;
}

export interface SendersParts {
  outgoing: Outgoing;
  /** for tests: PEM of the authority of a receiver's certificate */
  ca?: string;
  /** milliseconds since 1970 */
  now?: () => number;
}

export type Send = (target: OpenTarget, letter: Letter, by: Sending) => Promise<Answer>;

export interface Sending {
  outgoing: Outgoing;
  now: () => number;
  ca?: string;
  signal: AbortSignal;
}

const kinds: Record<NoticeKind, Send> = {
  webhook: sendToWebhook,
  discord: sendToDiscord,
  ntfy: sendToNtfy,
  apprise: sendToApprise,
  email: sendMail,
};

export function createSenders(parts: SendersParts): Senders {
  const now = parts.now ?? Date.now;
  return {
    send: (target, letter, signal) => kinds[target.kind](target, letter, { ...parts, now, signal }),
  };
}
