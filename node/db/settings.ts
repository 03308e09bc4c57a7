import { atomically } from './atomically.ts';
import type { Queryable } from './connect.ts';
import { json, text } from './values.ts';

export interface SettingRow {
  key: string;
  /** null: the default, after somebody changed it back */
  value: unknown;
  /** grows with every change; a setting never changed has no row and version 0 */
  version: number;
  updatedAt: Date;
  updatedBy: string;
}

export interface SettingWrite {
  key: string;
  /** null: back to the default */
  value: unknown;
  /** the version the person saw; 0 when there was none */
  version: number;
}

export interface SettingChangeRow {
  id: number;
  key: string;
  oldValue: unknown;
  newValue: unknown;
  at: Date;
  by: string;
  via: string;
}

const columns = `key, value, version, updated_at as "updatedAt", updated_by as "updatedBy"`;

export function readSettings(q: Queryable): Promise<SettingRow[]> {
  return q.query<SettingRow>(`select ${columns} from settings order by key`);
}

/**
 * Writes a group of settings with their history, all or none. Returns the rows that somebody else changed meanwhile:
 * when there is one, nothing was written.
 */
export function putSettings(q: Queryable, writes: SettingWrite[], by: string, via: string): Promise<SettingRow[]> {
  return atomically(q, async (t) => {
    const keys = writes.map((w) => w.key);
    // one writer at a time: a row that does not exist yet could not be locked, and two first writers would collide
    await t.query('lock table settings in share row exclusive mode');
    const now = await t.query<SettingRow>(`select ${columns} from settings where key = any($1) order by key for update`, [keys]);
    const pairs = writes.map((wish) => [wish, now.find((row) => row.key === wish.key) ?? neverChanged(wish.key)] as const);
    const conflicts = pairs.filter(([wish, row]) => wish.version !== row.version).map(([, row]) => row);
    if (conflicts.length > 0) return conflicts;
    for (const wish of writes) await write(t, wish, now.find((row) => row.key === wish.key) ?? null, by, via);
    return [];
  });
}

function neverChanged(key: string): SettingRow {
  return { key, value: null, version: 0, updatedAt: new Date(0), updatedBy: '' };
}

/** One setting; the current row when somebody else was first, else null. */
export async function putSetting(q: Queryable, wish: SettingWrite, by: string, via: string): Promise<SettingRow | null> {
  return (await putSettings(q, [wish], by, via))[0] ?? null;
}

async function write(q: Queryable, wish: SettingWrite, old: SettingRow | null, by: string, via: string): Promise<void> {
  const value = json(wish.value);
  await q.query(
    old
      ? `update settings set value = $2, version = version + 1, updated_at = now(), updated_by = $3 where key = $1`
      : `insert into settings (key, value, version, updated_by) values ($1, $2, 1, $3)`,
    [wish.key, value, text(by)],
  );
  await q.query(`insert into settings_history (key, old_value, new_value, by, via) values ($1, $2, $3, $4, $5)`, [
    wish.key,
    json(old?.value),
    value,
    text(by),
    text(via),
  ]);
}

/** Newest first; `beforeId` continues. Of these settings `only`, or of all `but` these. */
export function readHistory(
  q: Queryable,
  beforeId: number | null = null,
  keys: { only?: readonly string[]; but?: readonly string[] } = {},
): Promise<SettingChangeRow[]> {
  return q.query<SettingChangeRow>(
    `select id, key, old_value as "oldValue", new_value as "newValue", at, by, via from settings_history
      where ($1::bigint is null or id < $1) and ($2::text[] is null or key = any($2)) and ($3::text[] is null or key <> all($3))
      order by id desc limit 50`,
    [beforeId, keys.only ?? null, keys.but ?? null],
  );
}
