import type { Actor, Commands, PathRule } from '../core/commands.ts';
import { placeOf, type PlacedFile } from '../core/source-paths.ts';
import { isFetcher } from '../core/source-words.ts';
import { addActivity } from '../db/activity.ts';
import { addLibrary, listLibraries, removeLibrary, setLibrarySource, type Library } from '../db/libraries.ts';
import { listSourceLibraries, setWatched, type SourceLibraryRow } from '../db/source-libraries.ts';
import { listSourcePaths } from '../db/source-paths.ts';
import { readSource, type Source as SourceRow } from '../db/sources.ts';
import { PlainError } from '../errors.ts';
import { isWithin } from './changed-folders.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';
import { wishesOf } from './library-commands.ts';

/** One folder of a section, and where it is here. */
interface Wanted {
  section: SourceLibraryRow;
  place: PlacedFile;
  name: string;
}

/**
 * Libraries of a media server that a person ticks become libraries here, one for each of their folders, because a file
 * belongs to a root and a path below it. Everything is looked at before anything is written: a tick that cannot be honoured
 * refuses the whole wish with its reason.
 */
export function sourceWatching(parts: CoordinatorParts, term: Term): Pick<Commands, 'watchLibraries'> {
  const { events, settings } = parts;
  const { db } = term;
  return { watchLibraries };

  async function watchLibraries(sourceId: number, keys: string[], { lookFirst }: { lookFirst: boolean }, by: Actor): Promise<number[]> {
    const row = await readSource(db, sourceId);
    if (!row) throw new PlainError('This media server is not known any more.');
    if (isFetcher(row.kind)) throw new PlainError(`${row.name} has no libraries to watch: it fetches films, and is told of new files.`);
    const sections = await listSourceLibraries(db, sourceId);
    const chosen = keys.map((key) => sections.find((section) => section.key === key) ?? unknown(row));
    const rules = await listSourcePaths(db, sourceId);
    const wanted = chosen.flatMap((section) => foldersOf(row, section, rules));
    const existing = await listLibraries(db);
    const stands = existing.filter((library) => !isInTheWay(library, wanted));
    for (const one of wanted) refuseOverlap(one, stands, wanted);
    await makeRoom(existing.filter((library) => !stands.includes(library)));
    const ids: number[] = [];
    for (const one of wanted) ids.push(await watch(row, one, existing, lookFirst));
    for (const section of sections) await setTick(section, chosen.includes(section), existing);
    await addActivity(db, {
      kind: 'source-watched',
      by: by.name,
      params: { source: row.name, libraries: chosen.map((c) => c.title).join(', ') },
    });
    events.emit('activity.added', { kind: 'source-watched', severity: 0 });
    events.emit('source.changed', { sourceId });
    for (const id of ids) await term.scanner.scan(id);
    return ids;
  }

  async function watch(row: SourceRow, { section, place, name }: Wanted, existing: Library[], looking: boolean): Promise<number> {
    const source = row.kind as 'plex' | 'jellyfin' | 'emby';
    const same = existing.find((library) => library.rootId === place.rootId && library.folder === place.path);
    if (same) {
      // one that is watched already stays as it is, also switched off or only looked at: to tick another beside it starts nothing
      if (section.watched && same.sourceLibraryId === section.id) return same.id;
      const stays = looking && same.looking;
      await setLibrarySource(db, same.id, { source, sourceLibraryId: section.id, enabled: !stays, looking: stays });
      events.emit('library.changed', { libraryId: same.id });
      return same.id;
    }
    const profile = wishesOf(settings.current());
    const wish = { name, rootId: place.rootId, folder: place.path, profile, source, sourceLibraryId: section.id, looking };
    const { library } = await addLibrary(db, wish);
    events.emit('library.changed', { libraryId: library.id });
    return library.id;
  }

  /** What was watched and is not any more stays as it is, switched off: a person may tick it again. */
  async function setTick(section: SourceLibraryRow, ticked: boolean, existing: Library[]): Promise<void> {
    if (section.watched !== ticked) await setWatched(db, section.id, ticked);
    if (ticked || !section.watched) return;
    for (const library of existing.filter(({ sourceLibraryId }) => sourceLibraryId === section.id)) {
      const { source, looking } = library;
      await setLibrarySource(db, library.id, { source, sourceLibraryId: section.id, enabled: false, looking });
      term.scanner.cancel(library.id);
      events.emit('library.changed', { libraryId: library.id });
    }
  }

  /** A folder that was made known only to be looked at, and in which the watched ones lie: its films are theirs now. */
  async function makeRoom(libraries: Library[]): Promise<void> {
    for (const library of libraries) {
      term.scanner.cancel(library.id);
      if (!(await removeLibrary(db, library.id)))
        throw new PlainError(`The library "${library.name}" is in use and in the way. Remove it first.`);
      events.emit('library.changed', { libraryId: library.id });
    }
  }
}

