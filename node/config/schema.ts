import type { SettingGroup, SettingSpec } from './setting.ts';
import { accessSettings } from './settings/access.ts';
import { backupSettings } from './settings/backup.ts';
import { generalSettings } from './settings/general.ts';
import { jobsSettings } from './settings/jobs.ts';
import { networkSettings } from './settings/network.ts';
import { nodeSettings } from './settings/node.ts';
import { notificationsSettings } from './settings/notifications.ts';
import { providerSettings } from './settings/provider.ts';
import { proxySettings } from './settings/proxy.ts';
import { safetySettings } from './settings/safety.ts';
import { scanSettings } from './settings/scan.ts';
import { videoSettings } from './settings/video.ts';

/**
 * Every setting of CodecShift, once: type, default, unit, limits, words. Each is declared in the file of its group in
 * settings/. The form on the Settings page, its validation, the tables of docs/settings.md, the command line's flags and
 * the environment override all follow from this list.
 */
export const settings = {
  ...generalSettings,
  ...videoSettings,
  ...scanSettings,
  ...jobsSettings,
  ...networkSettings,
  ...accessSettings,
  ...providerSettings,
  ...proxySettings,
  ...notificationsSettings,
  ...safetySettings,
  ...backupSettings,
  ...nodeSettings,
} as const satisfies Record<string, SettingSpec>;

type Specs = typeof settings;
export type SettingKey = keyof Specs;
type Scoped<S extends 'cluster' | 'node'> = { [K in SettingKey]: Specs[K]['scope'] extends S ? K : never }[SettingKey];
export type ClusterKey = Scoped<'cluster'>;
export type NodeKey = Scoped<'node'>;

type Value<S extends SettingSpec> = S['type'] extends 'integer' | 'number'
  ? number
  : S['type'] extends 'boolean'
    ? boolean
    : S['type'] extends 'list'
      ? string[]
      : S extends { choices: readonly { value: infer V }[] }
        ? V
        : S['default'] extends null
          ? string | null
          : string;

export type ClusterSettings = { readonly [K in ClusterKey]: Value<Specs[K]> };
export type NodeOptions = { readonly [K in NodeKey]: Value<Specs[K]> };

export const clusterKeys = (Object.keys(settings) as SettingKey[]).filter((k): k is ClusterKey => settings[k].scope === 'cluster');
export const nodeKeys = (Object.keys(settings) as SettingKey[]).filter((k): k is NodeKey => settings[k].scope === 'node');

export function specOf(key: SettingKey): SettingSpec {
  return settings[key];
}

export function isClusterKey(key: string): key is ClusterKey {
  return (clusterKeys as string[]).includes(key);
}

const doorGroups: ReadonlySet<SettingGroup> = new Set(['access', 'provider', 'proxy']);
/** The settings that say who may come in: only an admin sees them, and whoever changes one is noticed. */
export const doorKeys: readonly ClusterKey[] = clusterKeys.filter((key) => doorGroups.has(specOf(key).group));

export function isDoor(key: string): key is ClusterKey {
  return (doorKeys as readonly string[]).includes(key);
}
