import { visibleName } from '../../core/visible-name.ts';
import type { Chosen, Cleanup, LeftoverRow } from '../../db/cleanups.ts';
import { ago, plural, size } from '../format.ts';
import { url } from '../routes.ts';
import { cleanupLine, type CleanupLine, type PillsView } from './cleanup.ts';

/** One clean-up's list. */
export interface CleanupListPage {
  id: number;
  groups: PillsView['groups'];
  names: string;
  head: CleanupHead;
  tabs: { label: string; count: number; href: string; current: boolean }[];
  standing: 'dead' | 'ask' | 'live';
  explains: string;
  folders: FolderView[];
  /** it is still a choice */
  open: boolean;
  before: string | null;
  after: string | null;
  /** the cursor that this page was asked for with, or '' */
  cursor: string;
}

export interface CleanupHead {
  id: number;
  words: string;
  running: boolean;
  open: boolean;
  more: boolean;
  /** "Delete 12 files, 3.1 GB" */
  button: string | null;
  tone: CleanupLine['tone'];
  /** it is over since this page was made */
  over: boolean;
}

export interface HeadView {
  head: CleanupHead;
}

export interface FolderView {
  /** as a person may read it */
  folder: string;
  rows: LeftoverLine[];
}

export interface LeftoverLine {
  n: number;
  name: string;
  size: string;
  age: string;
  why: string;
  chosen: boolean;
  /** what became of it; '' while it is a choice */
  became: string;
  tone: '' | 'won' | 'warn';
}

export interface ListFacts {
  cleanup: Cleanup & { node: string | null };
  names: string;
  groups: PillsView['groups'];
  standing: 'dead' | 'ask' | 'live';
  rows: readonly LeftoverRow[];
  before: string | null;
  after: string | null;
  cursor: string | null;
  chosen: Chosen;
  now: Date;
}

export const standings = [
  { standing: 'dead', label: 'Ours, and over' },
  { standing: 'ask', label: 'Not provably ours' },
  { standing: 'live', label: 'In use' },
] as const;

export function cleanupListPage(facts: ListFacts): CleanupListPage {
  const { cleanup, standing } = facts;
  const link = (query: { show?: string; after?: string | null; before?: string | null }): string => url.cleanupList(cleanup.id, query);
  const counts = { dead: cleanup.dead, ask: cleanup.ask, live: cleanup.live };
  return {
    id: cleanup.id,
    groups: facts.groups,
    names: facts.names,
    head: cleanupHead(cleanup, facts.chosen),
    tabs: standings.map((tab) => ({
      label: tab.label,
      count: counts[tab.standing],
      href: link({ show: tab.standing }),
      current: tab.standing === standing,
    })),
    standing,
    explains: explains[standing],
    folders: folders(facts.rows, facts.now),
    open: cleanup.state === 'listed' && standing !== 'live',
    before: facts.before && link({ show: standing, before: facts.before }),
    after: facts.after && link({ show: standing, after: facts.after }),
    cursor: facts.cursor ?? '',
  };
}

export function cleanupHead(cleanup: Cleanup & { node: string | null }, chosen: Chosen): CleanupHead {
  const line = cleanupLine(cleanup);
  return {
    id: cleanup.id,
    words: line.words,
    running: line.running,
    open: cleanup.state === 'listed',
    more: cleanup.more,
    button: cleanup.state === 'listed' && chosen.files > 0 ? `Delete ${plural(chosen.files, 'file')}, ${size(chosen.bytes)}` : null,
    tone: line.tone,
    over: cleanup.endedAt !== null,
  };
}

const explains = {
  dead: 'Made by CodecShift for work that is over, as its own notes on the disk and the books say. They are chosen from the start.',
  ask: 'They have the name of a leftover, but nothing proves that CodecShift made them. Another program may need them: choose one only if you know what it is.',
  live: 'They belong to work that goes on. They are shown so that you know of them, and cannot be chosen.',
};

/** The walk goes folder by folder, so neighbours of one folder stand together. */
function folders(rows: readonly LeftoverRow[], now: Date): FolderView[] {
  const found: FolderView[] = [];
  let before: string | null = null;
  for (const row of rows) {
    const cut = row.path.lastIndexOf('/');
    const folder = cut < 0 ? '' : row.path.slice(0, cut);
    if (folder !== before) found.push({ folder: folder === '' ? 'Top folder' : visibleName(folder, 300), rows: [] });
    before = folder;
    found.at(-1)!.rows.push(leftoverLine(row, now));
  }
  return found;
}

function leftoverLine(row: LeftoverRow, now: Date): LeftoverLine {
  const became = { found: '', chosen: '', deleted: 'Deleted', gone: 'Gone already', kept: 'Stayed' }[row.state];
  return {
    n: row.n,
    name: visibleName(row.path.slice(row.path.lastIndexOf('/') + 1), 300),
    size: size(row.sizeBytes),
    age: ageOf(row.mtimeMs, now),
    why: row.note ?? row.why,
    chosen: row.state === 'chosen',
    became,
    tone: row.state === 'deleted' ? 'won' : row.state === 'kept' ? 'warn' : '',
  };
}

/** A file's time may be any number. */
function ageOf(mtimeMs: number, now: Date): string {
  const at = new Date(mtimeMs);
  if (Number.isNaN(at.getTime()) || at.getFullYear() < 1971 || at.getTime() > now.getTime() + 86_400_000) return 'of unknown age';
  return ago(at, now);
}
