import type { Profile } from '../../core/profile.ts';
import type { MediaFileRow } from '../../db/media-files.ts';
import { codecTone, count, sizeParts, type Tone } from '../format.ts';
import type { CodecBar } from './codec-bar.ts';
import type { FileList } from './file-page.ts';
import { profileFields, type ProfileField } from '../../core/profile-fields.ts';
import { fieldValues, type LibraryFormResult } from './profile-form.ts';
import type { LibraryOrigin, ScanningForm } from './library-source.ts';
import type { LibraryView, ScanView } from './library.ts';
import { formatWords } from './queue.ts';

export interface AddForm {
  path: string;
  name: string;
  problem: string | null;
  /** nothing is converted before a person says so */
  lookFirst: boolean;
  /** on which machine the folder is; '' is the coordinating one */
  node: string;
  /** to choose from; empty while there is only one */
  machines: Machine[];
}

export interface Machine {
  id: string;
  name: string;
}

/** Members by name, the coordinating one first; none while there is only one, because then nothing is to be chosen. */
export function machineChoices(nodes: readonly { id: string; name: string; standing: string }[], coordinator: string | null): Machine[] {
  const members = nodes.filter((n) => n.standing === 'approved').map(({ id, name }) => ({ id, name }));
  const first = members.filter((n) => n.id === coordinator);
  return members.length < 2 ? [] : [...first, ...members.filter((n) => n.id !== coordinator)];
}

/** A form that tells another machine where it has this library. */
export interface LocateForm {
  libraryId: number;
  machines: Machine[];
  node: string;
  path: string;
  problem: string | null;
  /** the library lies in this folder below the path that is asked for; '' when they are one */
  folder: string;
}

export interface LibraryList {
  libraries: LibraryView[];
  add: AddForm;
  now: Date;
}

export interface CardView {
  library: LibraryView;
  now: Date;
}
export interface ProblemView {
  library: LibraryView;
}
export interface BarView {
  bar: CodecBar;
}
export interface AddView {
  add: AddForm;
}

export interface Win {
  fileId: number;
  title: string;
  detail: string;
  path: string;
  tone: Tone;
  format: string;
  sizeBytes: number;
  newBytes: number | null;
}
export interface WinsView {
  wins: Win[];
}

export interface LibraryPage {
  library: LibraryView;
  figure: { value: string; unit: string };
  wins: Win[];
  files: FileList;
  scans: ScanView[];
  locate: LocateForm;
  origin: LibraryOrigin | null;
  scanning: ScanningForm | null;
  now: Date;
}

export function winOf(file: MediaFileRow): Win {
  return {
    fileId: file.id,
    title: file.title || 'Untitled',
    detail: file.detail,
    path: file.path,
    tone: codecTone(file.codec),
    format: formatWords(file),
    sizeBytes: file.sizeBytes,
    newBytes: file.expectedBytes,
  };
}

export function libraryFigure(library: LibraryView): { value: string; unit: string } {
  return sizeParts(library.bytes);
}

/** One field of the rules, ready to be shown. */
export interface RuleField {
  key: string;
  type: ProfileField['type'];
  label: string;
  help: string;
  /** "14 to 34." or '' */
  limits: string;
  min: string;
  max: string;
  step: string;
  unit: string;
  value: string;
  checked: boolean;
  choices: { value: string; label: string; chosen: boolean }[];
  problem: string;
  describedBy: string;
}

export interface RuleView {
  f: RuleField;
}

export interface RulesPage {
  id: number;
  name: string;
  enabled: boolean;
  priority: string;
  fields: RuleField[];
  /** sentences beside the fields above the rules; '' when all is well */
  nameProblem: string;
  summary: { id: string; text: string }[];
}

/** The form as it is stored, or as it was just typed together with what is wrong with it. */
export function rulesPage(
  library: { id: number; name: string; enabled: boolean; priority: string; profile: Profile },
  typed: { form: URLSearchParams; result: LibraryFormResult } | null,
  further: Record<string, string> = {},
): RulesPage {
  const problems = { ...typed?.result.problems, ...further };
  const values = fieldValues(library.profile, typed?.form ?? null);
  const labels = new Map<string, string>([
    ['name', 'Name'],
    ['priority', 'Priority'],
    ...profileFields.map((f) => [f.key, f.label] as [string, string]),
  ]);
  return {
    id: library.id,
    name: typed ? (typed.form.get('name') ?? '').slice(0, 400) : library.name,
    enabled: typed ? typed.result.enabled : library.enabled,
    priority: typed ? (typed.form.get('priority') ?? '') : library.priority,
    fields: profileFields.map((field) => ruleField(field, values[field.key] ?? '', problems[field.key])),
    nameProblem: problems['name'] ? `Name ${problems['name']}.` : '',
    summary: Object.entries(problems).map(([key, problem]) => ({ id: `f-${key}`, text: `${labels.get(key) ?? key} ${problem}.` })),
  };
}

function ruleField(field: ProfileField, value: string | string[], problem: string | undefined): RuleField {
  const values = [value].flat();
  return {
    key: field.key,
    type: field.type,
    label: field.label,
    help: field.help,
    limits: field.min === undefined || field.max === undefined ? '' : `Allowed: ${count(field.min)} to ${count(field.max)}.`,
    min: String(field.min ?? ''),
    max: String(field.max ?? ''),
    step: String(field.step ?? 1),
    unit: field.unit ?? '',
    value: values.join('\n'),
    checked: value === 'on',
    choices: (field.choices ?? []).map((choice) => ({ ...choice, chosen: values.includes(choice.value) })),
    problem: problem ? `${field.label} ${problem}.` : '',
    describedBy: problem ? `h-${field.key} p-${field.key}` : `h-${field.key}`,
  };
}
