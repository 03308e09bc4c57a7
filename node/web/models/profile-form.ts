import * as v from 'valibot';
import { priorities, type Priority } from '../../core/job.ts';
import { defaultProfile, type Profile } from '../../core/profile.ts';

/**
 * The form of a library's rules. One list describes every field; the form, its validation and the rules in words follow
 * from it, so that the page can never show a field that is not checked.
 */
export interface ProfileField {
  key: keyof Profile;
  type: 'integer' | 'number' | 'boolean' | 'choice' | 'choices' | 'lines';
  label: string;
  help: string;
  min?: number;
  max?: number;
  step?: number;
  unit?: string;
  choices?: readonly { value: string; label: string }[];
}

export const profileFields: readonly ProfileField[] = [
  {
    key: 'quality',
    type: 'integer',
    min: 14,
    max: 34,
    label: 'Quality',
    help: 'Lower is better and bigger: 18 is hard to tell from the original, 22 is very good, 28 is small.',
  },
  {
    key: 'speed',
    type: 'choice',
    label: 'Speed',
    help: 'Slower makes smaller files of the same quality.',
    choices: [
      { value: 'fast', label: 'Fast' },
      { value: 'medium', label: 'Medium' },
      { value: 'slow', label: 'Slow, smaller files' },
    ],
  },
  {
    key: 'tenBit',
    type: 'boolean',
    label: 'Encode in 10 bit',
    help: 'Fewer bands in dark scenes and a little smaller. Some players from before 2016 only play 8 bit.',
  },
  {
    key: 'encoder',
    type: 'choice',
    label: 'Encoder',
    help: 'Hardware is much faster; software makes smaller files of the same quality.',
    choices: [
      { value: 'auto', label: 'The best this machine has' },
      { value: 'hardware', label: 'Hardware only' },
      { value: 'software', label: 'Software only' },
    ],
  },
  {
    key: 'minSavingPercent',
    type: 'number',
    min: 0,
    max: 90,
    step: 1,
    unit: '%',
    label: 'Smallest worthwhile saving',
    help: 'When the HEVC file is not at least this much smaller, the original stays.',
  },
  {
    key: 'minBitsPerPixel',
    type: 'number',
    min: 0,
    max: 1,
    step: 0.005,
    label: 'Already efficient below',
    help: 'Bits per pixel. A file with fewer is left alone, because little could be won. 0 switches the rule off.',
  },
  {
    key: 'minSizeMb',
    type: 'number',
    min: 0,
    max: 1_000_000,
    step: 1,
    unit: 'MB',
    label: 'Leave files alone below',
    help: '0 means every size.',
  },
  {
    key: 'minDurationSeconds',
    type: 'number',
    min: 0,
    max: 86_400,
    step: 1,
    unit: 'seconds',
    label: 'Leave films alone that are shorter than',
    help: '0 means every length.',
  },
  {
    key: 'interlaced',
    type: 'choice',
    label: 'Interlaced video',
    help: 'Deinterlacing cannot be undone, except while the original is in the trash.',
    choices: [
      { value: 'skip', label: 'Leave alone' },
      { value: 'deinterlace', label: 'Make it progressive' },
    ],
  },
  {
    key: 'hdr',
    type: 'choice',
    label: 'HDR10 and HLG',
    help: 'Dolby Vision and HDR10+ are always left alone.',
    choices: [
      { value: 'keep', label: 'Convert, keeping HDR' },
      { value: 'skip', label: 'Leave alone' },
    ],
  },
  {
    key: 'hardLinked',
    type: 'choice',
    label: 'Files with further hard links',
    help: 'Seeding or snapshots: replacing one name frees no space and parts the copies.',
    choices: [
      { value: 'skip', label: 'Leave alone' },
      { value: 'replace', label: 'Replace this name' },
    ],
  },
  {
    key: 'alsoEfficient',
    type: 'choices',
    label: 'Also counts as finished',
    help: 'Files in these formats are left alone like HEVC.',
    choices: [
      { value: 'av1', label: 'AV1' },
      { value: 'vp9', label: 'VP9' },
      { value: 'vvc', label: 'H.266' },
    ],
  },
  {
    key: 'remux',
    type: 'boolean',
    label: 'Re-wrap HEVC in old containers',
    help: 'HEVC in AVI or TS moves to Matroska without touching the pictures.',
  },
  {
    key: 'exclude',
    type: 'lines',
    label: 'Leave alone',
    help: 'One pattern a line, for example Extras/** or *sample*. It is matched with the path inside the library.',
  },
];

/** A whole profile from the outside: every limit of the fields above. Unknown keys are refused. */
export const profileSchema = v.strictObject({
  quality: v.pipe(
    v.number(),
    v.integer('must be a whole number'),
    v.minValue(14, 'must be 14 or more'),
    v.maxValue(34, 'must be 34 or less'),
  ),
  speed: v.picklist(['fast', 'medium', 'slow'], 'must be fast, medium or slow'),
  tenBit: v.boolean('must be on or off'),
  encoder: v.picklist(['auto', 'hardware', 'software'], 'must be auto, hardware or software'),
  minSavingPercent: numberBetween(0, 90),
  minBitsPerPixel: numberBetween(0, 1),
  minSizeMb: numberBetween(0, 1_000_000),
  minDurationSeconds: numberBetween(0, 86_400),
  interlaced: v.picklist(['skip', 'deinterlace'], 'must be skip or deinterlace'),
  hdr: v.picklist(['keep', 'skip'], 'must be keep or skip'),
  hardLinked: v.picklist(['skip', 'replace'], 'must be skip or replace'),
  alsoEfficient: v.pipe(v.array(v.picklist(['av1', 'vp9', 'vvc'])), v.maxLength(3)),
  remux: v.boolean('must be on or off'),
  exclude: v.pipe(
    v.array(
      v.pipe(
        v.string(),
        v.minLength(1),
        v.maxLength(300, 'has a pattern of more than 300 characters'),
        v.check((p) => !p.includes('\0'), 'has a pattern with a zero byte'),
      ),
    ),
    v.maxLength(100, 'has more than 100 patterns'),
  ),
});

