import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Actor, Commands, LibraryChange } from '../core/commands.ts';
import { priorities } from '../core/job.ts';
import { profileProblems } from '../core/profile-fields.ts';
import { defaultProfile, type Profile } from '../core/profile.ts';
import { parseSchedule } from '../core/scan-schedule.ts';
import type { ClusterSettings } from '../config/schema.ts';
import { addActivity } from '../db/activity.ts';
import { prioritiseJobs } from '../db/jobs.ts';
import { establishCluster } from '../db/cluster.ts';
import { addLibrary, changeLibrary, listLibraries, readLibrary, removeLibrary, type Library } from '../db/libraries.ts';
import { believePath, upsertRoot } from '../db/roots.ts';
import { runningJobs } from '../db/job-lists.ts';
import { PlainError } from '../errors.ts';
import type { CoordinatorParts } from './coordinator.ts';
import type { Term } from './term.ts';
import { createReplanner } from './replanner.ts';

/** Adding, changing and removing libraries. No file is ever touched by any of these. */
export function libraryCommands(
  parts: CoordinatorParts,
  term: Term,
): Pick<Commands, 'addLibrary' | 'changeLibrary' | 'removeLibrary' | 'measureLibrary' | 'cancelMeasure'> {
  const { mesh, events, log } = parts;
  const { db } = term;
  const replanner = createReplanner({
    ...{ mesh, db, log, signal: term.signal, settings: parts.settings.current },
    onDone(libraryId) {
      events.emit('queue.changed', { why: 'a profile changed' });
      events.emit('library.changed', { libraryId });
      term.offer();
    },
  });

  return {
    async addLibrary(wish, by) {
      requireLawful(wish.profile ?? {});
      const folder = unquoted(wish.path.trim());
      // the folder may be on a machine with another system
      if (!path.posix.isAbsolute(folder) && !path.win32.isAbsolute(folder))
        throw new PlainError(`"${folder}" is not a whole path. Write it from the start, for example /media/films.`);
      const answer = await mesh.request(wish.node ?? mesh.self, 'inspect', { op: 'adopt', root: null, path: folder });
      if (answer.op !== 'adopted') throw new PlainError(`${folder} could not be added.`);
      await establishCluster(db);
      const existing = await listLibraries(db);
      const same = existing.find((l) => l.rootId === answer.root && l.folder === answer.folder);
      if (same) return same.id;
      refuseOverlap(existing, answer.root, answer.folder);
      await upsertRoot(db, answer.root);
      await believePath(db, wish.node ?? mesh.self, { id: answer.root, path: answer.path, writable: answer.writable });
      const name = freeName(wish.name?.trim() || path.basename(folder) || folder, existing);
      const profile = { ...wishesOf(parts.settings.current()), ...wish.profile };
      const { library } = await addLibrary(db, {
        name,
        rootId: answer.root,
        folder: answer.folder,
        profile,
        looking: wish.lookFirst ?? false,
      });
      await addActivity(db, { kind: 'library-added', libraryId: library.id, by: by.name, params: { name } });
      events.emit('library.changed', { libraryId: library.id });
      if (!answer.writable) log.warn({ library: name }, 'the folder is read-only here; its files can be looked at, but not replaced');
      term.callForHello();
      await term.scanner.scan(library.id);
      return library.id;
    },

    async changeLibrary(libraryId, change, by) {
      const library = await known(libraryId);
      const profile = change.profile ? { ...library.profile, ...lawful(change.profile) } : undefined;
      const name = change.name?.trim();
      if (name !== undefined && (name === '' || name.length > 200)) throw new PlainError('A library needs a name of 1 to 200 characters.');
      if (name && (await listLibraries(db)).some((l) => l.id !== libraryId && l.name === name))
        throw new PlainError(`There is a library called "${name}" already.`);
      if (change.schedule !== undefined && !parseSchedule(change.schedule))
        throw new PlainError('A library is scanned as the setting says, every 0 to 10,080 minutes, or at an hour from 0 to 23.');
      const { profile: _partial, ...wish } = change;
      const changed = differences(library, { ...wish, ...(name ? { name } : {}), ...(profile ? { profile } : {}) });
      if (Object.keys(changed).length === 0) return;
      const { priority, profile: whole, ...rest } = changed;
      await changeLibrary(db, libraryId, {
        ...rest,
        ...(priority ? { priority: priorities.indexOf(priority) } : {}),
        // what is wished and no more: somebody else may change another rule at this moment
        ...(whole ? { profile: change.profile! } : {}),
      });
      // only when it really changed: what a person gave single files a priority for stays
      if (priority) await prioritiseJobs(db, wholeLibrary(libraryId), priority);
      await addActivity(db, { kind: 'library-changed', libraryId, by: by.name, params: { library: library.name, ...described(changed) } });
      events.emit('library.changed', { libraryId });
      if (changed.profile) void replanner.again(library);
      if (changed.watch !== undefined || changed.enabled !== undefined) term.callForHello();
      if (change.enabled) term.offer();
    },

    async measureLibrary(libraryId, by) {
      await term.measurer.measure(libraryId, by.name);
      events.emit('library.changed', { libraryId });
    },

    async cancelMeasure(libraryId) {
      term.measurer.cancel(libraryId);
    },

    async removeLibrary(libraryId, by: Actor) {
      const library = await known(libraryId);
      term.scanner.cancel(libraryId);
      term.measurer.cancel(libraryId);
      const running = (await runningJobs(db)).filter((job) => job.libraryId === libraryId);
      if (running.length)
        throw new PlainError(
          `${running.length === 1 ? 'One file' : `${running.length} files`} of "${library.name}" ${running.length === 1 ? 'is' : 'are'} being worked on. Cancel ${running.length === 1 ? 'it' : 'them'} first, then remove the library.`,
        );
      if (!(await removeLibrary(db, libraryId)))
        throw new PlainError(`A file of "${library.name}" was begun at this moment. Cancel it first, then remove the library.`);
      await addActivity(db, { kind: 'library-removed', by: by.name, params: { name: library.name } });
      events.emit('library.changed', { libraryId });
    },
  };

  async function known(libraryId: number): Promise<Library> {
    const library = await readLibrary(db, libraryId);
    if (!library) throw new PlainError('This library does not exist any more.');
    return library;
  }
}

