import { sentence } from '../../core/reasons.ts';
import { visibleName } from '../../core/visible-name.ts';
import type { Cleanup } from '../../db/cleanups.ts';
import type { TrashOfRoot } from '../../db/originals.ts';
import type { SettingGroup } from '../../config/setting.ts';
import { count, day, plural, size } from '../format.ts';
import { url } from '../routes.ts';

export interface PillsView {
  groups: { name: SettingGroup; label: string }[];
  /** null: none of the groups, but the clean-up */
  group: SettingGroup | 'people' | 'api-tokens' | 'audit' | 'logs' | null;
}

/** The clean-up page: every root with its leftovers and its trash. */
export interface CleanupPage {
  groups: PillsView['groups'];
  roots: RootCard[];
  keepDays: string;
  now: Date;
}

export interface RootCard {
  rootId: string;
  /** for ids of elements */
  slug: string;
  /** the libraries in it */
  names: string;
  /** which machine looks, in words */
  keeper: string;
  canLook: boolean;
  last: CleanupLine | null;
  trash: TrashLine | null;
  /** what lies in the trash and was not in the books; '' when nothing does */
  found: string;
  foundHref: string;
}

export interface RootView {
  root: RootCard;
  keepDays: string;
  now: Date;
}

export interface CleanupLine {
  id: number;
  at: Date;
  words: string;
  running: boolean;
  /** the list, when there is one */
  href: string | null;
  label: string;
  tone: '' | 'bad' | 'heed';
}

export interface TrashLine {
  words: string;
  oldest: string;
  days: { words: string; day: string }[];
  held: string;
  /** nothing of it may be deleted now */
  stays: boolean;
}

export interface CardFacts {
  rootId: string;
  libraries: readonly string[];
  keepers: readonly { name: string; path: string }[];
  last: (Cleanup & { node: string | null }) | null;
  trash: TrashOfRoot | null;
  /** files in the trash that nothing tells where they belong */
  strangers: number;
  days: readonly { day: Date; files: number; bytes: number }[];
}

export function rootCard({ rootId, libraries, keepers, last, trash, strangers, days }: CardFacts): RootCard {
  const first = keepers[0];
  return {
    rootId,
    slug: rootId.slice(0, 8),
    names: libraries.join(', ') || 'A folder without a library',
    keeper: first
      ? `${first.name} looks, in ${visibleName(first.path, 120)}`
      : 'No machine has it mounted with the right to write, so nothing can be looked at now.',
    canLook: first !== undefined,
    last: last && cleanupLine(last),
    trash: trash && trashLine(trash, days),
    found: foundInTrash(trash, strangers),
    foundHref: url.cleanupFound(rootId),
  };
}

/** Where a clean-up stands, in one sentence. */
export function cleanupLine(c: Cleanup & { node: string | null }): CleanupLine {
  const at = c.endedAt ?? c.listedAt ?? c.startedAt;
  const base = { id: c.id, at, running: false, href: null as string | null, label: '', tone: '' as CleanupLine['tone'] };
  const list = { href: url.cleanupList(c.id), label: 'Show the list' };
  const found = foundWords(c);
  switch (c.state) {
    case 'listing':
      return { ...base, running: true, words: `${c.node ?? 'A machine'} looks: ${plural(c.looked, 'name')} so far; ${found}` };
    case 'listed':
      return { ...base, ...list, label: 'Look through the list', words: `${capital(found)}. Nothing was deleted yet.` };
    case 'deleting':
      return { ...base, ...list, running: true, words: `Deleting: ${plural(c.deleted, 'file')} gone, ${size(c.deletedBytes)} freed` };
    case 'done':
      if (c.listedAt !== null && c.live + c.dead + c.ask === 0)
        return { ...base, words: `Nothing was left lying about; ${plural(c.looked, 'name')} looked at.` };
      return { ...base, ...list, words: resultWords(c), tone: c.kept > 0 ? 'heed' : '' };
    case 'failed':
      return { ...base, ...(c.deletedBy ? list : {}), words: c.reason ? sentence(c.reason) : 'It stopped.', tone: 'bad' };
    case 'cancelled':
      return { ...base, ...(c.deletedBy ? list : {}), words: c.deletedBy ? `Stopped: ${resultWords(c)}` : 'Stopped; nothing was deleted.' };
  }
}

function foundWords(c: Cleanup): string {
  if (c.live + c.dead + c.ask === 0) return 'nothing found';
  const parts = [
    c.dead > 0 ? `${plural(c.dead, 'file')} of ours that ${c.dead === 1 ? 'is' : 'are'} over (${size(c.deadBytes)})` : '',
    c.ask > 0 ? `${count(c.ask)} that CodecShift may not have made (${size(c.askBytes)})` : '',
    c.live > 0 ? `${count(c.live)} in use` : '',
  ].filter((part) => part !== '');
  return parts.join(', ');
}

function resultWords(c: Cleanup): string {
  const kept = c.kept > 0 ? `; ${plural(c.kept, 'file')} stayed, each with its reason` : '';
  return `${plural(c.deleted, 'file')} deleted, ${size(c.deletedBytes)} freed${kept}.`;
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function foundInTrash(trash: TrashOfRoot | null, strangers: number): string {
  const found = trash?.found ?? 0;
  const parts = [
    found > 0 ? `${plural(found, 'original')} that the books had not known` : '',
    strangers > 0 ? `${plural(strangers, 'file')} that nothing is known of` : '',
  ].filter((part) => part !== '');
  return parts.length > 0 ? capital(`${parts.join(' and ')} ${found + strangers === 1 ? 'lies' : 'lie'} in this trash.`) : '';
}

function trashLine(trash: TrashOfRoot, days: CardFacts['days']): TrashLine {
  return {
    words: `${plural(trash.files, 'original')}, ${size(trash.bytes)}`,
    oldest: day(trash.oldest),
    days: days.map((d) => ({ day: day(d.day), words: `${plural(d.files, 'file')}, ${size(d.bytes)}` })),
    held: heldWords(trash),
    stays: trash.held === trash.files,
  };
}

function heldWords({ held, stay }: TrashOfRoot): string {
  const looked = held - stay;
  const parts = [
    looked > 0
      ? `${plural(looked, 'original')} of it ${looked === 1 ? 'waits' : 'wait'} until the new file was looked at once more, and ${looked === 1 ? 'stays' : 'stay'} so long.`
      : '',
    stay > 0 ? `${plural(stay, 'original')} of it ${stay === 1 ? 'is' : 'are'} never deleted by itself.` : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}
