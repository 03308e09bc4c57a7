import { sentence } from '../../core/reasons.ts';
import { priorities, type FileStatus, type Priority } from '../../core/job.ts';
import { sourceNames } from '../../core/source-words.ts';
import type { LibraryOverview } from '../../db/libraries.ts';
import type { Scan } from '../../db/scans.ts';
import { plural } from '../format.ts';
import { codecBar, type CodecBar, type CodecCount } from './codec-bar.ts';
import { rootLine, type RootLine } from './node-page.ts';
import { rulesInWords } from './profile-form.ts';

/** One library as the list and its own page show it. */
export interface LibraryView {
  id: number;
  name: string;
  enabled: boolean;
  /** scanned and planned, and not started yet */
  looking: boolean;
  priority: Priority;
  /** "Plex"; '' for a plain folder */
  sourceWord: string;
  /** below the root; '' is the root itself */
  folder: string;
  /** where the machines of this house have it */
  places: PlaceView[];
  bar: CodecBar;
  bytes: number;
  files: number;
  couldWinBytes: number;
  reclaimedBytes: number;
  statuses: StatusCount[];
  /** why it can't be read now, in a sentence; null when all is well */
  problem: string | null;
  scan: ScanView | null;
  lastScanAt: Date | null;
  rules: string[];
}

export interface PlaceView {
  nodeId: string;
  node: string;
  path: string;
  /** why it is not usable there; null when it is */
  problem: string | null;
  /** what its check found out, in a sentence */
  text: string;
  /** whether changes are noticed there at once, in a sentence; '' where nobody wished it or nobody knows */
  watched: string;
  state: RootLine['state'];
}

export interface StatusCount {
  status: FileStatus;
  word: string;
  count: number;
}

export interface ScanView {
  running: boolean;
  startedAt: Date;
  endedAt: Date | null;
  /** "12,408 files seen, 12 new" */
  words: string;
  /** how it ended when not well */
  problem: string | null;
}

/** What a person reads for each status of a file, in the order in which they ask. */
export const fileStatuses: readonly { status: FileStatus; word: string }[] = [
  { status: 'queued', word: 'In the queue' },
  { status: 'done', word: 'Finished' },
  { status: 'kept', word: 'Kept original' },
  { status: 'skipped', word: 'Skipped' },
  { status: 'failed', word: 'Failed' },
  { status: 'settling', word: 'Still being written' },
  { status: 'new', word: 'Not looked at yet' },
  { status: 'missing', word: 'Missing' },
];

export function statusWord(status: string): string {
  return fileStatuses.find((s) => s.status === status)?.word ?? status;
}

export interface Place {
  rootId: string;
  /** folders of libraries that its machine was asked to watch */
  watching: readonly { root: string; folder: string; watching: boolean; why: string | null }[];
  path: string;
  writable: boolean;
  problem: string | null;
  provedAt: Date | null;
  nodeId: string;
  nodeName: string;
}

export function libraryView(
  library: LibraryOverview,
  counts: readonly CodecCount[],
  scan: Scan | null,
  places: readonly Place[],
  now: Date,
): LibraryView {
  return {
    id: library.id,
    name: library.name,
    enabled: library.enabled,
    looking: library.looking,
    priority: priorities[library.priority] ?? 'normal',
    sourceWord: library.source === 'folder' ? '' : sourceNames[library.source],
    folder: library.folder,
    places: places.filter((p) => p.rootId === library.rootId).map((p) => placeView(p, library, now)),
    bar: codecBar(counts),
    bytes: library.bytes,
    files: library.files,
    couldWinBytes: Math.max(0, library.bytes - library.expectedBytes),
    reclaimedBytes: Math.max(0, library.reclaimedBytes),
    statuses: fileStatuses.map((s) => ({ ...s, count: Math.max(0, library.byStatus[s.status] ?? 0) })).filter((s) => s.count > 0),
    problem: library.problem ? sentence(library.problem) : null,
    scan: scan && scanView(scan),
    lastScanAt: library.lastScanAt,
    rules: rulesInWords(library.profile),
  };
}

function placeView(place: Place, { folder, watch }: Pick<LibraryOverview, 'folder' | 'watch'>, now: Date): PlaceView {
  const problem = place.problem && sentence({ code: place.problem, params: { path: place.path } });
  const { state, text } = rootLine({ ...place, problem: problem ?? '', libraries: [] }, now);
  return {
    nodeId: place.nodeId,
    node: place.nodeName,
    path: joined(place.path, folder),
    problem,
    state,
    text,
    watched: watch ? watchWords(place, folder) : '',
  };
}

function watchWords(place: Place, folder: string): string {
  const said = place.watching.find((one) => one.root === place.rootId && one.folder === folder);
  if (!said) return '';
  return said.watching ? 'Changes are noticed at once.' : `Changes are found by scans only: ${said.why ?? 'it is not watched'}.`;
}

/** A path as that machine writes it; Windows shares keep their own separator. */
function joined(root: string, folder: string): string {
  if (!folder) return root;
  const slash = root.includes('\\') && !root.includes('/') ? '\\' : '/';
  return `${root.replace(/[\\/]+$/, '')}${slash}${folder.replaceAll('/', slash)}`;
}

export function scanView(scan: Scan): ScanView {
  const running = scan.state === 'running';
  const found = (['added', 'changed', 'moved', 'missing'] as const)
    .filter((key) => scan[key] > 0)
    .map((key) => `${scan[key].toLocaleString('en-US')} ${scanWords[key]}`);
  if (scan.problems > 0) found.push(plural(scan.problems, 'problem'));
  const seen = `${plural(scan.seen, 'file')} seen`;
  const rest = running && scan.inspected > 0 ? [`${scan.inspected.toLocaleString('en-US')} looked into`, ...found] : found;
  return {
    running,
    startedAt: scan.startedAt,
    endedAt: scan.endedAt,
    words: rest.length ? `${seen}, ${rest.join(', ')}` : running ? seen : `${seen}, nothing new`,
    problem:
      scan.state === 'failed' || scan.state === 'cancelled'
        ? scan.reason
          ? sentence(scan.reason)
          : scan.state === 'failed'
            ? 'The scan failed.'
            : 'The scan was cancelled.'
        : null,
  };
}

const scanWords = { added: 'new', changed: 'changed', moved: 'moved', missing: 'missing' } as const;
