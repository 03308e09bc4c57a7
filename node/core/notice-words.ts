import { isNoticeEvent, noticeEntry, TEST_EVENT, type NoticeEvent, type NoticeLevel } from './notice-events.ts';
import { plainLine } from './notice-text.ts';
import { isReasonCode, sentence, size } from './reasons.ts';

/** A notice in words, before it is dressed for a channel. All of it is plain text without control characters; lines are ours. */
export interface NoticeWords {
  title: string;
  lines: string[];
  /** where to look, as a path of the dashboard */
  path: string;
  level: NoticeLevel;
}

export interface ToldNotice {
  event: string;
  /** how many things happened */
  count: number;
  /** the first of them, at most ten */
  items: Record<string, unknown>[];
  /** a UUID, the same in whatever letter it comes */
  message?: string;
}

type Item = Record<string, unknown>;

/** How many are named; the rest is counted. */
const NAMED = 5;

export function noticeWords(notice: ToldNotice): NoticeWords {
  const { event, count, items } = notice;
  const { level, label } = noticeEntry(event);
  const first = items[0] ?? {};
  if (event === TEST_EVENT) return { ...test(first), level };
  if (!isNoticeEvent(event)) return { title: plainLine(label), lines: [], path: '/', level };
  const words = single[event];
  const named = items.slice(0, NAMED).map((item) => sentenceOf(words(item)));
  if (count === 1) return { title: words(first).title, lines: words(first).more, path: words(first).path, level };
  const rest = count - named.length;
  const lines = [...named.map((line) => `• ${line}`), ...(rest > 0 ? [`and ${rest} more.`] : [])];
  return { title: many[event]?.(count) ?? `${label}: ${count} times`, lines, path: paths[event], level };
}

/** What a night held back, or a target that was away, in one letter: everything by its title, the worst level of all. */
export function digestWords(notices: readonly ToldNotice[]): NoticeWords {
  if (notices.length === 1) return noticeWords(notices[0]!);
  const words = notices.map(noticeWords);
  const levels: NoticeLevel[] = ['problem', 'warning', 'note', 'good'];
  return {
    title: `${notices.length} messages that waited`,
    lines: words
      .slice(0, 20)
      .map(({ title }) => `• ${title}`)
      .concat(words.length > 20 ? [`and ${words.length - 20} more.`] : []),
    path: paths['job.failed'],
    level: levels.find((level) => words.some((one) => one.level === level)) ?? 'note',
  };
}

/** Where each event leads when it is about several things. */
const paths: Record<NoticeEvent, string> = {
  'job.failed': '/history',
  'replace.blocked': '/history',
  'batch.finished': '/history',
  'node.offline': '/nodes',
  'node.back': '/nodes',
  'node.pending': '/nodes',
  'disk.low': '/nodes',
  'source.failing': '/sources',
  'backup.failed': '/settings/backup',
  'security.sign-in': '/audit',
  'security.settings': '/audit',
  'security.admin': '/audit',
  'daily.summary': '/',
};

interface Single {
  title: string;
  more: string[];
  path: string;
}

const single: Record<NoticeEvent, (item: Item) => Single> = {
  'job.failed': (i) => ({
    title: `${film(i)} could not be converted`,
    more: [...why(i), ...on(i), 'The original is untouched.'],
    path: ofJob(i, 'job.failed'),
  }),
  'replace.blocked': (i) => ({
    title: `${film(i)} keeps its original`,
    more: [...why(i), ...on(i)],
    path: ofJob(i, 'replace.blocked'),
  }),
  'batch.finished': (i) => ({
    title: `The queue is done: ${plural(number(i['done']), 'file')} converted`,
    more: totals(i),
    path: paths['batch.finished'],
  }),
  'node.offline': (i) => ({
    title: `${machine(i)} is away`,
    more: [
      `Nothing was heard of it for ${minutes(i['silentSeconds'])}. What it worked on waits for it for a while, and then goes to another machine.`,
    ],
    path: ofNode(i),
  }),
  'node.back': (i) => ({ title: `${machine(i)} is back`, more: [`It was away for ${minutes(i['silentSeconds'])}.`], path: ofNode(i) }),
  'node.pending': (i) => ({
    title: `${machine(i)} asks to join`,
    more: ['Compare the code that it shows with the one on the Nodes page before you let it in. If you do not know it, refuse it.'],
    path: paths['node.pending'],
  }),
  'disk.low': (i) =>
    i['library'] === undefined
      ? {
          title: `${machine(i)} has little space left`,
          more: [
            `${size(number(i['freeBytes']))} are free where it works; ${size(number(i['limitBytes']))} are to be kept free. It begins no file that does not fit.`,
          ],
          path: ofNode(i),
        }
      : {
          title: `No room in the library ${said(i['library'], 'of a machine')}`,
          more: ['A finished file waits until there is room beside its original. The original is untouched.'],
          path: '/library',
        },
  'source.failing': (i) => ({ title: `${said(i['source'], 'A media server')} needs a look`, more: why(i), path: paths['source.failing'] }),
  'backup.failed': (i) => ({
    title: `A backup failed${text(i['what']) ? `: ${text(i['what'])}` : ''}`,
    more: [...(text(i['why']) ? [sentenceEnd(text(i['why']))] : []), ...why(i)],
    path: paths['backup.failed'],
  }),
  'security.sign-in': (i) => ({
    title: `${said(i['who'], 'Somebody')} signed in from a new address`,
    more: [
      `From ${said(i['address'], 'an unknown address')}${text(i['agent']) ? `, with ${text(i['agent'])}` : ''}.`,
      'If nobody you know did this, end the session on the Users page and change the password.',
    ],
    path: paths['security.sign-in'],
  }),
  'security.settings': (i) => ({ title: settingsTitle(i), more: by(i), path: paths['security.settings'] }),
  'security.admin': (i) => ({ title: adminTitle(i), more: by(i), path: paths['security.admin'] }),
  'daily.summary': (i) => ({
    title: `The last day: ${plural(number(i['done']), 'file')} converted`,
    more: [
      ...totals(i),
      ...(number(i['waiting']) > 0 ? [`${plural(number(i['waiting']), 'file waits', 'files wait')} in the queue.`] : []),
    ],
    path: paths['daily.summary'],
  }),
};

