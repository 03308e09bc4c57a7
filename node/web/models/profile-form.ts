import { priorities, type Priority } from '../../core/job.ts';
import { profileFields, profileProblems, wholeProfile, type ProfileField } from '../../core/profile-fields.ts';
import { defaultProfile, type Profile } from '../../core/profile.ts';

/** The form of a library's rules: fields, limits and words are those of core/profile-fields.ts. */
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
  const problems: Record<string, string> = Object.fromEntries(profileProblems(raw).map(({ key, problem }) => [key, problem]));
  const lawful = Object.keys(problems).length === 0;
  const name = (form.get('name') ?? '').replaceAll('\0', '').toWellFormed().trim();
  if (name.length < 1 || name.length > 200) problems['name'] = 'must have 1 to 200 characters';
  const priority = priorities.find((p) => p === form.get('priority'));
  if (!priority) problems['priority'] = 'must be high, normal or low';
  return {
    profile: lawful ? (raw as unknown as Profile) : defaultProfile,
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
  const value = wholeProfile(profile)[field.key];
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

/** The rules of a library in sentences a person can check at a glance. */
export function rulesInWords(profile: Profile): string[] {
  const p = wholeProfile(profile);
  const lines = [
    `Converts to ${p.codec === 'av1' ? 'AV1' : 'HEVC'} at quality ${p.quality}, ${p.tenBit ? '10 bit' : 'in the bit depth of the original'}, ${p.speed} speed${p.encoder === 'auto' ? '' : `, with ${p.encoder} encoders only`}.`,
    `Keeps the original unless the new file is at least ${p.minSavingPercent} % smaller.`,
  ];
  const left: string[] = ['HEVC'];
  if (p.codec === 'av1') left.push('AV1');
  for (const codec of p.alsoEfficient.filter((c) => c !== p.codec)) left.push({ av1: 'AV1', vp9: 'VP9', vvc: 'H.266' }[codec]);
  left.push('Dolby Vision', 'HDR10+');
  if (p.hdr === 'skip') left.push('HDR10', 'HLG');
  if (p.interlaced === 'skip') left.push('interlaced video');
  if (p.hardLinked === 'skip') left.push('hard-linked files');
  if (p.minSizeMb > 0) left.push(`files under ${p.minSizeMb} MB`);
  if (p.maxSizeMb > 0) left.push(`files over ${p.maxSizeMb} MB`);
  if (p.minDurationSeconds > 0) left.push(`films under ${p.minDurationSeconds} seconds`);
  if (p.minBitsPerPixel > 0) left.push('files that are already efficient');
  lines.push(`Leaves alone: ${left.join(', ')}.`);
  if (p.interlaced === 'deinterlace') lines.push('Makes interlaced video progressive.');
  if (p.remux) lines.push('Re-wraps HEVC from old containers without touching the pictures.');
  if (p.minAgeHours > 0)
    lines.push(`Waits until a file is ${p.minAgeHours % 24 === 0 ? `${p.minAgeHours / 24} days` : `${p.minAgeHours} hours`} old.`);
  if (p.include.length)
    lines.push(
      `Looks only at ${p.include.slice(0, 5).join(', ')}${p.include.length > 5 ? ` and ${p.include.length - 5} more patterns` : ''}.`,
    );
  if (p.exclude.length)
    lines.push(
      `Never touches ${p.exclude.slice(0, 5).join(', ')}${p.exclude.length > 5 ? ` and ${p.exclude.length - 5} more patterns` : ''}.`,
    );
  return lines;
}
