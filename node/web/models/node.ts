import type { EncoderReport } from '../../core/encoder-choice.ts';
import { conductOf, type Conduct } from '../../core/manners.ts';
import type { Window } from '../../core/node-wishes.ts';
import { sentence } from '../../core/reasons.ts';
import { ago, encoderWithFormat } from '../format.ts';
import { restUntil } from './node-hours.ts';

/** A node in the card of the Overview and on the Nodes page. */
export interface NodeCard {
  id: string;
  name: string;
  coordinator: boolean;
  /** `rest`: a person paused or drained it, or it is outside its hours */
  state: 'on' | 'idle' | 'away' | 'rest';
  /** "Last heard 3 minutes ago" when it is away, "Resting until 22:00", … */
  note: string;
  hardware: string;
  slots: number;
  busy: number;
  encoders: string[];
  meters: { label: string; percent: number }[];
}

export interface NodeFacts {
  id: string;
  name: string;
  platform: string;
  version: string;
  paused: boolean;
  draining: boolean;
  schedule: readonly Window[];
  utcOffset: number | null;
  encoders: readonly EncoderReport[];
  hardware: Record<string, unknown>;
  metrics: Record<string, unknown>;
  slots: number;
  lastSeenAt: Date;
}

/** A node that was not heard of for so long is away. Whoever serves this page or leads is here, whatever the row says. */
export const AWAY_MS = 60_000;

export function nodeCard(facts: NodeFacts, busy: number, coordinator: boolean, away: boolean, now: Date): NodeCard {
  const working = facts.encoders.filter((e) => e.works);
  const conduct = conductOf(facts.metrics['conduct']);
  const rest = restOf(facts, conduct, now);
  // with one at once it still begins
  const begins = rest === '' || (conduct.atOnce !== null && conduct.does === 'run');
  return {
    id: facts.id,
    name: facts.name,
    coordinator,
    state: away ? 'away' : facts.paused || conduct.does === 'pause' || (!begins && busy === 0) ? 'rest' : busy > 0 ? 'on' : 'idle',
    note: away ? `Last heard ${ago(facts.lastSeenAt, now)}` : rest,
    hardware: hardwareOf(facts.hardware, facts.platform),
    slots: facts.slots,
    busy: Math.min(busy, facts.slots),
    encoders: unique(working.map((e) => encoderWithFormat(e.name))).slice(0, 4),
    // what was measured before it went away says nothing about now
    meters: away ? [] : metersOf(facts.metrics),
  };
}

/** Why it begins nothing now, or less than it could, although it is here; '' when it works as it may. */
function restOf(facts: Pick<NodeFacts, 'paused' | 'draining' | 'schedule' | 'utcOffset'>, conduct: Conduct, now: Date): string {
  if (facts.paused) return 'Paused: what it runs stands still';
  if (conduct.does === 'pause' && conduct.reason) return sentence(conduct.reason);
  if (facts.draining) return 'Draining: begins nothing new';
  return restUntil(facts.schedule, facts.utcOffset, now) || (conduct.reason ? sentence(conduct.reason) : '');
}

export function isAway(facts: Pick<NodeFacts, 'id' | 'lastSeenAt'>, present: readonly (string | null)[], now: Date): boolean {
  return !present.includes(facts.id) && now.getTime() - facts.lastSeenAt.getTime() > AWAY_MS;
}

/** "RTX 4070 · i5-13500" out of whatever a node says about itself; only short texts are trusted to be one. */
export function hardwareOf(hardware: Record<string, unknown>, platform: string): string {
  const names = ['gpu', 'gpus', 'cpu'].flatMap((key) => {
    const value = hardware[key];
    const list = Array.isArray(value) ? value : [value];
    return list.map((v) => (typeof v === 'object' && v !== null ? (v as { name?: unknown }).name : v));
  });
  const texts = names
    .filter((v): v is string => typeof v === 'string' && v.trim() !== '')
    .map((v) =>
      v
        .replace(/\((R|TM)\)|\bCPU\b|@.*$/gi, '')
        .replace(/\s+/g, ' ')
        .trim()
        .slice(0, 60),
    );
  return texts.length > 0 ? unique(texts).join(' · ') : platform;
}

function metersOf(metrics: Record<string, unknown>): NodeCard['meters'] {
  const meters: NodeCard['meters'] = [];
  for (const [key, label] of [
    ['gpuPercent', 'GPU'],
    ['cpuPercent', 'CPU'],
  ] as const) {
    const value = metrics[key];
    if (typeof value === 'number' && value >= 0 && value <= 100) meters.push({ label, percent: Math.round(value) });
  }
  return meters;
}

function unique(items: string[]): string[] {
  return [...new Set(items)];
}

export interface NodePart {
  node: NodeCard;
}
