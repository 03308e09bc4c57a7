import { settings, specOf, type SettingKey } from './schema.ts';
import { settingGroups, type SettingGroup, type SettingSpec } from './setting.ts';

export interface DescribedSetting extends SettingSpec {
  key: SettingKey;
}

/** The settings of one group in the order of the schema; hidden ones left out. */
export function settingsOf(group: SettingGroup): DescribedSetting[] {
  return (Object.keys(settings) as SettingKey[]).map((key) => ({ key, ...specOf(key) })).filter((s) => s.group === group && !s.hidden);
}

/** The body of docs/settings.md: one table for each group of the Settings page. `check settings` compares it with the file. */
export function settingsTables(): string {
  return (Object.keys(settingGroups) as SettingGroup[])
    .flatMap((group) => {
      const rows = settingsOf(group).map(
        (s) => `| **${s.label}** | ${defaultOf(s)} | ${limitsOf(s)} | ${nameOf(s)} | ${s.help.replaceAll('|', '\\|')} |`,
      );
      return rows.length === 0 ? [] : [`## ${settingGroups[group]}\n\n${head}\n${rows.join('\n')}`];
    })
    .join('\n\n');
}

const head = '| Setting | Default | Allowed | Name | What it does |\n|---|---|---|---|---|';

function nameOf(s: DescribedSetting): string {
  const names = s.scope === 'node' && s.flag ? [`\`--${s.flag}\``, `\`${s.env}\``] : [`\`${s.env}\``];
  // load.ts: a secret may be in a file
  if (s.secret) names.push(`\`${s.env}_FILE\``);
  return names.join(', ');
}

function defaultOf(s: SettingSpec): string {
  if (s.default === null || (Array.isArray(s.default) && s.default.length === 0)) return '–';
  if (typeof s.default === 'boolean') return s.default ? 'on' : 'off';
  const choice = s.choices?.find((c) => c.value === s.default);
  return `${choice?.label ?? String(s.default)}${s.unit ? ` ${s.unit}` : ''}`;
}

function limitsOf(s: SettingSpec): string {
  if (s.choices) return s.choices.map((c) => c.value).join(', ');
  if (s.type === 'boolean') return 'on, off';
  return s.min === undefined ? '–' : `${s.min} – ${s.max}`;
}
