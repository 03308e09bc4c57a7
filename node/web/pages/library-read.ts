import type { FileStatus } from '../../core/job.ts';
import { readLease } from '../../db/coordinator.ts';
import { listFiles } from '../../db/file-lists.ts';
import { fileCounts, libraryOverview, listLibraries, type FileCount, type LibraryOverview } from '../../db/libraries.ts';
import { listNodes } from '../../db/nodes.ts';
import { listNodeRoots } from '../../db/roots.ts';
import { lastScans, listScans, type Scan } from '../../db/scans.ts';
import { refuse } from '../errors.ts';
import { fileList, type FileList } from '../models/file-page.ts';
import {
  libraryFigure,
  machineChoices,
  winOf,
  type AddForm,
  type LibraryList,
  type LibraryPage,
  type LocateForm,
  type Machine,
} from '../models/library-page.ts';
import { libraryView, scanView, type LibraryView, type Place } from '../models/library.ts';
import type { ListState } from '../models/list-state.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, Web } from '../web.ts';
import { readFinding } from './library-scanning.ts';

/** The page of all libraries, with the form for a further one as it was filled in. */
export async function readList(web: Web, add: Omit<AddForm, 'machines'>): Promise<LibraryList> {
  const [overview, counts, scans, places, machines] = await Promise.all([
    libraryOverview(web.db),
    fileCounts(web.db),
    lastScans(web.db),
    readPlaces(web),
    readMachines(web),
  ]);
  const now = web.now();
  return { libraries: overview.map((l) => viewOf(l, counts, scans, places, now)), add: { ...add, machines }, now };
}

/** One library's page; `typed`: a place of its root that could not be found. */
export async function readPage(
  web: Web,
  id: number,
  state: ListState,
  typed: Pick<LocateForm, 'node' | 'path' | 'problem'> = { node: '', path: '', problem: null },
): Promise<LibraryPage> {
  const library = await readView(web, id);
  if (!library) throw gone();
  const [files, wins, scans, machines, finding] = await Promise.all([
    readFiles(web, state, id, library.files),
    listFiles(web.db, { libraryId: id, status: 'queued', sort: 'saving' }, { size: 50 }),
    listScans(web.db, id),
    readMachines(web),
    readFinding(web, id),
  ]);
  return {
    library,
    figure: libraryFigure(library),
    wins: wins.rows.map(winOf),
    files,
    scans: scans.slice(0, 8).map(scanView),
    locate: { ...typed, libraryId: id, machines, folder: library.folder },
    ...finding,
    now: web.now(),
  };
}

/** Null: there is no such library. */
export async function readView(web: Web, id: number): Promise<LibraryView | null> {
  const [overview, counts, scans, places] = await Promise.all([
    libraryOverview(web.db),
    fileCounts(web.db, id),
    lastScans(web.db),
    readPlaces(web),
  ]);
  const library = overview.find((l) => l.id === id);
  return library ? viewOf(library, counts, scans, places, web.now()) : null;
}

/** One page of files, of one library or of all. */
export async function readFiles(web: Web, state: ListState, id: number | null, total: number): Promise<FileList> {
  const libraries = await listLibraries(web.db);
  const status = state.state === 'all' ? null : (state.state as FileStatus);
  const page = await listFiles(
    web.db,
    { libraryId: id ?? state.libraryId, status, codec: state.codec, search: state.search, reason: state.reason, sort: 'recent' },
    state,
  );
  return fileList({
    state,
    rows: page.rows,
    before: page.before,
    after: page.after,
    total,
    libraries,
    libraryId: id,
    path: id === null ? url.files() : url.library(id),
  });
}

/** The form of a file list calls it `status`, which is what it is for a file. */
export function statusAsState(query: URLSearchParams): URLSearchParams {
  const copy = new URLSearchParams(query);
  copy.delete('state');
  const status = query.get('status');
  if (status) copy.set('state', status);
  return copy;
}

/** Where a new folder may be: see `machineChoices`. */
export async function readMachines(web: Pick<Web, 'db'>): Promise<Machine[]> {
  const [nodes, lease] = await Promise.all([listNodes(web.db), readLease(web.db)]);
  return machineChoices(nodes, lease.held ? lease.holder : null);
}

/** The library that the path of a page names. */
export function libraryId(c: Ctx): number {
  const id = idFrom(c.req.param('id'));
  if (id === null || id > 2 ** 31 - 1) throw gone();
  return id;
}

export function gone(): Error {
  return refuse('not-found', 'There is no such library. It may have been removed.');
}

function viewOf(
  library: LibraryOverview,
  counts: readonly FileCount[],
  scans: readonly Scan[],
  places: readonly Place[],
  now: Date,
): LibraryView {
  return libraryView(
    library,
    counts.filter((c) => c.libraryId === library.id),
    scans.find((s) => s.libraryId === library.id) ?? null,
    places,
    now,
  );
}

async function readPlaces(web: Web): Promise<Place[]> {
  const [roots, nodes] = await Promise.all([listNodeRoots(web.db), listNodes(web.db)]);
  const known = new Map(nodes.map((n) => [n.id, n]));
  return roots.map((root) => {
    const node = known.get(root.nodeId);
    return { ...root, nodeName: node?.name ?? 'a former node', watching: node?.watching ?? [] };
  });
}
