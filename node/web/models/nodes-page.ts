import type { Cluster } from '../../db/cluster.ts';
import type { JoinToken } from '../../db/join-tokens.ts';
import type { NodeRow } from '../../db/nodes.ts';
import { ago, day, duration, exact, plural, time } from '../format.ts';
import { hardwareOf } from './node.ts';
import type { NodeDetail } from './node-page.ts';

/** The Nodes page: who wants to join, who is here, how to add one. */
export interface NodesPageView {
  pending: AskingView[];
  nodes: NodeDetail[];
  /** put off for a while, rejected, or removed */
  declined: AskingView[];
  side: NodesSide;
}

export interface NodesListView {
  pending: AskingView[];
  nodes: NodeDetail[];
  declined: AskingView[];
}

/** A machine that asked and is not a member. */
export interface AskingView {
  id: string;
  slug: string;
  name: string;
  hardware: string;
  platform: string;
  version: string;
  address: string;
  /** in two groups, easier to compare: "4F2 9KQ"; '' when there is none */
  code: string;
  /** read letter by letter by a screen reader */
  codeSpoken: string;
  asked: string;
  askedExact: string;
  /** "Put off until 14:20", "Rejected by dashboard", "Removed by dashboard" */
  declined: string;
  /** it was a member; once approved again, it comes back when somebody asks it to on its own page */
  removed: boolean;
}

export interface NodesSide {
  cluster: { name: string; id: string } | null;
  rename: { name: string; problem: string };
  tokens: TokenView[];
  tokenForm: TokenForm;
  fresh: FreshToken | null;
}

export interface TokenView {
  id: string;
  label: string;
  uses: string;
  until: string;
  untilExact: string;
  by: string;
}

export interface TokenForm {
  label: string;
  uses: string;
  hours: string;
  problem: string;
}

/** Shown once: only a hash of it is kept. */
export interface FreshToken {
  token: string;
  command: string;
  label: string;
}

export const emptyTokenForm: TokenForm = { label: '', uses: '1', hours: '24', problem: '' };

/** Who asked, the newest first: to be decided now, and put off, rejected or removed. */
export function askingViews(nodes: readonly NodeRow[], now: Date): { pending: AskingView[]; declined: AskingView[] } {
  const asked = nodes
    .filter((n) => n.standing !== 'approved')
    .toSorted((a, b) => (b.askedAt?.getTime() ?? 0) - (a.askedAt?.getTime() ?? 0));
  const waits = (n: NodeRow): boolean => n.standing === 'pending' && (n.putOffUntil === null || n.putOffUntil <= now);
  return {
    pending: asked.filter(waits).map((n) => askingView(n, now)),
    declined: asked.filter((n) => !waits(n)).map((n) => askingView(n, now)),
  };
}

function askingView(node: NodeRow, now: Date): AskingView {
  const code = node.standing === 'pending' ? (node.code ?? '') : '';
  const at = node.askedAt ?? node.joinedAt;
  return {
    id: node.id,
    slug: node.id.replace(/[^\w-]/g, '-'),
    name: node.name,
    hardware: hardwareOf(node.hardware, node.platform),
    platform: node.platform,
    version: node.version,
    address: node.address ?? '',
    code: code.length === 6 ? `${code.slice(0, 3)} ${code.slice(3)}` : code,
    codeSpoken: [...code].join(' '),
    asked: ago(at, now),
    askedExact: exact(at),
    declined: declinedWords(node),
    removed: node.standing === 'revoked',
  };
}

function declinedWords({ standing, decidedBy, putOffUntil }: NodeRow): string {
  if (standing === 'pending') return putOffUntil ? `Put off until ${time(putOffUntil)}` : '';
  return `${standing === 'revoked' ? 'Removed' : 'Rejected'}${decidedBy ? ` by ${decidedBy}` : ''}`;
}

export function tokenView(token: JoinToken, now: Date): TokenView {
  const left = token.expiresAt.getTime() - now.getTime();
  return {
    id: token.id,
    label: token.label || 'Without a label',
    uses: token.usesLeft === 1 ? 'for one machine' : `for ${plural(token.usesLeft, 'machine')}`,
    until: left < 48 * 3_600_000 ? `${duration(left)} left` : `until ${day(token.expiresAt)}`,
    untilExact: exact(token.expiresAt),
    by: token.createdBy,
  };
}

export function clusterView(cluster: Pick<Cluster, 'id' | 'name'> | null): NodesSide['cluster'] {
  return cluster && { id: cluster.id, name: cluster.name };
}

/** What the form for a token means, or the sentence that says what to change. */
export function readTokenForm(form: URLSearchParams): { wish: { label: string; uses: number; hours: number } | null; form: TokenForm } {
  const typed = {
    label: (form.get('label') ?? '').trim().slice(0, 200),
    uses: (form.get('uses') ?? '').trim().slice(0, 20),
    hours: (form.get('hours') ?? '').trim().slice(0, 20),
  };
  const problem =
    typed.label.length > 100
      ? 'The label may have at most 100 characters.'
      : whole(typed.uses, 1, 1000) === null
        ? 'Say for how many machines: 1 to 1000.'
        : whole(typed.hours, 1, 8760) === null
          ? 'Say for how many hours it holds: 1 to 8760.'
          : '';
  return {
    wish: problem ? null : { label: typed.label, uses: Number(typed.uses), hours: Number(typed.hours) },
    form: { ...typed, problem },
  };
}

export function whole(text: string, min: number, max: number): number | null {
  const n = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  return n >= min && n <= max ? n : null;
}

export interface AskingPart {
  asking: AskingView;
}
