import type { Actor, Commands, SettingChange, SettingProblem } from '../core/commands.ts';
import { checkValue } from '../config/check.ts';
import { overriddenBy } from '../config/load.ts';
import { isClusterKey, isDoor, specOf } from '../config/schema.ts';
import { addActivity } from '../db/activity.ts';
import type { Queryable } from '../db/connect.ts';
import { addNotice } from '../db/notices.ts';
import { changeRetention } from '../db/originals.ts';
import { rerank } from '../db/replan.ts';
import { putSettings, readSettings, type SettingRow, type SettingWrite } from '../db/settings.ts';
import { PlainError } from '../errors.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';

/** Settings as people change them: validated as a group, written with their history, in force at once. */
export function settingCommands(parts: CoordinatorParts, term: Term): Pick<Commands, 'saveSettings' | 'pauseAll' | 'resumeAll'> {
  const { events, settings } = parts;
  const { db } = term;

  return {
    async saveSettings(changes, by) {
      const { writes, problems } = check(changes);
      if (problems.length) return problems;
      const conflicts = await db.tx((q) => write(q, writes, by));
      if (conflicts.length)
        return conflicts.map(({ key, updatedBy, value }) => ({
          key,
          problem: updatedBy ? `was changed by ${updatedBy} meanwhile` : 'was never changed, so it has no such version',
          current: value,
        }));
      await apply(writes.map((w) => w.key));
      return [];
    },
    pauseAll: (by) => pause(true, by),
    resumeAll: (by) => pause(false, by),
  };

  /** Whoever changes who may come in shall not be able to do it unnoticed. */
  async function write(q: Queryable, writes: SettingWrite[], by: Actor): Promise<SettingRow[]> {
    const conflicts = await putSettings(q, writes, by.name, by.via);
    if (conflicts.length > 0) return conflicts;
    const labels = writes.flatMap(({ key }) => (isDoor(key) ? [specOf(key).label] : []));
    if (labels.length > 0) await addNotice(q, { event: 'security.settings', item: { object: labels.slice(0, 5).join(', '), by: by.name } });
    return [];
  }

  async function pause(paused: boolean, by: Actor): Promise<void> {
    const variable = overriddenBy('queue.paused');
    if (variable) throw new PlainError(`${variable} in the environment decides about pausing.`);
    const row = (await readSettings(db)).find((s) => s.key === 'queue.paused');
    if ((row?.value ?? false) === paused) return;
    const conflicts = await putSettings(db, [{ key: 'queue.paused', value: paused, version: row?.version ?? 0 }], by.name, by.via);
    if (conflicts.length) return pause(paused, by);
    await addActivity(db, { kind: paused ? 'paused' : 'resumed', by: by.name });
    await apply(['queue.paused']);
  }

  async function apply(keys: string[]): Promise<void> {
    await settings.reload(db);
    const now = settings.current();
    if (keys.includes('queue.order')) await rerank(db, now['queue.order']);
    if (keys.includes('trash.keepDays')) await changeRetention(db, Math.round(now['trash.keepDays'] * 86_400));
    events.emit('settings.changed', { keys });
    if (keys.some((key) => key.startsWith('queue.'))) events.emit('queue.changed', { why: 'a setting changed' });
    term.offer();
  }
}

function check(changes: SettingChange[]): { writes: SettingWrite[]; problems: SettingProblem[] } {
  const writes: SettingWrite[] = [];
  const problems: SettingProblem[] = [];
  for (const { key, value, version } of changes) {
    const problem = (text: string): number => problems.push({ key, problem: text });
    if (changes.filter((change) => change.key === key).length > 1) {
      problem('is named twice');
      continue;
    }
    if (!isClusterKey(key)) {
      problem('is not a setting of the cluster');
      continue;
    }
    const variable = overriddenBy(key);
    const checked = value === null ? ({ ok: true, value: null } as const) : checkValue(specOf(key), value);
    if (variable) problem(`is set by ${variable} in the environment`);
    else if (checked.ok) writes.push({ key, value: checked.value, version });
    else problem(checked.problem);
  }
  return { writes, problems };
}
