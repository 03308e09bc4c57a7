import type { SettingSpec } from '../setting.ts';

/** How much a machine writes into its log, in which form, and whether into a file of its own. */
export const logSettings = {
  logLevel: {
    scope: 'node',
    group: 'node',
    type: 'levels',
    default: 'info',
    env: 'CODECSHIFT_LOG_LEVEL',
    flag: 'log-level',
    label: 'Log',
    help: 'How much is written to the log: debug, info, warn or error; for single rooms too, for example info,mesh=debug.',
  },
  logFormat: {
    scope: 'node',
    group: 'node',
    type: 'choice',
    default: 'auto',
    env: 'CODECSHIFT_LOG_FORMAT',
    flag: 'log-format',
    choices: [
      { value: 'auto', label: 'auto' },
      { value: 'json', label: 'json' },
      { value: 'readable', label: 'readable' },
    ],
    label: 'Form of the log',
    help: 'auto: readable on a terminal, else JSON, one object a line.',
  },
  logFileMb: {
    scope: 'node',
    group: 'node',
    type: 'integer',
    default: 0,
    min: 0,
    max: 1000,
    unit: 'MB',
    env: 'CODECSHIFT_LOG_FILE_MB',
    flag: 'log-file-mb',
    label: 'Log file',
    help: 'Writes the log as JSON into the folder logs of the data directory too, at most so many megabytes. 0 writes none: most systems keep the log of a service themselves.',
  },
} as const satisfies Record<string, SettingSpec>;