/** File managers copy a path in quotation marks. */
function unquoted(text: string): string {
  return /^(?:"[^"]+"|'[^']+')$/.test(text) ? text.slice(1, -1) : text;
}

export function wishesOf(settings: ClusterSettings): Profile {
  return {
    ...defaultProfile,
    quality: settings['profile.quality'],
    speed: settings['profile.speed'],
    tenBit: settings['profile.tenBit'],
    minSavingPercent: settings['profile.minSavingPercent'],
  };
}

/** One file must not belong to two libraries: two jobs could want to replace it. */
function refuseOverlap(existing: Library[], root: string, folder: string): void {
  const inside = (a: string, b: string): boolean => b === '' || a === b || a.startsWith(`${b}/`);
  const other = existing.find((l) => l.rootId === root && (inside(folder, l.folder) || inside(l.folder, folder)));
  if (other) throw new PlainError(`This folder overlaps the library "${other.name}". A file can belong to one library only.`);
}

function freeName(wanted: string, existing: Library[]): string {
  const taken = new Set(existing.map((l) => l.name));
  const base = wanted.slice(0, 190);
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base} ${n}`;
    if (!taken.has(name)) return name;
  }
}

function lawful(change: Partial<Profile>): Partial<Profile> {
  requireLawful(change);
  return change;
}

function requireLawful(change: object): void {
  const problems = profileProblems(change);
  if (problems.length) throw new PlainError(`${problems.map((p) => `${p.key} ${p.problem}`).join('; ')}.`);
}

function wholeLibrary(libraryId: number): { filter: { libraryId: number; search: null; codec: null; priority: null } } {
  return { filter: { libraryId, search: null, codec: null, priority: null } };
}

/** A form sends everything; this is what differs from what is stored. */
function differences(
  library: Library,
  wish: Omit<LibraryChange, 'profile'> & { profile?: Profile },
): Omit<LibraryChange, 'profile'> & { profile?: Profile } {
  return {
    ...(wish.name !== undefined && wish.name !== library.name ? { name: wish.name } : {}),
    ...(wish.enabled !== undefined && wish.enabled !== library.enabled ? { enabled: wish.enabled } : {}),
    ...(wish.priority !== undefined && wish.priority !== priorities[library.priority] ? { priority: wish.priority } : {}),
    ...(wish.profile !== undefined && !isDeepStrictEqual(wish.profile, library.profile) ? { profile: wish.profile } : {}),
    ...(wish.schedule !== undefined && !isDeepStrictEqual(wish.schedule, library.schedule) ? { schedule: wish.schedule } : {}),
    ...(wish.watch !== undefined && wish.watch !== library.watch ? { watch: wish.watch } : {}),
  };
}

function described(change: LibraryChange): Record<string, unknown> {
  return {
    ...change,
    profile: change.profile ? JSON.stringify(change.profile) : undefined,
    schedule: change.schedule ? JSON.stringify(change.schedule) : undefined,
  };
}
