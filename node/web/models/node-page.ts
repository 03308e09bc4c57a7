import { fitOf, unsaid, versionNote, type Program, type ProtocolRange } from '../../core/compatibility.ts';
import { conductOf } from '../../core/manners.ts';
import { sentence } from '../../core/reasons.ts';
import type { Benched } from '../../db/benched.ts';
import type { NodeRow } from '../../db/nodes.ts';
import type { EncoderReport } from '../../core/encoder-choice.ts';
import { ago, duration, encoderWithFormat, exact, fps, plural, size } from '../format.ts';
import { nodeCard, type NodeCard } from './node.ts';
import { ffmpegTable, refusedFfmpeg, type FfmpegTable } from './node-ffmpeg.ts';
import { hoursInWords } from './node-hours.ts';
import { mannersFacts } from './node-manners.ts';

/** Everything known about one member, with the reason for each thing that does not work. */
export interface NodeDetail extends NodeCard {
  /** for the ids of elements */
  slug: string;
  stateWord: string;
  badges: Badge[];
  facts: NodeFact[];
  tests: EncoderTest[];
  testedAgo: string;
  /** null: the machine does not tell */
  ffmpeg: FfmpegTable | null;
  roots: RootLine[];
  /** encoders that are not used because of bad copies */
  benched: BenchedLine[];
  /** what a click can change, as buttons */
  toggles: { action: 'pause' | 'resume' | 'drain' | 'undrain'; label: string; icon: string }[];
  /** another node with the database, here now: it could coordinate */
  canCoordinate: boolean;
}

export interface Badge {
  icon: string;
  text: string;
}

export interface NodeFact {
  label: string;
  value: string;
  /** a sentence when it needs a look; '' when all is well */
  warning: string;
  title: string;
}

export interface EncoderTest {
  name: string;
  label: string;
  device: string;
  works: boolean;
  tenBit: boolean;
  /** what else was proved or refused: "HDR10", "No B-frames", "3 at once" */
  able: string[];
  hardware: boolean;
  reason: string;
  /** "312 fps at 1080p", measured on finished files; '' until there are some */
  speed: string;
}

export interface BenchedLine {
  id: number;
  label: string;
  why: string;
  since: string;
}

export interface RootLine {
  rootId: string;
  path: string;
  libraries: string;
  state: 'ok' | 'read-only' | 'unproved' | 'problem';
  text: string;
}

export interface NodeDetailView {
  node: NodeDetail;
}

export interface RootFacts {
  rootId: string;
  path: string;
  writable: boolean;
  /** a sentence; '' when all is well */
  problem: string;
  provedAt: Date | null;
  libraries: readonly string[];
}

export interface DetailFacts {
  node: NodeRow;
  busy: number;
  coordinator: { id: string; version: string; speaks?: ProtocolRange } | null;
  away: boolean;
  /** it holds the database; `fresh` when it was heard of just now */
  candidate: { fresh: boolean; outdated?: boolean } | null;
  roots: readonly RootFacts[];
  benched?: readonly Pick<Benched, 'id' | 'encoder' | 'device' | 'reason' | 'since'>[];
  speeds: readonly { encoder: string; pixelsPerSecond: number; runs: number }[];
  now: Date;
}

/** Two clocks that differ by more make its hours and its log lines wrong. */
const CLOCK_WARN_MS = 30_000;
/** below this a workspace holds no film of usual size */
const TEMP_WARN_BYTES = 20e9;
const PIXELS_1080P = 1920 * 1080;

export function nodeDetail(facts: DetailFacts): NodeDetail {
  const { node, now } = facts;
  const leads = facts.coordinator?.id === node.id;
  const card = nodeCard(node, facts.busy, leads, facts.away, now);
  const stands = node.paused || conductOf(node.metrics['conduct']).does === 'pause';
  const apart =
    !leads && facts.coordinator !== null && ['too-old', 'too-new'].includes(fitOf(programOf(facts.coordinator), programOf(node)));
  const tested = node.encoders.map((e) => Date.parse(e.testedAt)).filter(Number.isFinite);
  return {
    ...card,
    state: apart && card.state === 'idle' ? 'rest' : card.state,
    slug: node.id.replace(/[^\w-]/g, '-'),
    stateWord:
      apart && card.state !== 'away'
        ? 'Other version'
        : { on: 'Working', idle: 'Idle', away: 'Away', rest: stands ? 'Paused' : node.draining ? 'Draining' : 'Resting' }[card.state],
    badges: badgesOf(facts, leads),
    facts: factsOf(facts, card, leads),
    tests: testsOf(facts),
    testedAgo: tested.length === 0 ? '' : ago(new Date(Math.max(...tested)), now),
    ffmpeg: ffmpegTable(node.ffmpeg),
    roots: facts.roots.map((root) => rootLine(root, now)),
    benched: (facts.benched ?? []).map((b) => ({
      id: b.id,
      label: [encoderWithFormat(b.encoder), b.device].filter(Boolean).join(', '),
      why: sentence(b.reason),
      since: ago(b.since, now),
    })),
    toggles: [
      node.paused ? { action: 'resume', label: 'Resume', icon: 'play' } : { action: 'pause', label: 'Pause', icon: 'pause' },
      node.draining
        ? { action: 'undrain', label: 'Undrain', icon: 'play' }
        : { action: 'drain', label: 'Drain', icon: 'arrow-down-to-line' },
    ],
    canCoordinate: !leads && facts.candidate?.fresh === true && !facts.away,
  };
}

