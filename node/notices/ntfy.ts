import type { NoticeLevel } from '../core/notice-events.ts';
import { cut, cutBytes } from '../core/notice-text.ts';
import { jsonOf, post } from './post.ts';
import type { Letter, Send } from './senders.ts';

const tags: Record<NoticeLevel, string> = {
  good: 'white_check_mark',
  note: 'information_source',
  warning: 'warning',
  problem: 'rotating_light',
};
const priorities: Record<NoticeLevel, number> = { good: 3, note: 3, warning: 3, problem: 4 };

/**
 * A topic of ntfy, as JSON to the root of the server: in headers, a title with other letters than English ones or a line end would
 * break. A message longer than 4096 bytes would become an attachment.
 */
export const sendToNtfy: Send = (target, letter, { outgoing, ca, signal }) => {
  const { token } = target.secrets;
  return post({
    url: `${target.fields['server']}/`,
    who: 'ntfy',
    body: JSON.stringify(messageOf(target.fields['topic'] ?? '', letter)),
    headers: token ? { authorization: `Bearer ${token}` } : {},
    outgoing,
    ca,
    signal,
    judge: (answer) =>
      answer.status === 200 && typeof jsonOf(answer)['id'] !== 'string'
        ? { ok: false, again: false, says: 'Something answered, but it is no ntfy. Is this the address of the server itself?' }
        : null,
  });
};

function messageOf(topic: string, { words, link, urgent }: Letter): object {
  return {
    topic,
    title: cut(words.title, 250),
    message: cutBytes(words.lines.join('\n') || words.title, 4000),
    priority: urgent ? 5 : priorities[words.level],
    tags: [tags[words.level]],
    ...(link !== null && { click: link }),
  };
}
