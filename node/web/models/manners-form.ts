import { mannersOf, parseManners, type Manners } from '../../core/manner-wishes.ts';
import { whole } from './nodes-page.ts';

/** What a person wishes of the manners of one machine, as fields of its form. */
export interface MannersForm {
  choices: ChoiceField[];
  keepAwake: boolean;
  /** only where the platform lets a program be kept to some processors */
  coresFree: NumberField | null;
}

/** A choice, and with some of its answers a number. */
export interface ChoiceField {
  id: string;
  name: string;
  label: string;
  help: string;
  /** `limited`: the number beside it matters then */
  options: { value: string; label: string; chosen: boolean; limited: boolean }[];
  number: NumberField | null;
}

export interface NumberField {
  id: string;
  name: string;
  label: string;
  value: string;
  min: number;
  max: number;
  unit: string;
  problem: string;
}

export interface MannersView {
  form: MannersForm;
}

/** What was typed; `manners` is null when something of it is not lawful, and {} when the form had no such fields. */
export interface TypedManners {
  manners: Partial<Manners> | null;
  fields: Record<string, string>;
  problems: { id: string; text: string }[];
}

/** A page that was opened before this version has none of the fields: nothing is changed then. */
export function readMannersForm(form: URLSearchParams): TypedManners {
  const typed = Object.fromEntries(names.map((name) => [name, (form.get(name) ?? '').trim().slice(0, 20)]));
  const fields: Record<string, string> = { ...typed, keepAwake: form.has('keepAwake') ? 'on' : '' };
  if (!form.has('onBattery')) return { manners: {}, fields, problems: [] };
  const number = (name: string): number => whole(fields[name] ?? '', 0, 1000) ?? NaN;
  const { onBattery, whenHot, coresFree } = fields;
  const { manners, problems } = parseManners({
    onBattery: onBattery === 'below' ? 'pause' : onBattery,
    ...(onBattery === 'run' ? {} : { batteryBelow: onBattery === 'below' ? number('batteryBelow') : 100 }),
    whenHot: whenHot === 'above' ? 'pause' : whenHot,
    ...(whenHot === 'run' ? {} : { hotAbove: whenHot === 'above' ? number('hotAbove') : null }),
    whenUsed: fields['whenUsed'],
    ...(fields['whenUsed'] === 'run' ? {} : { idleMinutes: number('idleMinutes') }),
    niceness: fields['niceness'],
    ...(form.has('coresFree') ? { coresFree: coresFree === '' ? 0 : number('coresFree') } : {}),
    afterHours: fields['afterHours'],
    keepAwake: form.has('keepAwake'),
  });
  const told = problems.map(({ name, problem }) => ({ id: `f-${name}`, text: problem }));
  return { manners: told.length > 0 ? null : manners, fields, problems: told };
}

/** The fields as they are stored, or as they were typed when something has to be typed again. */
export function mannersForm(stored: unknown, platform: string, typed: TypedManners | null): MannersForm {
  const fields = typed?.fields['onBattery'] ? typed.fields : fieldsOf(mannersOf(stored));
  const problem = (name: string): string => typed?.problems.find((p) => p.id === `f-${name}`)?.text ?? '';
  const number = (name: string, label: string, min: number, max: number, unit: string): NumberField => ({
    ...{ id: `f-${name}`, name, label, min, max, unit },
    value: fields[name] ?? '',
    problem: problem(name),
  });
  const choice = (name: string, label: string, help: string, words: Record<string, string>, extra: NumberField | null): ChoiceField => ({
    ...{ id: `f-${name}`, name, label, help, number: extra },
    options: Object.entries(words).map(([value, text]) => ({
      value,
      label: text,
      chosen: value === fields[name],
      limited: limited.has(`${name} ${value}`),
    })),
  });
  return {
    choices: [
      choice(
        'onBattery',
        'On battery',
        'A running encode stands still and goes on where it was when the machine is plugged in.',
        { pause: 'Pause', below: 'Pause below a charge', run: 'Go on' },
        number('batteryBelow', 'Charge', 1, 100, '%'),
      ),
      choice(
        'whenHot',
        'When it is hot',
        'Pauses until it has cooled down. By itself: shortly before the machine would switch itself off.',
        { pause: 'Pause by itself', above: 'Pause above a temperature', run: 'Go on' },
        number('hotAbove', 'Temperature', 40, 120, '°C'),
      ),
      choice(
        'whenUsed',
        'While somebody uses it',
        'Nobody uses it once it was not touched for so long.',
        { run: 'Go on', fewer: 'One encode at once', pause: 'Pause' },
        number('idleMinutes', 'Not touched for', 1, 240, 'min'),
      ),
      choice(
        'niceness',
        'Behind other programs',
        'Whose work comes first. Holds from the next file on.',
        { normal: 'Not at all', low: 'A little', idle: 'Only what nobody else needs' },
        null,
      ),
      choice(
        'afterHours',
        'When its hours end',
        'Of the hours above. What is paused goes on where it was when the next hours begin.',
        { finish: 'Finish what runs', pause: 'Pause what runs' },
        null,
      ),
    ],
    keepAwake: fields['keepAwake'] === 'on',
    // only there encodes can be kept to some processors (ffmpeg/courtesy.ts)
    coresFree: platform.toLowerCase().startsWith('linux') ? number('coresFree', 'Processors left free', 0, 256, '') : null,
  };
}

/** Answers that need the number beside them. */
const limited = new Set(['onBattery below', 'whenHot above', 'whenUsed fewer', 'whenUsed pause']);
const names = ['onBattery', 'batteryBelow', 'whenHot', 'hotAbove', 'whenUsed', 'idleMinutes', 'niceness', 'coresFree', 'afterHours'];
/** Offered when a person chooses to pause from some limit on. */
const OFFERED = { batteryBelow: 40, hotAbove: 85 };

function fieldsOf(manners: Manners): Record<string, string> {
  const below = manners.batteryBelow < 100;
  return {
    onBattery: manners.onBattery === 'pause' && below ? 'below' : manners.onBattery,
    batteryBelow: String(below ? manners.batteryBelow : OFFERED.batteryBelow),
    whenHot: manners.whenHot === 'pause' && manners.hotAbove !== null ? 'above' : manners.whenHot,
    hotAbove: String(manners.hotAbove ?? OFFERED.hotAbove),
    whenUsed: manners.whenUsed,
    idleMinutes: String(manners.idleMinutes),
    niceness: manners.niceness,
    coresFree: String(manners.coresFree),
    afterHours: manners.afterHours,
    keepAwake: manners.keepAwake ? 'on' : '',
  };
}
