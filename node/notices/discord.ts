import type { NoticeLevel } from '../core/notice-events.ts';
import { cut, discordText } from '../core/notice-text.ts';
import { post } from './post.ts';
import type { Letter, Send } from './senders.ts';

const colours: Record<NoticeLevel, number> = { good: 0x2e9e6b, note: 0x5b6b7f, warning: 0xd08a1d, problem: 0xc8402f };

/** A channel of Discord by its webhook: one embed, in which no name can mention, format or link. */
export const sendToDiscord: Send = (target, letter, { outgoing, ca, signal }) =>
  post({ url: target.secrets['url'] ?? '', who: 'Discord', body: JSON.stringify(messageOf(letter)), outgoing, ca, signal });

/** Limits of an embed: 256 characters of title, 4096 of description, 6000 in all. */
function messageOf({ words, link, at, house }: Letter): object {
  return {
    username: 'CodecShift',
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: cut(discordText(words.title), 256),
        description: cut(words.lines.map(discordText).join('\n'), 4096),
        color: colours[words.level],
        timestamp: new Date(at).toISOString(),
        ...(house !== '' && { footer: { text: cut(house, 200) } }),
        ...(link !== null && { url: link }),
      },
    ],
  };
}
