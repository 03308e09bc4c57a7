import type { SettingSpec } from '../setting.ts';

/** What is begun at all and in which order, and how long the log of small events is kept. */
export const generalSettings = {
  'queue.paused': {
    scope: 'cluster',
    group: 'general',
    type: 'boolean',
    default: false,
    hidden: true,
    env: 'CODECSHIFT_PAUSED',
    label: 'Paused',
    help: 'No new file is begun while this is on; running files finish.',
  },
  'queue.order': {
    scope: 'cluster',
    group: 'general',
    type: 'choice',
    default: 'saving',
    env: 'CODECSHIFT_QUEUE_ORDER',
    choices: [
      { value: 'saving', label: 'Biggest saving first' },
      { value: 'oldest', label: 'Longest in the library first' },
      { value: 'smallest', label: 'Smallest file first' },
    ],
    label: 'Order of the queue',
    help: 'Which file comes next inside one priority. Files you moved to the top or the end keep their place.',
  },
  'history.keepDays': {
    scope: 'cluster',
    group: 'general',
    type: 'integer',
    default: 365,
    min: 1,
    max: 3650,
    unit: 'days',
    env: 'CODECSHIFT_KEEP_HISTORY',
    label: 'Keep the activity log for',
    help: 'Results and statistics are kept for as long as their file is there. Only the log of small events is shortened, and with it what ffmpeg said of a run and what media servers were told.',
  },
} as const satisfies Record<string, SettingSpec>;
