import type { AuditEntry } from './access.ts';
import type { NoticeEvent } from './notice-events.ts';

/** One thing that happened, as it is written down to be told. Plain values: they are shown to people, and are hostile. */
export interface NoticeFact {
  event: NoticeEvent;
  item: Record<string, unknown>;
  /** facts with the same key gather into one message; the event's name unless said */
  key?: string;
  /** this very fact, told one time however often it is found */
  once?: string;
}

/** What follows for people from a line of the activity. `over`: what was about to be told under this key is not true any more. */
export type FromActivity = { fact: Pick<NoticeFact, 'event' | 'key'> } | { over: string } | null;

export function noticeOfActivity(line: { kind: string; severity?: 0 | 1 | 2; params?: Record<string, unknown> }): FromActivity {
  switch (line.kind) {
    case 'failed':
      return { fact: { event: 'job.failed' } };
    case 'kept':
      // a copy that saves too little is how it shall be
      return line.severity ? { fact: { event: 'replace.blocked' } } : null;
    case 'copy-bad':
    case 'not-restored':
      return { fact: { event: 'replace.blocked' } };
    case 'backup-failed':
      return { fact: { event: 'backup.failed' } };
    case 'backup-restored':
      return { fact: { event: 'security.settings' } };
    case 'node-asks':
      return { fact: { event: 'node.pending' } };
    case 'source-problem':
    case 'source-unconfirmed':
      return { fact: { event: 'source.failing', key: sourceKey(line.params) } };
    case 'source-recovered':
      return { over: sourceKey(line.params) };
    default:
      return null;
  }
}

function sourceKey(params: Record<string, unknown> | undefined): string {
  return `source.failing ${String(params?.['source'] ?? '')}`.slice(0, 200);
}

/** What follows for people from a line of the audit log. A sign-in is judged where the earlier ones are known. */
export function noticeOfAudit(entry: AuditEntry, by: string, address: string): NoticeFact | null {
  if (entry.result !== 'ok') return null;
  const fact = (event: NoticeEvent): NoticeFact => ({
    event,
    item: { action: entry.action, object: entry.object ?? '', says: entry.says ?? '', by, address },
  });
  switch (entry.action) {
    case 'user added':
      return entry.says === 'admin' ? fact('security.admin') : null;
    case 'user changed':
      return entry.says?.includes('"role":"admin"') ? fact('security.admin') : null;
    case 'admin reset':
      return fact('security.admin');
    case 'token made':
      return entry.says?.split(', ').includes('admin') ? fact('security.admin') : null;
    case 'set up':
      return fact('security.settings');
    default:
      return null;
  }
}

/**
 * Is this another place than all where the person signed in before? Providers change the lower half of an IPv6 address every day,
 * so there the network counts.
 */
export function isNewAddress(before: readonly string[], address: string): boolean {
  const place = placeOfAddress(address);
  return !before.some((one) => placeOfAddress(one) === place);
}

function placeOfAddress(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase();
  if (!plain.includes(':')) return plain;
  const [head = '', tail = ''] = plain.split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const middle = plain.includes('::') ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0') : [];
  return [...left, ...middle, ...right]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
