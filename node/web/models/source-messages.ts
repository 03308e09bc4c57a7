import { messageWords } from '../../core/source-words.ts';
import type { MessageState, SourceMessage } from '../../db/source-messages.ts';
import { visibleName } from '../../core/visible-name.ts';
import type { FileItem } from '../../db/source-items.ts';
import { day, plural, time } from '../format.ts';

export interface MessageLine {
  id: number;
  sourceId: number;
  source: string;
  title: string;
  fileId: number | null;
  word: string;
  tone: '' | 'won' | 'warn' | 'bad';
  text: string;
  at: Date;
  /** a person may ask for it to be told once more */
  again: boolean;
}

export interface MessagesView {
  messages: MessageLine[];
  /** where "Tell again" comes back to */
  back: string;
  now: Date;
}

export interface MessageListView extends MessagesView {
  /** of many files: the title is said, the server is not */
  ofServer: boolean;
}

export function messageLine(m: SourceMessage, now: Date): MessageLine {
  const [word, tone] = words[m.state];
  return {
    id: m.id,
    sourceId: m.sourceId,
    source: m.source,
    title: [m.title || 'A file', m.detail].filter(Boolean).join(' '),
    fileId: m.fileId,
    word,
    tone,
    text: textOf(m, now),
    at: m.endedAt ?? m.toldAt ?? m.createdAt,
    again: m.state === 'unconfirmed' || (m.state === 'waiting' && m.tries > 0),
  };
}

const words: Record<MessageState, [string, MessageLine['tone']]> = {
  waiting: ['waits', ''],
  told: ['told', ''],
  analyzing: ['told', ''],
  confirmed: ['confirmed', 'won'],
  unconfirmed: ['not confirmed yet', 'warn'],
  dropped: ['not told', ''],
};

/** The words of the house, and when something happens next. */
function textOf(m: SourceMessage, now: Date): string {
  const next = m.nextAt === null || m.nextAt <= now ? 'soon' : when(m.nextAt, now);
  const again =
    m.state === 'told' || m.state === 'analyzing'
      ? `It is asked again ${next}.`
      : m.state === 'waiting' && m.reason
        ? `It is told again ${next}.`
        : '';
  return [messageWords(m), again].filter(Boolean).join(' ');
}

/** "at 14:02", or with the day when it is another one */
function when(at: Date, now: Date): string {
  return at.toDateString() === now.toDateString() ? `at ${time(at)}` : `on ${day(at)} at ${time(at)}`;
}

/** As what a media server knows a file. */
export interface KnownAs {
  sourceId: number;
  source: string;
  /** "Metropolis 1927, in Movies" */
  as: string;
  /** why it is not converted, or what has to be known about it; '' otherwise */
  note: string;
}

export function knownAs(items: readonly FileItem[]): KnownAs[] {
  return items.slice(0, 10).map((item) => ({
    sourceId: item.sourceId,
    source: item.source,
    as: `${visibleName([item.title, item.detail].filter(Boolean).join(' ') || 'Untitled', 200)}, in ${visibleName(item.library, 100)}`,
    note: [
      ...(item.parts > 1 ? [`one film in ${plural(item.parts, 'file')}, which is never converted`] : []),
      ...(item.versions > 1 ? [`one of ${item.versions} versions`] : []),
    ].join('; '),
  }));
}
