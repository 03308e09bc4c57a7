import type { Found } from '../../core/found.ts';
import { visibleName } from '../../core/visible-name.ts';
import type { FoundOriginal, Stranger } from '../../db/found-originals.ts';
import { ago, day, size } from '../format.ts';
import { url } from '../routes.ts';
import type { PillsView } from './cleanup.ts';

/** What lay in the trash of one root without being in the books. */
export interface TrashFoundPage {
  groups: PillsView['groups'];
  names: string;
  rows: FoundLine[];
  strangers: StrangerLine[];
  next: string | null;
}

export interface FoundLine {
  id: number;
  title: string;
  /** the page of the film in whose place it stood */
  href: string | null;
  path: string;
  size: string;
  /** what it is and what becomes of it, in words */
  words: string;
}

export interface StrangerLine {
  path: string;
  size: string;
  age: string;
  why: string;
}

export function trashFoundPage(facts: {
  groups: PillsView['groups'];
  rootId: string;
  names: string;
  found: readonly FoundOriginal[];
  /** there are more after these */
  more: boolean;
  strangers: readonly Stranger[];
  now: Date;
}): TrashFoundPage {
  const last = facts.found.at(-1);
  return {
    groups: facts.groups,
    names: facts.names,
    rows: facts.found.map((one) => foundLine(one, facts.now)),
    strangers: facts.strangers.map((one) => strangerLine(one, facts.now)),
    next: facts.more && last ? url.cleanupFound(facts.rootId, last.id) : null,
  };
}

function foundLine(one: FoundOriginal, now: Date): FoundLine {
  return {
    id: one.id,
    title: visibleName(one.title, 200),
    href: one.fileId === null ? null : url.file(one.fileId),
    path: visibleName(one.path, 300),
    size: size(one.sizeBytes),
    words: `${whatItIs(one.found, now)} ${whatBecomes(one)}`,
  };
}

function whatItIs({ kind, since }: Found, now: Date): string {
  const waits = `It waits since ${waitsSince(since, now)}, as the note beside it says.`;
  return kind === 'output' ? `It stood in the place of an original that was put back. ${waits}` : waits;
}

/** A note may say any time. */
function waitsSince(since: string, now: Date): string {
  const at = new Date(since);
  return Number.isNaN(at.getTime()) || at.getFullYear() < 1971 || at > now ? 'an unknown day' : day(at);
}

function whatBecomes({ found, expiresAt }: FoundOriginal): string {
  if (found.stays === 'nothing-in-place') return 'No film stands in its place, so it is never deleted by itself.';
  if (found.stays === 'other-house') return 'A machine that does not belong to this house put it there, so it is never deleted by itself.';
  return `It goes on ${day(expiresAt)}, unless it is put back before.`;
}

function strangerLine(one: Stranger, now: Date): StrangerLine {
  const at = new Date(one.mtimeMs);
  const known = !Number.isNaN(at.getTime()) && at.getFullYear() >= 1971 && at <= now;
  return {
    path: visibleName(one.trashPath, 300),
    size: size(one.sizeBytes),
    age: known ? `last changed ${ago(at, now)}` : 'of unknown age',
    why: one.why,
  };
}
