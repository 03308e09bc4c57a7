import type { NoticeLevel } from '../core/notice-events.ts';
import type { Answer } from '../core/notice-routing.ts';
import { cut } from '../core/notice-text.ts';
import { post } from './post.ts';
import type { Send } from './senders.ts';

const types: Record<NoticeLevel, string> = { good: 'success', note: 'info', warning: 'warning', problem: 'failure' };

/** A stored configuration of apprise-api, which passes the message on. As text, so that Apprise escapes it where a service reads HTML. */
export const sendToApprise: Send = (target, { words, link }, { outgoing, ca, signal }) => {
  const { server, tag } = target.fields;
  const body = {
    title: cut(words.title, 250),
    body: cut([...words.lines, ...(link === null ? [] : [link])].join('\n') || words.title, 8000),
    type: types[words.level],
    format: 'text',
    ...(tag && { tag }),
  };
  return post({
    url: `${server}/notify/${encodeURIComponent(target.secrets['key'] ?? '')}`,
    who: 'Apprise',
    body: JSON.stringify(body),
    outgoing,
    ca,
    signal,
    judge: ({ status }) => own[status] ?? null,
  });
};

/** Statuses that mean something of their own there. To send it again would reach the services once more that took it. */
const own: Record<number, Answer> = {
  204: { ok: false, again: false, says: 'Apprise has no configuration under this key (status 204).' },
  424: {
    ok: false,
    again: false,
    says: 'Apprise could not pass it on to at least one of its services, or none has this tag (status 424). Its own log says which.',
  },
};
