import { parseLevels } from '../core/log-levels.ts';
import type { SettingSpec } from './setting.ts';

export type Checked = { ok: true; value: unknown } | { ok: false; problem: string };

/**
 * Is this a lawful value of the setting? Accepts what forms, the environment and JSON deliver ("22", "on", true) and
 * gives back the typed value, or a sentence that completes "<label> …".
 */
export function checkValue(spec: SettingSpec, raw: unknown): Checked {
  switch (spec.type) {
    case 'integer':
    case 'number':
      return checkNumber(spec, raw);
    case 'boolean':
      return checkBoolean(raw);
    case 'choice':
      return checkChoice(spec, raw);
    case 'list':
      return checkList(raw);
    case 'levels':
      return checkLevels(raw);
    case 'text':
      return checkText(raw);
  }
}

function checkNumber(spec: SettingSpec, raw: unknown): Checked {
  const text = typeof raw === 'string' ? raw.trim().replace(',', '.') : raw;
  const value = typeof text === 'string' && text !== '' ? Number(text) : text;
  if (typeof value !== 'number' || !Number.isFinite(value)) return { ok: false, problem: `must be a number; "${shown(raw)}" is none` };
  if (spec.type === 'integer' && !Number.isInteger(value)) return { ok: false, problem: `must be a whole number; "${shown(raw)}" is none` };
  const unit = spec.unit ? ` ${spec.unit}` : '';
  if (spec.min !== undefined && value < spec.min) return { ok: false, problem: `must be ${spec.min}${unit} or more, not ${shown(raw)}` };
  if (spec.max !== undefined && value > spec.max) return { ok: false, problem: `must be ${spec.max}${unit} or less, not ${shown(raw)}` };
  return { ok: true, value };
}

function checkBoolean(raw: unknown): Checked {
  if (raw === true || raw === 'true' || raw === 'on' || raw === '1' || raw === 'yes') return { ok: true, value: true };
  if (raw === false || raw === 'false' || raw === 'off' || raw === '0' || raw === 'no' || raw === '') return { ok: true, value: false };
  return { ok: false, problem: `must be on or off, not "${shown(raw)}"` };
}

function checkChoice(spec: SettingSpec, raw: unknown): Checked {
  const values = (spec.choices ?? []).map((c) => c.value);
  if (typeof raw === 'string' && values.includes(raw)) return { ok: true, value: raw };
  return { ok: false, problem: `must be one of ${values.join(', ')}, not "${shown(raw)}"` };
}

function checkList(raw: unknown): Checked {
  const list = Array.isArray(raw) ? raw : [raw];
  if (list.every((item) => typeof item === 'string' && item !== '' && !item.includes('\0'))) return { ok: true, value: list };
  return { ok: false, problem: 'must be a list of non-empty texts' };
}

function checkLevels(raw: unknown): Checked {
  const text = checkText(raw);
  if (!text.ok) return text;
  const wish = parseLevels(String(text.value));
  return 'problem' in wish ? { ok: false, problem: wish.problem } : { ok: true, value: text.value };
}

function checkText(raw: unknown): Checked {
  if (typeof raw !== 'string' || raw.includes('\0') || raw.length > 4096)
    return { ok: false, problem: 'must be a text of at most 4096 characters' };
  if (raw.trim() === '') return { ok: false, problem: 'must not be empty' };
  return { ok: true, value: raw.trim() };
}

function shown(raw: unknown): string {
  const text = typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? 'nothing');
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
