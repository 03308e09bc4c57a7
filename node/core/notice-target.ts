import { isNoticeEvent } from './notice-events.ts';
import { isNoticeKind, noticeKinds, secretFields, type NoticeField, type NoticeKind } from './notice-kinds.ts';
import type { QuietHours } from './notice-routing.ts';

/** What a person wishes of a place that is told things. */
export interface TargetWish {
  kind: NoticeKind;
  name: string;
  /** what is no secret, by the names in notice-kinds.ts */
  fields: Record<string, string>;
  /** what is one. Left out: the kept one stays. null: none any more */
  secrets: Record<string, string | null>;
  events: string[];
  quiet: QuietHours | null;
  enabled: boolean;
}

/** What is kept of a target already. */
export interface KeptTarget {
  kind: NoticeKind;
  fields: Record<string, string>;
  /** names of the secrets that are kept */
  secrets: readonly string[];
}

export interface CheckedTarget {
  name: string;
  place: string;
  fields: Record<string, string>;
  /** the secrets that are entered now */
  entered: Record<string, string>;
  /** the kept ones that stay */
  staying: string[];
  events: string[];
  quiet: QuietHours | null;
  enabled: boolean;
}

export interface TargetProblem {
  /** a field's name, 'name', 'events' or 'quiet' */
  field: string;
  /** a sentence */
  problem: string;
}

/** Is this wish lawful? All problems at once, each a sentence for the person. */
export function checkTarget(
  wish: TargetWish,
  before: KeptTarget | null,
): { ok: true; target: CheckedTarget } | { ok: false; problems: TargetProblem[] } {
  if (!isNoticeKind(wish.kind)) return { ok: false, problems: [{ field: 'kind', problem: 'There is no such kind of place.' }] };
  const problems: TargetProblem[] = [];
  const say = (field: string, problem: string): void => void problems.push({ field, problem });
  const name = wish.name.trim();
  if (name === '' || name.length > 60 || hasControls(name)) say('name', 'Give it a name of 1 to 60 characters.');
  const fields = plainFields(wish, say);
  const { entered, staying } = secretsOf(wish, before, fields, say);
  if (wish.kind === 'email') checkEmail(fields, entered, staying, say);
  const events = [...new Set(wish.events)];
  if (!events.every(isNoticeEvent)) say('events', 'It names an event that does not exist.');
  if (wish.quiet) checkQuiet(wish.quiet, say);
  if (problems.length > 0) return { ok: false, problems };
  const place = placeOf(wish.kind, fields, entered);
  return { ok: true, target: { name, place, fields, entered, staying, events, quiet: wish.quiet, enabled: wish.enabled } };
}

type Say = (field: string, problem: string) => void;

function plainFields(wish: TargetWish, say: Say): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, field] of Object.entries(noticeKinds[wish.kind].fields)) {
    if (field.secret) continue;
    const value = (wish.fields[name] ?? '').trim();
    const problem = fieldProblem(name, field, value);
    if (problem) say(name, problem);
    else if (value !== '' && value !== 'off') found[name] = field.type === 'address' ? trimmedAddress(value) : value;
  }
  return found;
}

/** Kept secrets stay only when nothing changes of where they go. */
function secretsOf(
  wish: TargetWish,
  before: KeptTarget | null,
  fields: Record<string, string>,
  say: Say,
): { entered: Record<string, string>; staying: string[] } {
  const kind = noticeKinds[wish.kind];
  const entered: Record<string, string> = {};
  const staying: string[] = [];
  const moved = before !== null && (before.kind !== wish.kind || isElsewhere(wish, before, fields));
  for (const name of secretFields(wish.kind)) {
    const field = kind.fields[name]!;
    const typed = wish.secrets[name];
    const value = typeof typed === 'string' ? typed.trim() : '';
    const isKept = before?.kind === wish.kind && before.secrets.includes(name);
    if (value !== '') {
      const problem = fieldProblem(name, field, value);
      if (problem) say(name, problem);
      else entered[name] = value;
    } else if (isKept && typed !== null && !moved) staying.push(name);
    else if (isKept && typed !== null)
      say(name, `${field.label}: enter it again, because where it goes has changed. It is never sent to another place by itself.`);
    else if (field.required) say(name, `${field.label} is missing.`);
  }
  return { entered, staying };
}

function isElsewhere(wish: TargetWish, before: KeptTarget, fields: Record<string, string>): boolean {
  return Object.entries(noticeKinds[wish.kind].fields).some(
    ([name, field]) => field.binds && (field.secret ? Boolean(wish.secrets[name]) : (fields[name] ?? '') !== (before.fields[name] ?? '')),
  );
}

