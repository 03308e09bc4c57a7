import type { Senses } from '../core/manners.ts';
import type { Ask, Feeler } from './senses.ts';

/** macOS: pmset(1) for power and heat, the registry of input devices for use. It tells a warning instead of degrees. */
export function macSenses(ask: Ask): Feeler['feel'] {
  return async (wanted) => {
    const [power, heat, use] = await Promise.all([
      ask('/usr/bin/pmset', ['-g', 'batt']),
      ask('/usr/bin/pmset', ['-g', 'therm']),
      wanted.use ? ask('/usr/sbin/ioreg', ['-c', 'IOHIDSystem', '-d', '4', '-r', '-k', 'HIDIdleTime']) : null,
    ]);
    const idleMs = use === null ? null : parseIdle(use);
    const senses = { ...parsePower(power ?? ''), celsius: null, marginCelsius: null, heatWarning: parseHeat(heat ?? ''), idleMs };
    const lacks = [
      ...(senses.onBattery === null ? ['The system does not say whether it runs on battery.'] : []),
      ...(senses.heatWarning === null ? ['The system does not say whether it is too hot.'] : []),
      ...(wanted.use && idleMs === null ? ['The system does not say whether somebody uses it.'] : []),
    ];
    return { senses, lacks };
  };
}

/** `pmset -g batt`: "Now drawing from 'Battery Power'", then one line per battery. */
export function parsePower(said: string): Pick<Senses, 'onBattery' | 'batteryPercent'> {
  const [, source] = /drawing from '([^']{1,40})'/.exec(said) ?? [];
  const [, percent] = /\b(\d{1,3})%;/.exec(said) ?? [];
  const onBattery = source === undefined ? null : source === 'Battery Power' || source === 'UPS Power';
  return { onBattery, batteryPercent: percent === undefined ? null : Math.min(100, Number(percent)) };
}

/** `pmset -g therm`: notes while all is well, a level when not; Intel machines tell how far they are slowed down. */
export function parseHeat(said: string): boolean | null {
  if (!/therm|CPU_/i.test(said)) return null;
  const [, level] = /thermal warning level[^\n=]*=\s*(\d{1,4})/i.exec(said) ?? [];
  const [, speed] = /CPU_Speed_Limit\s*=\s*(\d{1,4})/.exec(said) ?? [];
  const [, scheduler] = /CPU_Scheduler_Limit\s*=\s*(\d{1,4})/.exec(said) ?? [];
  // slowed down a little is how they work all day
  return Number(level ?? 0) > 0 || Number(speed ?? 100) < 50 || Number(scheduler ?? 100) < 100;
}

/** Nanoseconds since the last key or pointer; the smallest of several devices. */
export function parseIdle(said: string): number | null {
  const all = [...said.matchAll(/"HIDIdleTime"\s*=\s*(\d{1,20})/g)].map((match) => Number(match[1]) / 1e6);
  return all.length === 0 ? null : Math.min(...all);
}
