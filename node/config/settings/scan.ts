import type { SettingSpec } from '../setting.ts';

/** When libraries are looked through by themselves, and how long a new file is left alone. */
export const scanSettings = {
  'scan.everyMinutes': {
    scope: 'cluster',
    group: 'scan',
    type: 'integer',
    default: 60,
    min: 0,
    max: 10080,
    unit: 'minutes',
    env: 'CODECSHIFT_SCAN_EVERY',
    label: 'Look for new files every',
    help: '0 means only when you ask for it.',
  },
  'scan.settleSeconds': {
    scope: 'cluster',
    group: 'scan',
    type: 'integer',
    default: 120,
    min: 0,
    max: 86400,
    unit: 'seconds',
    env: 'CODECSHIFT_SETTLE',
    label: 'Leave new files alone for',
    help: 'A file that changed more recently than this may still be written, and is looked at again later.',
  },
} as const satisfies Record<string, SettingSpec>;
