import { defaultProfile, type Profile } from './profile.ts';

/**
 * Every wish of a profile, once: its limits and its words. The form on the library's page, what the API and the commands
 * accept, and the rules in words follow from this list, so that the page can never show a field that is not checked.
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
    key: 'codec',
    type: 'choice',
    label: 'New format',
    help: 'HEVC plays on nearly everything since 2016. AV1 is smaller still, and needs players from about 2021 on.',
    choices: [
      { value: 'hevc', label: 'HEVC (H.265)' },
      { value: 'av1', label: 'AV1' },
    ],
  },
  {
    key: 'target',
    type: 'choice',
    label: 'How good',
    help: 'A goal is measured: short pieces of each film are tried until the setting that reaches it is found, whatever machine encodes it.',
    choices: [
      { value: 'number', label: 'The number below' },
      { value: 'visually-lossless', label: 'Not to be told from the original' },
      { value: 'very-good', label: 'Very good' },
      { value: 'good', label: 'Good, small' },
    ],
  },
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
    key: 'verification',
    type: 'choice',
    label: 'Check before replacing',
    help: 'Everything is always counted and decoded. Comparing pictures takes a little longer; a second look is taken by another machine.',
    choices: [
      { value: 'inventory', label: 'Count and decode everything' },
      { value: 'pictures', label: 'Compare pictures as well' },
      { value: 'second-look', label: 'Another machine checks, and compares pictures' },
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
    key: 'maxSizeMb',
    type: 'number',
    min: 0,
    max: 100_000_000,
    step: 1,
    unit: 'MB',
    label: 'Leave files alone above',
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
    key: 'minAgeHours',
    type: 'number',
    min: 0,
    max: 87_600,
    step: 1,
    unit: 'hours',
    label: 'Wait until a file is this old',
    help: 'Since it was added or last changed; it is looked at again by itself then. 0 means at once. A week is 168.',
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
    key: 'include',
    type: 'lines',
    label: 'Look only at',
    help: 'One pattern a line, for example Films/** or *.mkv. Empty means everything.',
  },
  {
    key: 'exclude',
    type: 'lines',
    label: 'Leave alone',
    help: 'One pattern a line, for example Extras/** or *sample*. It is matched with the path inside the library.',
  },
];

/** What is wrong with a change of a profile, one sentence for each; empty when it may be saved. Unknown keys are wrong. */
export function profileProblems(change: object): { key: string; problem: string }[] {
  return Object.entries(change).flatMap(([key, value]) => {
    const field = profileFields.find((f) => f.key === key);
    const problem = field ? problemOf(field, value) : 'is not part of a profile';
    return problem ? [{ key, problem }] : [];
  });
}

/** Profiles of an earlier version lack what was added since: the defaults fill it in. */
export function wholeProfile(profile: Partial<Profile>): Profile {
  return { ...defaultProfile, ...profile };
}

function problemOf(field: ProfileField, value: unknown): string | null {
  switch (field.type) {
    case 'integer':
    case 'number':
      return numberProblem(field, value);
    case 'boolean':
      return typeof value === 'boolean' ? null : 'must be on or off';
    case 'choice':
      return namesOf(field).includes(value as string) ? null : `must be ${listed(namesOf(field))}`;
    case 'choices':
      return Array.isArray(value) && value.every((v) => namesOf(field).includes(v as string))
        ? null
        : `may hold only ${listed(namesOf(field))}`;
    case 'lines':
      return patternProblem(value);
  }
}

function numberProblem(field: ProfileField, value: unknown): string | null {
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'must be a number';
  if (field.type === 'integer' && !Number.isInteger(value)) return 'must be a whole number';
  if (field.min !== undefined && value < field.min) return `must be ${field.min} or more`;
  if (field.max !== undefined && value > field.max) return `must be ${field.max} or less`;
  return null;
}

function patternProblem(value: unknown): string | null {
  if (!Array.isArray(value) || !value.every((p): p is string => typeof p === 'string' && p.length > 0)) return 'must be a list of patterns';
  if (value.length > 100) return 'has more than 100 patterns';
  if (value.some((p) => p.length > 300)) return 'has a pattern of more than 300 characters';
  return value.some((p) => p.includes('\0')) ? 'has a pattern with a zero byte' : null;
}

function namesOf(field: ProfileField): string[] {
  return (field.choices ?? []).map((choice) => choice.value);
}

function listed(names: string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
