import { settingsOf, type DescribedSetting } from '../../config/describe.ts';
import { overriddenBy } from '../../config/load.ts';
import { isClusterKey, specOf } from '../../config/schema.ts';
import { settingGroups, type SettingGroup } from '../../config/setting.ts';
import type { SettingChange, SettingProblem } from '../../core/commands.ts';
import type { SettingChangeRow } from '../../db/settings.ts';

export interface StoredSetting {
  key: string;
  value: unknown;
  version: number;
}

export interface SettingField {
  key: string;
  /** for the id of the input and of its help and error texts: without dots, which CSS would read as classes */
  id: string;
  label: string;
  help: string;
  type: 'number' | 'boolean' | 'choice' | 'text';
  value: string;
  version: number;
  defaultWords: string;
  limits: string | null;
  unit: string | null;
  min: number | null;
  max: number | null;
  step: string | null;
  choices: readonly { value: string; label: string }[];
  /** differs from the default, so that "Reset to default" makes sense */
  changed: boolean;
  /** the environment variable that decides, when one does: the field is then read-only */
  override: string | null;
  problem: string | null;
  /** what somebody else saved meanwhile, in words; the person sees both values and decides */
  theirs: string | null;
  typedWords: string;
  /** what the form showed first: only what differs from it was changed by this person */
  was: string;
}

export interface FieldView {
  f: SettingField;
}

export interface SummaryView {
  problems: { id: string; text: string }[];
}

export interface SettingsPage {
  groups: { name: SettingGroup; label: string }[];
  group: SettingGroup;
  label: string;
  fields: SettingField[];
  summary: SummaryView['problems'];
  changes: ChangeLine[];
  now: Date;
}

/** One change of a setting, old and new in words. */
export interface ChangeLine {
  label: string;
  before: string;
  after: string;
  at: Date;
  by: string;
  via: string;
}

export interface ChangesView {
  changes: ChangeLine[];
  now: Date;
}

/** The groups a person can change, in the order of the schema. */
export function editableGroups(): { name: SettingGroup; label: string }[] {
  return (Object.keys(settingGroups) as SettingGroup[])
    .filter((name) => settingsOf(name).some((s) => s.scope === 'cluster'))
    .map((name) => ({ name, label: settingGroups[name] }));
}

export interface FormFacts {
  stored: readonly StoredSetting[];
  /** the values in force, by key */
  effective: Readonly<Record<string, unknown>>;
  env: Record<string, string | undefined>;
  /** set when a save was refused: what was typed, and what was wrong with it */
  typed?: URLSearchParams;
  problems?: readonly SettingProblem[];
}

/** The fields of one group, as the form shows them. */
export function settingFields(group: SettingGroup, facts: FormFacts): SettingField[] {
  return settingsOf(group)
    .filter((spec) => spec.scope === 'cluster')
    .map((spec) => settingField(spec, facts));
}

function settingField(spec: DescribedSetting, facts: FormFacts): SettingField {
  const stored = facts.stored.find((s) => s.key === spec.key);
  const override = isClusterKey(spec.key) ? overriddenBy(spec.key, facts.env) : null;
  const inForce = facts.effective[spec.key] ?? stored?.value ?? spec.default;
  const problem = facts.problems?.find((p) => p.key === spec.key);
  const theirs = problem && 'current' in problem ? valueWords(spec, problem.current ?? spec.default) : null;
  return {
    key: spec.key,
    id: `s-${spec.key.replaceAll('.', '-')}`,
    label: spec.label,
    help: spec.help,
    type:
      spec.type === 'boolean'
        ? 'boolean'
        : spec.type === 'choice'
          ? 'choice'
          : spec.type === 'integer' || spec.type === 'number'
            ? 'number'
            : 'text',
    value: facts.typed && !override ? typedValue(spec, facts.typed) : inputValue(inForce),
    // after a conflict the form carries the version the person has now seen, so that saving again is a decision
    version: facts.typed && theirs === null ? postedVersion(spec.key, facts.typed) : (stored?.version ?? 0),
    defaultWords: valueWords(spec, spec.default),
    limits: limitWords(spec),
    unit: spec.unit ?? null,
    min: spec.min ?? null,
    max: spec.max ?? null,
    step: spec.type === 'integer' ? '1' : spec.type === 'number' ? 'any' : null,
    choices: spec.choices ?? [],
    changed: stored !== undefined && stored.value !== null && JSON.stringify(stored.value) !== JSON.stringify(spec.default),
    override,
    problem: problem ? problemSentence(spec.label, problem.problem) : null,
    theirs,
    typedWords: facts.typed ? valueWords(spec, typedAs(spec, typedValue(spec, facts.typed))) : '',
    was: facts.typed && theirs === null ? (facts.typed.get(`was:${spec.key}`) ?? inputValue(inForce)) : inputValue(inForce),
  };
}

