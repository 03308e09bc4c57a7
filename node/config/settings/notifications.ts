import type { SettingSpec } from '../setting.ts';

/** The clock by which people are told of something; the places themselves are rows of the database. */
export const notificationsSettings = {
  'notifications.timeZone': {
    scope: 'cluster',
    group: 'notifications',
    type: 'text',
    default: null,
    env: 'CODECSHIFT_TIME_ZONE',
    label: 'Time zone of the house',
    help: 'By its name, for example Europe/Berlin, so that summer time is known. Quiet hours and the daily summary go by it. Not set: the time zone of the machine that coordinates, which is UTC in most containers.',
  },
  'notifications.summaryHour': {
    scope: 'cluster',
    group: 'notifications',
    type: 'integer',
    default: 8,
    min: 0,
    max: 23,
    unit: 'o’clock',
    env: 'CODECSHIFT_SUMMARY_HOUR',
    label: 'Daily summary at',
    help: 'For places that want one.',
  },
} as const satisfies Record<string, SettingSpec>;
