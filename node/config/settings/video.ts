import type { SettingSpec } from '../setting.ts';

/** What a library that is added from now on makes of its films, until its own rules say otherwise. */
export const videoSettings = {
  'profile.quality': {
    scope: 'cluster',
    group: 'video',
    type: 'integer',
    default: 22,
    min: 14,
    max: 34,
    env: 'CODECSHIFT_QUALITY',
    label: 'Quality',
    help: 'Lower is better and bigger: 18 is hard to tell from the original, 22 is very good, 28 is small. Every encoder is set to look about the same.',
  },
  'profile.speed': {
    scope: 'cluster',
    group: 'video',
    type: 'choice',
    default: 'medium',
    env: 'CODECSHIFT_SPEED',
    choices: [
      { value: 'fast', label: 'Fast' },
      { value: 'medium', label: 'Medium' },
      { value: 'slow', label: 'Slow, smaller files' },
    ],
    label: 'Speed',
    help: 'How much time is spent on every frame. Slower makes smaller files of the same quality.',
  },
  'profile.tenBit': {
    scope: 'cluster',
    group: 'video',
    type: 'boolean',
    default: true,
    env: 'CODECSHIFT_TEN_BIT',
    label: 'Encode in 10 bit',
    help: 'Fewer bands in dark scenes and a little smaller. Some players from before 2016 only play 8 bit.',
  },
  'profile.minSavingPercent': {
    scope: 'cluster',
    group: 'video',
    type: 'integer',
    default: 10,
    min: 0,
    max: 90,
    unit: '%',
    env: 'CODECSHIFT_MIN_SAVING',
    label: 'Smallest worthwhile saving',
    help: 'When the HEVC file is not at least this much smaller, the original stays.',
  },
} as const satisfies Record<string, SettingSpec>;
