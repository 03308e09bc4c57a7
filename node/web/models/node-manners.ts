import { defaultManners, mannersOf, type Manners } from '../../core/manner-wishes.ts';

/** What a machine is wished to be considerate of, and what it feels of it, in words. */
export interface MannersFact {
  label: string;
  value: string;
}

/** @param told what the machine told last of its conduct; null while it is away. It may be anything. */
export function mannersFacts(stored: unknown, told: unknown): MannersFact[] {
  const { onBattery, batteryPercent, celsius, lacks } = (typeof told === 'object' && told !== null ? told : {}) as Record<string, unknown>;
  const wished = mannersInWords(mannersOf(stored));
  // what every machine does needs no word
  const facts: MannersFact[] = wished === mannersInWords(defaultManners) ? [] : [{ label: 'Consideration', value: wished }];
  if (typeof onBattery === 'boolean') facts.push({ label: 'Power', value: power(onBattery, batteryPercent) });
  if (typeof celsius === 'number') facts.push({ label: 'Temperature', value: `${Math.round(celsius)} °C` });
  const sentences = Array.isArray(lacks) ? lacks.filter((lack) => typeof lack === 'string').slice(0, 8) : [];
  if (sentences.length > 0) facts.push({ label: 'Not felt here', value: sentences.join(' ') });
  return facts;
}

/** "Pauses on battery, when hot; a little behind other programs" */
export function mannersInWords(manners: Manners): string {
  const below = manners.batteryBelow < 100 ? ` below ${manners.batteryBelow} %` : '';
  const pauses = [
    manners.onBattery === 'pause' ? `on battery${below}` : '',
    manners.whenHot === 'pause' ? (manners.hotAbove === null ? 'when hot' : `above ${manners.hotAbove} °C`) : '',
    manners.whenUsed === 'pause' ? 'while used' : '',
    manners.afterHours === 'pause' ? 'when its hours end' : '',
  ].filter(Boolean);
  const words = [
    pauses.length > 0 ? `pauses ${pauses.join(', ')}` : 'never pauses by itself',
    manners.whenUsed === 'fewer' ? 'one encode while used' : '',
    { normal: 'not behind other programs', low: 'a little behind other programs', idle: 'only what nobody else needs' }[manners.niceness],
    manners.coresFree > 0 ? `${manners.coresFree} processors left free` : '',
    manners.keepAwake ? '' : 'not kept awake',
  ].filter(Boolean);
  const text = words.join('; ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function power(onBattery: boolean, percent: unknown): string {
  const charge = typeof percent === 'number' && percent >= 0 && percent <= 100 ? `${Math.round(percent)} %` : '';
  return [onBattery ? 'On battery' : 'Plugged in', charge].filter(Boolean).join(', ');
}
