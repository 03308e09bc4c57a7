import type { SourceKind } from '../../core/commands.ts';
import { label, sentence, type Reason } from '../../core/reasons.ts';
import { isFetcher, sourceNames } from '../../core/source-words.ts';
import { visibleName } from '../../core/visible-name.ts';
import type { SourceLibraryRow } from '../../db/source-libraries.ts';
import type { SourceOverview } from '../../db/sources.ts';
import { plural, time } from '../format.ts';
import { url } from '../routes.ts';

export interface SourceState {
  word: string;
  tone: 'good' | 'warn' | 'bad' | 'quiet';
  /** the whole sentence; '' when all is well */
  why: string;
}

export interface SourceView {
  id: number;
  name: string;
  kind: SourceKind;
  kindWord: string;
  /** it has libraries; a fetcher is only told */
  isServer: boolean;
  address: string;
  /** its key crosses the network unencrypted */
  readable: boolean;
  version: string;
  account: string;
  enabled: boolean;
  state: SourceState;
  remedy: { href: string; label: string } | null;
  /** it is told nothing before somebody says where its files are */
  untold: boolean;
  checkedAt: Date | null;
  /** "3 libraries, 2 watched" */
  libraries: string;
  listedAt: Date | null;
  /** "2 messages wait, 1 not confirmed"; '' when nothing is open */
  messages: string;
}

export interface SourceCardView {
  source: SourceView;
  now: Date;
}

export interface SourceTrouble {
  source: SourceView;
}

export interface SourceListView {
  sources: SourceView[];
  now: Date;
}

export interface KindsView {
  kinds: KindChoice[];
}

export interface KindChoice {
  kind: SourceKind;
  word: string;
  text: string;
  current: boolean;
}

export interface SourcesPage {
  sources: SourceView[];
  kinds: KindChoice[];
  now: Date;
}

const kindTexts: Record<SourceKind, string> = {
  plex: 'Sign in at plex.tv, or paste a token',
  jellyfin: 'By address and API key',
  emby: 'By address and API key',
  sonarr: 'Is told when an episode changed',
  radarr: 'Is told when a film changed',
};

export function kindChoices(current: SourceKind | null): KindChoice[] {
  return (Object.keys(sourceNames) as SourceKind[]).map((kind) => ({
    kind,
    word: sourceNames[kind],
    text: kindTexts[kind],
    current: kind === current,
  }));
}

export function kindFrom(text: string | undefined): SourceKind | null {
  return text !== undefined && Object.hasOwn(sourceNames, text) ? (text as SourceKind) : null;
}

export function sourceView(
  source: SourceOverview,
  libraries: readonly Pick<SourceLibraryRow, 'sourceId' | 'watched' | 'listedAt' | 'goneAt'>[],
  rules: readonly { sourceId: number }[],
  now: Date,
): SourceView {
  const own = libraries.filter((l) => l.sourceId === source.id && l.goneAt === null);
  return {
    id: source.id,
    name: source.name,
    kind: source.kind,
    kindWord: sourceNames[source.kind],
    isServer: !isFetcher(source.kind),
    address: shownAddress(source.url),
    readable: isReadableOnTheWay(source.url),
    version: source.version,
    account: source.account,
    enabled: source.enabled,
    state: sourceState(source, now),
    remedy: remedyOf(source),
    // a media server has rules by the time something of it is watched
    untold: isFetcher(source.kind) && !rules.some((rule) => rule.sourceId === source.id),
    checkedAt: source.checkedAt,
    libraries: own.length === 0 ? '' : `${plural(own.length, 'library', 'libraries')}, ${own.filter((l) => l.watched).length} watched`,
    listedAt: latest(own.filter((l) => l.watched).map((l) => l.listedAt)),
    messages: messagesWords(source),
  };
}

/** How it stands with a server, in a word or two and a sentence. */
export function sourceState(
  source: Pick<SourceOverview, 'name' | 'enabled' | 'signedIn' | 'problem' | 'problemSince' | 'checkedAt'>,
  now: Date,
): SourceState {
  if (!source.enabled) return { word: 'Switched off', tone: 'quiet', why: 'It is neither asked nor told anything, and its films wait.' };
  const { problem } = source;
  if (!source.signedIn || needsSignIn(problem))
    return { word: 'Sign in again', tone: 'bad', why: sentence(problem ?? { code: 'source-refuses', params: { source: source.name } }) };
  if (problem?.code === 'source-is-another') return { word: 'Another server answers', tone: 'bad', why: sentence(problem) };
  if (problem?.code === 'source-away') return { word: `Away${sinceWords(source.problemSince, now)}`, tone: 'warn', why: sentence(problem) };
  if (problem) return { word: label(problem), tone: 'warn', why: sentence(problem) };
  return source.checkedAt === null ? { word: 'Not asked yet', tone: 'quiet', why: '' } : { word: 'Connected', tone: 'good', why: '' };
}

function needsSignIn(problem: Reason | null): boolean {
  return problem?.code === 'source-refuses' || problem?.code === 'secret-lost';
}

/** What a person can do about its state. */
function remedyOf(source: SourceOverview): SourceView['remedy'] {
  if (!source.enabled) return null;
  if (source.signedIn && !needsSignIn(source.problem))
    return source.problem?.code === 'source-is-another' ? { href: `${url.source(source.id)}#change`, label: 'Change the address' } : null;
  return source.kind === 'plex'
    ? { href: url.addSource('plex'), label: 'Sign in again' }
    : { href: `${url.source(source.id)}#change`, label: 'Enter the key again' };
}

function sinceWords(since: Date | null, now: Date): string {
  if (!since) return '';
  const days = Math.floor((now.getTime() - since.getTime()) / 86_400_000);
  return days >= 1 ? ` for ${plural(days, 'day')}` : ` since ${time(since)}`;
}

/** `telling` is everything that is not settled, with what ought to have been confirmed by now. */
export function messagesWords({ telling, unconfirmed }: Pick<SourceOverview, 'telling' | 'unconfirmed'>): string {
  const waiting = Math.max(0, telling - unconfirmed);
  const parts = [
    ...(waiting > 0 ? [`${plural(waiting, 'message')} ${waiting === 1 ? 'waits' : 'wait'}`] : []),
    ...(unconfirmed > 0 ? [`${unconfirmed} not confirmed`] : []),
  ];
  return parts.join(', ');
}

/** An address as it may be shown: whatever was put before its host or behind its path stays out of the page. */
export function shownAddress(text: string): string {
  try {
    const at = new URL(text);
    return visibleName(`${at.protocol}//${at.host}${at.pathname.replace(/\/+$/, '')}`, 200);
  } catch {
    return '';
  }
}

/** Plain http to another machine: whoever listens on the way can read the key. */
export function isReadableOnTheWay(text: string): boolean {
  const at = URL.parse(text);
  return at?.protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(at.hostname);
}

function latest(dates: readonly (Date | null)[]): Date | null {
  return dates.reduce((a, b) => (a !== null && (b === null || a >= b) ? a : b), null);
}