const many: Partial<Record<NoticeEvent, (count: number) => string>> = {
  'job.failed': (n) => `${n} files could not be converted`,
  'replace.blocked': (n) => `${n} files keep their originals`,
  'node.offline': (n) => `${n} machines are away`,
  'node.back': (n) => `${n} machines are back`,
  'node.pending': (n) => `${n} machines ask to join`,
  'disk.low': (n) => `Little space left in ${n} places`,
  'backup.failed': (n) => `A backup failed ${n} times`,
  'security.sign-in': (n) => `${n} sign-ins from new addresses`,
  'security.settings': (n) => `How people sign in, or where messages go, was changed ${n} times`,
};

function test(item: Item): Omit<NoticeWords, 'level'> {
  return {
    title: 'This is a test from CodecShift',
    lines: [`Asked for by ${said(item['by'], 'somebody')}. Messages to “${said(item['name'], 'this place')}” look like this.`],
    path: '/settings/notifications',
  };
}

function settingsTitle(i: Item): string {
  const object = text(i['object']);
  if (i['kind'] === 'backup-restored') return 'The database was put back from a backup';
  if (i['action'] === 'target added') return `Notifications are sent to “${object}” from now on`;
  if (i['action'] === 'target changed') return `Where notifications go was changed: “${object}”`;
  if (i['action'] === 'target removed') return `Notifications do not go to “${object}” any more`;
  return object ? `How people sign in was changed: ${object}` : 'How people sign in was changed';
}

function adminTitle(i: Item): string {
  const object = said(i['object'], 'Somebody');
  if (i['action'] === 'token made') return `A token that may do everything was made: ${object}`;
  if (i['action'] === 'admin reset') return `${object} was made an admin on the machine itself`;
  return `${object} is an admin now`;
}

function by(i: Item): string[] {
  const who = text(i['by']);
  const where = text(i['address']);
  return who ? [`By ${who}${where ? `, from ${where}` : ''}.`, 'If nobody you know did this, look at it now.'] : [];
}

function totals(i: Item): string[] {
  const [kept, failed, saved] = [number(i['kept']), number(i['failed']), number(i['savedBytes'])];
  return [
    ...(number(i['done']) > 0 ? [`${size(saved)} saved.`] : []),
    ...(kept > 0 ? [`${plural(kept, 'file keeps', 'files keep')} the original, because a copy was not worth it or did not pass.`] : []),
    ...(failed > 0 ? [`${plural(failed, 'file')} failed and ${failed === 1 ? 'needs' : 'need'} a look.`] : []),
  ];
}

function why(i: Item): string[] {
  const reason = i['reason'];
  if (typeof reason !== 'object' || reason === null || !('code' in reason)) return [];
  const { code, params } = reason as { code: unknown; params?: Record<string, string | number> };
  if (typeof code !== 'string' || !(isReasonCode(code) || /^[a-z-]{1,60}$/.test(code))) return [];
  return [plainLine(sentence({ code, params }), 400)];
}

function on(i: Item): string[] {
  return text(i['node']) ? [`On ${text(i['node'])}.`] : [];
}

function film(i: Item): string {
  return said(i['title'], 'A file');
}

function machine(i: Item): string {
  return said(i['name'] ?? i['node'], 'A machine');
}

function ofJob(i: Item, event: NoticeEvent): string {
  const id = i['jobId'];
  return typeof id === 'number' && Number.isSafeInteger(id) && id > 0 ? `/jobs/${id}` : paths[event];
}

function ofNode(i: Item): string {
  const id = i['nodeId'];
  return typeof id === 'string' && /^[A-Za-z0-9_-]{1,100}$/.test(id) ? `/nodes/${id}` : '/nodes';
}

function sentenceOf({ title, more }: Single): string {
  return more.length > 0 ? `${title}. ${more[0]}` : sentenceEnd(title);
}

function sentenceEnd(words: string): string {
  return /[.!?…]$/.test(words) ? words : `${words}.`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? plainLine(value, 200) : '';
}

function said(value: unknown, otherwise: string): string {
  return text(value) || otherwise;
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function minutes(seconds: unknown): string {
  const all = Math.max(1, Math.round(number(seconds) / 60));
  if (all < 120) return plural(all, 'minute');
  return all < 48 * 60 ? plural(Math.round(all / 60), 'hour') : plural(Math.round(all / 1440), 'day');
}

function plural(n: number, one: string, more = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : more}`;
}