function fieldProblem(name: string, field: NoticeField, value: string): string | null {
  if (value === '') return field.required && !field.secret ? `${field.label} is missing.` : null;
  if (value.length > 1000 || hasControls(value)) return `${field.label} must be one line of at most 1000 characters.`;
  if (field.type === 'address') return addressProblem(field.label, value) ?? (name === 'url' ? null : rootProblem(field.label, value));
  if (field.type === 'number')
    return /^[1-9]\d{0,4}$/.test(value) && Number(value) < 65_536 ? null : `${field.label} is a number from 1 to 65535.`;
  if (field.type === 'choice')
    return field.choices?.some((choice) => choice.value === value) ? null : `${field.label}: choose one of the list.`;
  if (field.type === 'tick') return value === 'on' || value === 'off' ? null : `${field.label} is on or off.`;
  return special[name]?.(value) ?? null;
}

/** Fields with a form of their own. */
const special: Record<string, (value: string) => string | null> = {
  topic: (value) => (/^[\w-]{1,64}$/.test(value) ? null : 'A topic has 1 to 64 letters, digits, _ and -.'),
  key: (value) => (/^[\w-]{1,128}$/.test(value) ? null : 'A configuration key has letters, digits, _ and -.'),
  tag: (value) => (/^[\w ,-]{1,100}$/.test(value) ? null : 'A tag has letters, digits, _ and -.'),
  signingKey: (value) => (value.length >= 16 ? null : 'A signing key has at least 16 characters.'),
  host: (value) =>
    /^[A-Za-z0-9._:[\]-]{1,253}$/.test(value) ? null : 'The server is a name like smtp.example.org, without https:// and port.',
  from: (value) => (isMailAddress(value) ? null : 'From must be one e-mail address.'),
  to: (value) => {
    const all = mailAddresses(value);
    return all.length > 0 && all.length <= 10 && all.every(isMailAddress)
      ? null
      : 'To must be one to ten e-mail addresses, separated by commas.';
  },
};

export function mailAddresses(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** No quotes, comments or names: nothing in which another header could hide. */
function isMailAddress(text: string): boolean {
  return text.length <= 254 && /^[^\s<>()[\],;:"\\@]+@[A-Za-z0-9\p{L}.-]+$/u.test(text);
}

function checkEmail(fields: Record<string, string>, entered: Record<string, string>, staying: string[], say: Say): void {
  const hasPassword = 'password' in entered || staying.includes('password');
  if (hasPassword && !fields['user']) say('user', 'A password without a user name is of no use.');
  if (!hasPassword && fields['user']) say('password', 'Enter the password of this user name.');
}

function addressProblem(label: string, value: string): string | null {
  const url = URL.parse(value);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return `${label} must be an address that begins with https:// or http://.`;
  if (url.username !== '' || url.password !== '') return `${label} must not have a name or password in it.`;
  return null;
}

/** The root of a server is what is asked for: what stands behind it is not looked at, so it must not be there. */
function rootProblem(label: string, value: string): string | null {
  const url = new URL(value);
  return url.search === '' && url.hash === '' ? null : `${label} is only the address of the server, without ? and #.`;
}

function trimmedAddress(value: string): string {
  const url = new URL(value);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function checkQuiet(quiet: QuietHours, say: Say): void {
  const isTime = (time: string): boolean => /^([01]\d|2[0-3]):[0-5]\d$/.test(time);
  if (!isTime(quiet.from) || !isTime(quiet.until)) say('quiet', 'Quiet hours begin and end at a time of day, like 22:00 and 07:00.');
  else if (quiet.from === quiet.until)
    say('quiet', 'Quiet hours end at another time than they begin. To hear nothing at all, switch it off.');
}

/** Where it leads, as may be shown: of an address that is a secret only the server. '' when only the kept address knows. */
export function placeOf(kind: NoticeKind, fields: Record<string, string>, entered: Record<string, string>): string {
  if (kind === 'email') return `${fields['host']}:${mailPort(fields)}`;
  if (kind === 'ntfy' || kind === 'apprise') return fields['server']!;
  const url = entered['url'];
  return url === undefined ? '' : new URL(url).origin;
}

export function mailPort(fields: Record<string, string>): number {
  if (fields['port']) return Number(fields['port']);
  if (fields['plain'] === 'on') return 25;
  return fields['security'] === 'tls' ? 465 : 587;
}

// eslint-disable-next-line no-control-regex
function hasControls(text: string): boolean {
  return /[\p{Cc}\u2028\u2029]/u.test(text);
}
