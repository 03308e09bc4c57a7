/**
 * What is said of one setting.
 *
 * scope 'cluster': stored in PostgreSQL, changed on the page, applied at once; an environment variable on the
 *                  coordinator overrides it and is shown read-only.
 * scope 'node':    belongs to one machine; given by flag or environment when the program starts.
 */
export interface SettingSpec {
  scope: 'cluster' | 'node';
  group: SettingGroup;
  type: 'integer' | 'number' | 'boolean' | 'choice' | 'text' | 'list' | 'levels';
  default: number | boolean | string | readonly string[] | null;
  min?: number;
  max?: number;
  choices?: readonly { value: string; label: string }[];
  unit?: string;
  label: string;
  help: string;
  env: string;
  /** the command line's flag, for scope 'node' */
  flag?: string;
  secret?: boolean;
  /** how a list stands in the environment; left out: like PATH */
  separatedBy?: 'commas';
  /** changed by a button, not shown in the form */
  hidden?: boolean;
}

/** The groups of the Settings page and of docs/settings.md, in their order; each is a file of settings/. */
export const settingGroups = {
  general: 'General',
  video: 'Video for new libraries',
  scan: 'Scanning',
  jobs: 'Jobs',
  network: 'Network',
  access: 'Signing in',
  provider: 'Sign-in provider',
  proxy: 'Reverse proxy',
  notifications: 'Notifications',
  safety: 'Safety',
  backup: 'Backup',
  node: 'This machine',
} as const;
export type SettingGroup = keyof typeof settingGroups;