function foldersOf(row: SourceRow, section: SourceLibraryRow, rules: PathRule[]): Wanted[] {
  if (section.goneAt) throw new PlainError(`${row.name} does not offer the library "${section.title}" any more.`);
  if (section.folders.length === 0) throw new PlainError(`${row.name} says no folder of the library "${section.title}".`);
  return section.folders.map((folder, at) => {
    const place = placeOfFolder(folder, rules);
    if (!place)
      throw new PlainError(
        `${row.name} keeps “${section.title}” in ${folder}, and nobody has said yet where that is here. Match its folders first.`,
        { reason: { code: 'source-unmapped', params: { source: row.name, path: folder } } },
      );
    const own = folder.split(/[\\/]/).findLast((name) => name !== '');
    return { section, place, name: at === 0 || !own ? section.title : own };
  });
}

/** A folder may be the whole of a rule, where a file never is. */
function placeOfFolder(folder: string, rules: PathRule[]): PlacedFile | null {
  const separator = folder.includes('\\') ? '\\' : '/';
  const inside = placeOf(`${folder.replace(/[\\/]+$/, '')}${separator}x`, rules);
  return inside && { rootId: inside.rootId, path: inside.path.split('/').slice(0, -1).join('/') };
}

function isInTheWay(library: Library, wanted: Wanted[]): boolean {
  const within = wanted.filter(
    ({ place }) => place.rootId === library.rootId && place.path !== library.folder && isWithin(place.path, library.folder),
  );
  return library.looking && library.source === 'folder' && within.length > 0;
}

/** One file must not belong to two libraries: two jobs could want to replace it. */
function refuseOverlap({ place, section }: Wanted, stands: Library[], wanted: Wanted[]): void {
  const overlaps = (folder: string): boolean => folder !== place.path && (isWithin(folder, place.path) || isWithin(place.path, folder));
  const other = stands.find(({ rootId, folder }) => rootId === place.rootId && overlaps(folder));
  if (other)
    throw new PlainError(
      `The library "${section.title}" overlaps the library "${other.name}", which is known here already. A file can belong to one library only: remove the other one first.`,
    );
  const taken = stands.find(
    ({ rootId, folder, sourceLibraryId }) =>
      rootId === place.rootId && folder === place.path && sourceLibraryId !== null && sourceLibraryId !== section.id,
  );
  if (taken) throw new PlainError(`The folder of "${section.title}" is watched already, as "${taken.name}" of another library.`);
  const twin = wanted.find(
    (one) => one.section !== section && one.place.rootId === place.rootId && (one.place.path === place.path || overlaps(one.place.path)),
  );
  if (twin)
    throw new PlainError(
      `"${section.title}" and "${twin.section.title}" share a folder. A file can belong to one library only: choose one of them.`,
    );
}

function unknown(row: SourceRow): never {
  throw new PlainError(`${row.name} does not offer one of these libraries any more. Look at its list again.`);
}