function badgesOf({ candidate, roots, node }: DetailFacts, leads: boolean): Badge[] {
  const kept = [...new Set(roots.filter((r) => r.writable && r.problem === '' && r.provedAt !== null).flatMap((r) => r.libraries))];
  const named = kept.length > 3 ? `${kept.slice(0, 2).join(', ')} and ${kept.length - 2} more` : kept.join(', ');
  return [
    leads
      ? { icon: 'crown', text: 'Coordinator' }
      : candidate && candidate.outdated !== true
        ? { icon: 'server', text: 'Could coordinate' }
        : null,
    kept.length > 0 ? { icon: 'shield-check', text: `Keeper of ${named}` } : null,
    // its encoders work on our own test pictures, and no film reaches them
    node.encoders.some((e) => e.works) && refusedFfmpeg(node) === '' ? { icon: 'cpu', text: 'Worker' } : null,
  ].filter((badge) => badge !== null);
}

function factsOf({ node, coordinator, candidate, away, now }: DetailFacts, card: NodeCard, leads: boolean): NodeFact[] {
  const wished = node.slotsWished === null || node.slotsWished === node.slots ? '' : `, ${node.slotsWished} wished`;
  const list: (NodeFact | null)[] = [
    fact('At once', `${card.busy} of ${plural(card.slots, 'slot')} busy${wished}`),
    card.meters.length === 0 ? null : fact('Load', card.meters.map((m) => `${m.label} ${m.percent} %`).join(', ')),
    fact('Hours', hoursInWords(node.schedule)),
    ...mannersFacts(node.manners, away ? null : node.metrics['conduct']).map((f) => fact(f.label, f.value)),
    node.mbps === null ? null : fact('Network', `at most ${node.mbps} Mbit/s`),
    tempFact(node.tempBytes),
    typeof node.tempUsedBytes === 'number' ? fact('Used by temporary files', size(node.tempUsedBytes)) : null,
    leads ? null : clockFact(node.clockMs),
    fact(
      'Version',
      node.version,
      leads || coordinator === null
        ? ''
        : versionNote(programOf(coordinator), programOf(node), candidate?.outdated === true ? 'no more' : 'as before'),
    ),
    fact('Machine', card.hardware),
    card.hardware === node.platform ? null : fact('System', node.platform),
    node.address ? fact('Address', node.address) : null,
    fact('Last heard', ago(node.lastSeenAt, now), '', exact(node.lastSeenAt)),
  ];
  return list.filter((each) => each !== null);
}

function fact(label: string, value: string, warning = '', title = ''): NodeFact {
  return { label, value, warning, title };
}

function tempFact(bytes: number | null): NodeFact | null {
  if (bytes === null) return null;
  const low = bytes < TEMP_WARN_BYTES ? 'Little room for new files: large films are left to other machines.' : '';
  return fact('Free for temporary files', size(bytes), low);
}

function clockFact(ms: number | null): NodeFact | null {
  if (ms === null) return null;
  const off = Math.abs(ms);
  if (off < 1000) return fact('Clock', 'in step');
  const words = `${duration(off)} ${ms > 0 ? 'ahead' : 'behind'}`;
  return fact(
    'Clock',
    words,
    off > CLOCK_WARN_MS ? 'Its clock is wrong: set it by network time, or its hours begin at the wrong moment.' : '',
  );
}

function programOf({ version, speaks }: { version: string; speaks?: ProtocolRange }): Program {
  return { version, speaks: speaks ?? unsaid };
}

function testsOf({ node, speeds }: DetailFacts): EncoderTest[] {
  return node.encoders
    .map((e) => {
      const measured = speeds.find((s) => s.encoder === e.name);
      return {
        name: e.name,
        label: encoderWithFormat(e.name),
        device: deviceWords(e),
        works: e.works,
        tenBit: e.tenBit,
        able: ableTo(e),
        hardware: e.hardware,
        reason: e.reason ?? (e.works ? '' : 'The test encode failed.'),
        speed: measured ? `${fps(measured.pixelsPerSecond / PIXELS_1080P)} at 1080p` : '',
      };
    })
    .sort((a, b) => Number(b.works) - Number(a.works) || Number(b.hardware) - Number(a.hardware));
}

function deviceWords({ name, device, deviceName, driver }: EncoderReport): string {
  const place = device !== null && name.endsWith('_nvenc') ? `card ${device}` : (device ?? '');
  return [deviceName, place, driver === deviceName ? '' : driver].filter(Boolean).join(', ');
}

function ableTo({ works, tenBit, hdr10, bFrames, atOnce, hardware }: EncoderReport): string[] {
  if (!works) return [];
  return [
    hdr10 === undefined || !tenBit ? '' : hdr10 ? 'HDR10' : 'Loses HDR10: not used for it',
    bFrames === undefined ? '' : bFrames ? 'B-frames' : 'No B-frames',
    !hardware || atOnce === undefined ? '' : atOnce === null ? 'No limit met' : `${atOnce} at once`,
  ].filter(Boolean);
}

/** What was found out about a path, in words that say what may happen there. */
export function rootLine(root: RootFacts, now: Date): RootLine {
  const [state, text] = checkOf(root, now);
  return { rootId: root.rootId, path: root.path, libraries: root.libraries.join(', '), state, text };
}

function checkOf(root: Omit<RootFacts, 'libraries'>, now: Date): [RootLine['state'], string] {
  if (root.problem !== '') return ['problem', root.problem];
  if (root.provedAt === null) return ['unproved', 'A copy, or not proved yet: it may be read, nothing is replaced there'];
  const proved = `Proved to be the same disk ${ago(root.provedAt, now)}`;
  return root.writable ? ['ok', `${proved}, readable and writable`] : ['read-only', `${proved}. Read-only: nothing can be replaced there`];
}
