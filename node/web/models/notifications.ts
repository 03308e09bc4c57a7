import { noticeEvents, noticeEventNames } from '../../core/notice-events.ts';
import { noticeKindNames, noticeKinds, type NoticeKind } from '../../core/notice-kinds.ts';
import type { DeliveryState } from '../../core/notice-routing.ts';
import { noticeWords } from '../../core/notice-words.ts';
import type { Delivery } from '../../db/deliveries.ts';
import type { NoticeTarget } from '../../db/notice-targets.ts';
import { ago, count, day, plural, time } from '../format.ts';
import { url } from '../routes.ts';
import type { SettingsPage } from './settings.ts';

/** The page "Notifications": two settings of the house, the places that are told things, and what they were told. */
export interface NotificationsPage extends SettingsPage {
  targets: TargetLine[];
  kinds: { label: string; href: string }[];
  log: LogView;
  /** without it messages carry no link */
  hasAddress: boolean;
}

export interface TargetLine {
  id: number;
  name: string;
  kindLabel: string;
  place: string;
  /** it goes over the network as it is */
  readable: boolean;
  word: string;
  tone: '' | 'ok' | 'heed' | 'bad';
  /** what it answered last, when that matters */
  why: string;
  events: string;
  quiet: string | null;
  enabled: boolean;
}

export interface TargetsView {
  targets: TargetLine[];
  now: Date;
}

export interface LogView {
  lines: LogLine[];
  /** of one target: its name, and the way back to all */
  of: string | null;
  allHref: string;
  before: string | null;
  after: string | null;
  now: Date;
}

export interface LogLine {
  id: number;
  targetId: number;
  target: string;
  title: string;
  word: string;
  tone: '' | 'won' | 'warn' | 'bad';
  text: string;
  at: Date;
  /** a person may have it sent once more */
  again: boolean;
  /** comes back to this part of the log */
  back: string;
}

export function targetLine(target: NoticeTarget, now: Date): TargetLine {
  const { id, name, kind, place, enabled, quiet } = target;
  return {
    id,
    name,
    kindLabel: noticeKinds[kind].label,
    place,
    readable: place.startsWith('http://') || target.fields['plain'] === 'on',
    ...standing(target, now),
    events: eventsWords(target.events),
    quiet: quiet && `quiet from ${quiet.from} to ${quiet.until}`,
    enabled,
  };
}

function standing(target: NoticeTarget, now: Date): Pick<TargetLine, 'word' | 'tone' | 'why'> {
  if (!target.enabled) return { word: 'switched off', tone: '', why: '' };
  if (target.failingSince) {
    const rests = target.restsUntil && target.restsUntil > now ? ` It is tried again at ${time(target.restsUntil)}.` : '';
    return { word: `failing since ${moment(target.failingSince, now)}`, tone: 'bad', why: `${target.lastAnswer}${rests}` };
  }
  if (target.lastSentAt) return { word: `works, last told ${ago(target.lastSentAt, now)}`, tone: 'ok', why: '' };
  return { word: 'nothing was sent yet', tone: 'heed', why: 'Send a test, so that you know that it arrives.' };
}

function eventsWords(events: readonly string[]): string {
  if (events.length === 0) return 'hears of nothing';
  const known = noticeEventNames.filter((event) => events.includes(event));
  if (known.length === noticeEventNames.length) return 'hears of everything';
  if (known.length <= 2) return `hears of: ${known.map((event) => noticeEvents[event].label.toLowerCase()).join(', ')}`;
  return `hears of ${plural(known.length, 'kind')} of events out of ${count(noticeEventNames.length)}`;
}

export function kindLinks(): NotificationsPage['kinds'] {
  return noticeKindNames.map((kind: NoticeKind) => ({ label: noticeKinds[kind].label, href: url.addNotification(kind) }));
}

export function logLine(delivery: Delivery, now: Date, back: string): LogLine {
  const [word, tone] = words[delivery.state];
  const { id, targetId, target, state, tries } = delivery;
  return {
    id,
    targetId,
    target,
    title: noticeWords(delivery).title,
    word,
    tone,
    text: textOf(delivery, now),
    at: delivery.endedAt ?? delivery.triedAt ?? delivery.createdAt,
    again: state === 'sent' || state === 'given-up' || (state === 'failed' && tries > 0),
    back,
  };
}

const words: Record<DeliveryState, [string, LogLine['tone']]> = {
  waiting: ['on its way', ''],
  held: ['quiet hours', ''],
  failed: ['not yet', 'warn'],
  sent: ['sent', 'won'],
  'given-up': ['given up', 'bad'],
};

function textOf({ state, answer, nextAt, tries }: Delivery, now: Date): string {
  if (state === 'held') return nextAt ? `It is sent ${moment(nextAt, now)}.` : 'It waits for their end.';
  if (state === 'failed' && nextAt) return `${answer} It is tried again ${nextAt <= now ? 'in a moment' : moment(nextAt, now)}.`;
  if (state === 'given-up' && tries > 1) return `${answer} It was tried ${plural(tries, 'time')}.`;
  return answer;
}

/** "14:02", or with the day when it is another one */
function moment(at: Date, now: Date): string {
  return at.toDateString() === now.toDateString() ? `at ${time(at)}` : `${day(at)} ${time(at)}`;
}