/**
 * The changes a posted form asks for: only what differs from what is in force, so that saving a page does not freeze
 * every default. An overridden setting is never changed.
 */
export function readChanges(group: SettingGroup, form: URLSearchParams, facts: FormFacts): SettingChange[] {
  const changes: SettingChange[] = [];
  for (const spec of settingsOf(group)) {
    if (spec.scope !== 'cluster' || !isClusterKey(spec.key) || overriddenBy(spec.key, facts.env)) continue;
    // an unchecked box is not sent at all, so the hidden version field tells whether the field was on the form
    const version = form.get(`v:${spec.key}`);
    if (version === null || !/^\d{1,9}$/.test(version)) continue;
    const stored = facts.stored.find((s) => s.key === spec.key);
    const typed = typedValue(spec, form);
    const before = form.get(`was:${spec.key}`) ?? inputValue(stored?.value ?? spec.default);
    if (typed === before) continue;
    changes.push({ key: spec.key, value: typedAs(spec, typed), version: Number(version) });
  }
  return changes;
}

function postedVersion(key: string, form: URLSearchParams): number {
  const version = form.get(`v:${key}`) ?? '';
  return /^\d{1,9}$/.test(version) ? Number(version) : 0;
}

/** A number stays a number where it is one; everything else goes on as typed, and the check says what is wrong with it. */
function typedAs(spec: DescribedSetting, typed: string): unknown {
  if (spec.type === 'boolean') return typed === 'on';
  if (spec.type === 'integer' || spec.type === 'number') {
    const number = Number(typed.trim().replace(',', '.'));
    return typed.trim() !== '' && Number.isFinite(number) ? number : typed;
  }
  return typed;
}

function typedValue(spec: DescribedSetting, form: URLSearchParams): string {
  const raw = form.get(spec.key);
  if (spec.type === 'boolean') return raw === 'on' ? 'on' : '';
  return (raw ?? '').replaceAll('\0', '').slice(0, 5000).toWellFormed();
}

function inputValue(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : '';
  return value === null || value === undefined
    ? ''
    : typeof value === 'string' || typeof value === 'number'
      ? String(value)
      : JSON.stringify(value);
}

/** A value as a person reads it: the words of a choice, on or off, the number with its unit. */
export function valueWords(spec: Pick<DescribedSetting, 'choices' | 'unit'>, value: unknown): string {
  if (value === null || value === undefined) return 'not set';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  const choice = spec.choices?.find((c) => c.value === value);
  if (choice) return choice.label;
  return `${typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value)}${spec.unit ? ` ${spec.unit}` : ''}`;
}

function limitWords(spec: DescribedSetting): string | null {
  if (spec.min === undefined && spec.max === undefined) return null;
  if (spec.min === undefined) return `at most ${spec.max}`;
  return spec.max === undefined ? `at least ${spec.min}` : `${spec.min} to ${spec.max}`;
}

/** A problem completes "<label> …"; one that is a whole sentence stays as it is. */
export function problemSentence(label: string, problem: string): string {
  if (/^[A-Z]/.test(problem)) return problem;
  return `${label} ${problem}${problem.endsWith('.') ? '' : '.'}`;
}

/** One change as the books have it. */
export type ChangeRow = Omit<SettingChangeRow, 'id'>;

export function changeLine(row: ChangeRow): ChangeLine {
  // a key that this version does not know was written by another one; its value is shown as it is
  const spec = isClusterKey(row.key) ? specOf(row.key) : null;
  const words = (value: unknown): string => {
    const text = valueWords(spec ?? {}, value ?? spec?.default ?? null);
    return text.length > 200 ? `${text.slice(0, 200)}…` : text;
  };
  return {
    label: spec?.label ?? row.key,
    before: words(row.oldValue),
    after: words(row.newValue),
    at: row.at,
    by: row.by,
    via: viaWords[row.via] ?? row.via,
  };
}

const viaWords: Record<string, string> = { page: 'on the page', api: 'by the API', cli: 'on the command line', system: 'by itself' };
