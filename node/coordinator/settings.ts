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
  let asked = 0;
  let known = 0;
  return {
    current: () => current,
    async reload(q) {
      const mine = ++asked;
      const rows = await readSettings(q);
      // whoever asked later knows more, and may have been answered before
      if (mine < known) return;
      known = mine;
      current = effectiveSettings(new Map(rows.map((row) => [row.key, row.value])));
    },
  };
}