export interface LibraryFormResult {
  profile: Profile;
  name: string;
  enabled: boolean;
  priority: Priority;
  /** sentences by field; empty when everything may be saved */
  problems: Record<string, string>;
}

/** Reads the posted form. What cannot be read keeps the raw text in `values`, so that nothing typed is lost. */
export function readLibraryForm(form: URLSearchParams): LibraryFormResult {
  const raw = Object.fromEntries(profileFields.map((field) => [field.key, readField(field, form)]));
  const parsed = v.safeParse(profileSchema, raw);
  const problems: Record<string, string> = {};
  for (const issue of parsed.issues ?? []) problems[String(issue.path?.[0]?.key ?? '')] ??= issue.message;
  const name = (form.get('name') ?? '').replaceAll('\0', '').toWellFormed().trim();
  if (name.length < 1 || name.length > 200) problems['name'] = 'must have 1 to 200 characters';
  const priority = priorities.find((p) => p === form.get('priority'));
  if (!priority) problems['priority'] = 'must be high, normal or low';
  return {
    profile: parsed.success ? parsed.output : defaultProfile,
    name,
    enabled: form.get('enabled') === 'on',
    priority: priority ?? 'normal',
    problems,
  };
}

/** What the form shows in each field: what was just typed, or what the profile says. */
export function fieldValues(profile: Profile, typed: URLSearchParams | null): Record<string, string | string[]> {
  return Object.fromEntries(profileFields.map((field) => [field.key, typed ? typedValue(field, typed) : storedValue(field, profile)]));
}

function typedValue(field: ProfileField, form: URLSearchParams): string | string[] {
  return field.type === 'choices' ? form.getAll(field.key) : (form.get(field.key) ?? '');
}

function storedValue(field: ProfileField, profile: Profile): string | string[] {
  const value = { ...defaultProfile, ...profile }[field.key];
  if (Array.isArray(value)) return field.type === 'lines' ? value.join('\n') : [...value];
  return typeof value === 'boolean' ? (value ? 'on' : '') : String(value);
}

function readField(field: ProfileField, form: URLSearchParams): unknown {
  const text = (form.get(field.key) ?? '').trim();
  switch (field.type) {
    case 'integer':
    case 'number':
      return text === '' ? Number.NaN : Number(text.replace(',', '.'));
    case 'boolean':
      return text === 'on';
    case 'choices':
      return form.getAll(field.key);
    case 'lines':
      return text
        .toWellFormed()
        .split(/\r?\n/)
        .map((line) => line.trim())
        .filter(Boolean);
    case 'choice':
      return text;
  }
}

function numberBetween(min: number, max: number) {
  return v.pipe(v.number('must be a number'), v.minValue(min, `must be ${min} or more`), v.maxValue(max, `must be ${max} or less`));
}

/** The rules of a library in sentences a person can check at a glance. */
export function rulesInWords(profile: Profile): string[] {
  const p = { ...defaultProfile, ...profile };
  const lines = [
    `Converts to HEVC at quality ${p.quality}, ${p.tenBit ? '10 bit' : 'in the bit depth of the original'}, ${p.speed} speed${p.encoder === 'auto' ? '' : `, with ${p.encoder} encoders only`}.`,
    `Keeps the original unless the new file is at least ${p.minSavingPercent} % smaller.`,
  ];
  const left: string[] = ['HEVC'];
  for (const codec of p.alsoEfficient) left.push({ av1: 'AV1', vp9: 'VP9', vvc: 'H.266' }[codec]);
  left.push('Dolby Vision', 'HDR10+');
  if (p.hdr === 'skip') left.push('HDR10', 'HLG');
  if (p.interlaced === 'skip') left.push('interlaced video');
  if (p.hardLinked === 'skip') left.push('hard-linked files');
  if (p.minSizeMb > 0) left.push(`files under ${p.minSizeMb} MB`);
  if (p.minDurationSeconds > 0) left.push(`films under ${p.minDurationSeconds} seconds`);
  if (p.minBitsPerPixel > 0) left.push('files that are already efficient');
  lines.push(`Leaves alone: ${left.join(', ')}.`);
  if (p.interlaced === 'deinterlace') lines.push('Makes interlaced video progressive.');
  if (p.remux) lines.push('Re-wraps HEVC from old containers without touching the pictures.');
  if (p.exclude.length)
    lines.push(
      `Never touches ${p.exclude.slice(0, 5).join(', ')}${p.exclude.length > 5 ? ` and ${p.exclude.length - 5} more patterns` : ''}.`,
    );
  return lines;
}
