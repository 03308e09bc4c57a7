import { effectiveSettings } from '../config/load.ts';
import type { ClusterSettings } from '../config/schema.ts';
import type { Queryable } from '../db/connect.ts';
import { readSettings } from '../db/settings.ts';

export interface SettingsStore {
  /** what is in force now: environment before stored before default */
  current(): ClusterSettings;
  reload(q: Queryable): Promise<void>;
}

/** The cluster's settings as this process knows them; read again after each change, at each election, and now and then. */
export function createSettingsStore(): SettingsStore {
  let current = effectiveSettings(new Map());
  return {
    current: () => current,
    async reload(q) {
      const rows = await readSettings(q);
      current = effectiveSettings(new Map(rows.map((row) => [row.key, row.value])));
    },
  };
}
