import type { EncoderReport } from '../../core/encoder-choice.ts';
import { ago, encoder, exact } from '../format.ts';

/** A node in the card of the Overview and on the Nodes page. */
export interface NodeCard {
  id: string;
  name: string;
  coordinator: boolean;
  state: 'on' | 'idle' | 'away';
  /** "Last heard 3 minutes ago" when it is away, "Drained", … */
  note: string;
  hardware: string;
  slots: number;
  busy: number;
  encoders: string[];
  meters: { label: string; percent: number }[];
}

/** The Nodes page adds everything that was tested. */
export interface NodeDetail extends NodeCard {
  platform: string;
  version: string;
  lastSeen: string;
  lastSeenExact: string;
  tests: EncoderTest[];
  testedAgo: string;
  roots: { path: string; libraries: string; state: 'ok' | 'read-only' | 'problem'; text: string }[];
}

export interface EncoderTest {
  name: string;
  label: string;
  device: string;
  works: boolean;
  tenBit: boolean;
  hardware: boolean;
  reason: string;
}

export interface NodesPageView {
  nodes: NodeDetail[];
}

export interface NodeFacts {
  id: string;
  name: string;
  platform: string;
  version: string;
  draining: boolean;
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
  return {
    id: facts.id,
    name: facts.name,
    coordinator,
    state: away ? 'away' : busy > 0 ? 'on' : 'idle',
    note: away ? `Last heard ${ago(facts.lastSeenAt, now)}` : facts.draining ? 'Drained: begins nothing new' : '',
    hardware: hardwareOf(facts.hardware, facts.platform),
    slots: facts.slots,
    busy: Math.min(busy, facts.slots),
    encoders: unique(working.map((e) => `HEVC ${encoder(e.name)}`)).slice(0, 4),
    meters: metersOf(facts.metrics),
  };
}

export function isAway(facts: Pick<NodeFacts, 'id' | 'lastSeenAt'>, present: readonly (string | null)[], now: Date): boolean {
  return !present.includes(facts.id) && now.getTime() - facts.lastSeenAt.getTime() > AWAY_MS;
}

export function nodeDetail(
  facts: NodeFacts,
  card: NodeCard,
  roots: readonly { path: string; writable: boolean; problem: string; libraries: string }[],
  now: Date,
): NodeDetail {
  const tests = facts.encoders.map((e) => ({
    name: e.name,
    label: `HEVC ${encoder(e.name)}`,
    device: e.device ?? '',
    works: e.works,
    tenBit: e.tenBit,
    hardware: e.hardware,
    reason: e.works ? '' : (e.reason ?? 'The test encode failed.'),
  }));
  const tested = facts.encoders.map((e) => Date.parse(e.testedAt)).filter(Number.isFinite);
  return {
    ...card,
    platform: facts.platform,
    version: facts.version,
    lastSeen: ago(facts.lastSeenAt, now),
    lastSeenExact: exact(facts.lastSeenAt),
    tests: tests.sort((a, b) => Number(b.works) - Number(a.works) || Number(b.hardware) - Number(a.hardware)),
    testedAgo: tested.length === 0 ? '' : ago(new Date(Math.max(...tested)), now),
    roots: roots.map((r) => ({
      path: r.path,
      libraries: r.libraries,
      state: r.problem !== '' ? 'problem' : r.writable ? 'ok' : 'read-only',
      text: r.problem !== '' ? r.problem : r.writable ? 'Readable and writable' : 'Read-only: files there cannot be replaced',
    })),
  };
}

/** "RTX 4070 · i5-13500" out of whatever a node says about itself; only short texts are trusted to be one. */
function hardwareOf(hardware: Record<string, unknown>, platform: string): string {
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
