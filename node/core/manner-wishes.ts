/**
 * How politely a machine of a household works: what a person wishes of one node. The defaults are those of a guest who
 * wants to be asked again: never at the cost of a battery, never where it is too hot, behind everything else.
 */
export type Manners = {
  onBattery: 'pause' | 'run';
  /** pause only below this charge, in percent; 100: always while on battery */
  batteryBelow: number;
  whenHot: 'pause' | 'run';
  /** degrees Celsius; null: shortly before the machine would switch itself off */
  hotAbove: number | null;
  /** a person uses the machine: go on, go on with one encode only, stand still */
  whenUsed: 'run' | 'fewer' | 'pause';
  /** not touched for so long, nobody uses it */
  idleMinutes: number;
  /** how far behind other programs an encode stands; holds from the next encode on */
  niceness: Niceness;
  /** processors that encodes leave to others, where the platform can */
  coresFree: number;
  /** when the allowed hours end: finish what runs, or stand still until the next ones begin */
  afterHours: 'finish' | 'pause';
  /** the machine does not fall asleep by itself while it encodes */
  keepAwake: boolean;
};

export type Niceness = 'normal' | 'low' | 'idle';

export const defaultManners: Manners = {
  onBattery: 'pause',
  batteryBelow: 100,
  whenHot: 'pause',
  hotAbove: null,
  whenUsed: 'run',
  idleMinutes: 5,
  niceness: 'low',
  coresFree: 0,
  afterHours: 'finish',
  keepAwake: true,
};

/** What a row or a message of another version holds, made whole: what is missing or not lawful is the default. */
export function mannersOf(stored: unknown): Manners {
  const given = isRecord(stored) ? stored : {};
  const lawful = Object.entries(rules).filter(([name, rule]) => name in given && rule.holds(given[name]));
  return { ...defaultManners, ...Object.fromEntries(lawful.map(([name]) => [name, given[name]])) };
}

/** Checks what a form or the API sent, which may name only some. All problems at once, each a sentence for the person. */
export function parseManners(input: unknown): { manners: Partial<Manners>; problems: { name: string; problem: string }[] } {
  if (!isRecord(input)) return { manners: {}, problems: [{ name: '', problem: 'Manners must be named one by one.' }] };
  const problems = Object.entries(input).flatMap(([name, value]) => {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof Manners] : null;
    if (!rule) return [{ name: name.slice(0, 60), problem: `There is no wish called ${name.slice(0, 60)}.` }];
    return rule.holds(value) ? [] : [{ name, problem: rule.says }];
  });
  return { manners: problems.length > 0 ? {} : (input as Partial<Manners>), problems };
}

interface Rule {
  holds(value: unknown): boolean;
  says: string;
}

const rules: Record<keyof Manners, Rule> = {
  onBattery: oneOf('On battery', ['pause', 'run']),
  batteryBelow: whole('The charge below which it pauses', 1, 100, 'percent'),
  whenHot: oneOf('When it is hot', ['pause', 'run']),
  hotAbove: orNull(whole('The temperature above which it pauses', 40, 120, 'degrees')),
  whenUsed: oneOf('While somebody uses it', ['run', 'fewer', 'pause']),
  idleMinutes: whole('The time after which nobody uses it', 1, 240, 'minutes'),
  niceness: oneOf('Its place behind other programs', ['normal', 'low', 'idle']),
  coresFree: whole('The number of processors left free', 0, 256),
  afterHours: oneOf('What happens when its hours end', ['finish', 'pause']),
  keepAwake: { holds: (value) => typeof value === 'boolean', says: 'Whether it is kept awake is true or false.' },
};

function oneOf(what: string, words: string[]): Rule {
  return { holds: (value) => typeof value === 'string' && words.includes(value), says: `${what} is one of ${words.join(', ')}.` };
}

function whole(what: string, min: number, max: number, unit = ''): Rule {
  return {
    holds: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    says: `${what} is a whole number from ${min} to ${max}${unit && ` ${unit}`}.`,
  };
}

function orNull(rule: Rule): Rule {
  return { holds: (value) => value === null || rule.holds(value), says: rule.says };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
