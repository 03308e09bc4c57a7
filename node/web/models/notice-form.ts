import { defaultEvents, noticeEventNames, noticeEvents } from '../../core/notice-events.ts';
import { noticeKinds, type NoticeField, type NoticeKind } from '../../core/notice-kinds.ts';
import type { TargetProblem, TargetWish } from '../../core/notice-target.ts';
import type { NoticeTarget } from '../../db/notice-targets.ts';
import { url } from '../routes.ts';
import { readText } from './list-state.ts';
import type { PillsView } from './cleanup.ts';

/** The form for one place that is told things: what its kind asks for, which events, when not. */
export interface NoticeFormPage extends PillsView {
  kind: NoticeKind;
  kindLabel: string;
  help: string;
  action: string;
  button: string;
  /** 0 for a new one */
  version: number;
  name: FieldLine;
  fields: FieldLine[];
  events: { value: string; label: string; help: string; checked: boolean }[];
  quiet: { from: string; until: string; problem: string | null; clock: string };
  enabled: boolean;
  problems: { id: string; text: string }[];
  /** an existing one can be removed */
  removeHref: string | null;
}

export interface FieldLine {
  name: string;
  id: string;
  label: string;
  help: string;
  example: string;
  type: NoticeField['type'];
  choices: readonly { value: string; label: string }[];
  required: boolean;
  secret: boolean;
  /** never that of a secret */
  value: string;
  /** a secret that is kept */
  isSet: boolean;
  problem: string | null;
}

export interface FieldView {
  f: FieldLine;
}

/** What a person typed; secrets stay in here and never go into a page. */
export function readWish(kind: NoticeKind, form: URLSearchParams): TargetWish {
  const fields: Record<string, string> = {};
  const secrets: Record<string, string | null> = {};
  for (const [name, field] of Object.entries(noticeKinds[kind].fields)) {
    const typed = (form.get(`f-${name}`) ?? '').slice(0, 2000).toWellFormed().trim();
    if (!field.secret) fields[name] = typed;
    else if (typed !== '') secrets[name] = typed;
    else if (form.get(`drop-${name}`) === 'on') secrets[name] = null;
  }
  const [from, until] = ['quiet-from', 'quiet-until'].map((name) => readText(form.get(name), 5) ?? '');
  return {
    kind,
    name: readText(form.get('name'), 200) ?? '',
    fields,
    secrets,
    events: form.getAll('event').slice(0, 50),
    quiet: from || until ? { from: from!, until: until! } : null,
    enabled: form.get('enabled') === 'on',
  };
}

export function newWish(kind: NoticeKind): TargetWish {
  const fields: Record<string, string> = kind === 'ntfy' ? { server: 'https://ntfy.sh' } : kind === 'email' ? { security: 'starttls' } : {};
  return { kind, name: noticeKinds[kind].label, fields, secrets: {}, events: [...defaultEvents], quiet: null, enabled: true };
}

export function keptWish(target: NoticeTarget): TargetWish {
  const { kind, name, fields, events, quiet, enabled } = target;
  return { kind, name, fields, secrets: {}, events, quiet, enabled };
}

/** `target` null: a new one. `timeZone`: the setting, or null for the machine's own */
export function noticeFormPage(
  groups: PillsView['groups'],
  target: NoticeTarget | null,
  wish: TargetWish,
  problems: readonly TargetProblem[],
  timeZone: string | null,
): NoticeFormPage {
  const { label, help, fields } = noticeKinds[wish.kind];
  const problemOf = (name: string): string | null => problems.find(({ field }) => field === name)?.problem ?? null;
  return {
    groups,
    group: 'notifications',
    kind: wish.kind,
    kindLabel: label,
    help,
    action: target ? url.notificationAction(target.id, 'change') : url.addNotification(wish.kind),
    button: target ? 'Save' : 'Add it',
    version: target?.version ?? 0,
    name: { ...nameField, value: wish.name, problem: problemOf('name') },
    fields: Object.entries(fields).map(([name, field]) => fieldLine(name, field, wish, target, problemOf(name))),
    events: noticeEventNames.map((value) => ({
      value,
      label: noticeEvents[value].label,
      help: noticeEvents[value].help,
      checked: wish.events.includes(value),
    })),
    quiet: {
      from: wish.quiet?.from ?? '',
      until: wish.quiet?.until ?? '',
      problem: problemOf('quiet'),
      clock: timeZone ?? 'the machine that coordinates (the time zone can be set on the page before)',
    },
    enabled: wish.enabled,
    problems: problems.map(({ field, problem }) => ({ id: idOf(field), text: problem })),
    removeHref: target && url.notificationAction(target.id, 'remove'),
  };
}

const nameField: Omit<FieldLine, 'value' | 'problem'> = {
  name: 'name',
  id: 'n-name',
  label: 'Name here',
  help: 'So that you know it in the list.',
  example: '',
  type: 'text',
  choices: [],
  required: true,
  secret: false,
  isSet: false,
};

function fieldLine(name: string, field: NoticeField, wish: TargetWish, target: NoticeTarget | null, problem: string | null): FieldLine {
  const { label, help, example, type, choices = [], required, secret } = field;
  const isSet = target?.secrets.includes(name) ?? false;
  const value = secret ? '' : (wish.fields[name] ?? '');
  return { name: `f-${name}`, id: idOf(name), label, help, example, type, choices, required, secret, value, isSet, problem };
}

function idOf(field: string): string {
  return `n-${field}`;
}
