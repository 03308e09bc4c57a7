import { setTimeout as pause } from 'node:timers/promises';
import { PlainError } from '../errors.ts';
import { placeOf } from '../core/source-paths.ts';
import { createAsker, type Asker } from './asker.ts';
import { list, record, text, whole, words, type Loose } from './loose.ts';
import type { Source, SourceChange, SourceParts } from './source.ts';
import { away, odd } from './trouble.ts';

/**
 * Sonarr and Radarr: programs that fetch films and only want to be told.
 *
 *   tellChanged ─▶ whose folder is it? (series or movie by path) ─▶ RescanSeries / RescanMovie ─▶ wait for the command ─▶ done
 *
 * A rescan reads codec and size of files whose size changed; nothing is renamed and nothing is fetched by it. Names that say
 * "x264" stay as they are, unless a person wished otherwise of this very program (`renames`):
 *
 *   … done ─▶ which names would it give now? ─▶ RenameFiles, for the files that changed and no others
 *
 * A film that has another name afterwards is known again by its content when its folder is looked at.
 *
 * They have no identity of their own and tell nothing without the key. So the key goes to whoever answers at the address,
 * which a person typed together with it; that it is the right kind of program is looked at before anything is told.
 */
export function createArrSource(parts: SourceParts, kind: 'sonarr' | 'radarr'): Source {
  const { name } = parts;
  const app = kind === 'sonarr' ? SONARR : RADARR;
  const asker: Asker = createAsker({
    name,
    url: parts.url,
    outgoing: parts.outgoing,
    // nothing can be proved without the key, so `tellChanged` looks at the status first
    identity: null,
    identify: (signal) => source.identify(signal),
    headers: { accept: 'application/json' },
    credentials: { 'x-api-key': parts.credential },
    now: parts.now ?? Date.now,
  });

  const source: Source = {
    kind,
    async identify(signal) {
      const status = record(await asker.json('/api/v3/system/status', signal));
      if (status['appName'] !== app.name) throw odd(name, `it is no ${app.name}`);
      return {
        id: parts.identity ?? arrIdentity(kind, parts.url),
        name: words(status['instanceName'], 100) || app.name,
        version: words(status['version'], 100),
      };
    },
    listLibraries: () => Promise.resolve([]),
    countItems: () => Promise.resolve(null),
    async *listItems() {},
    readItem: () => Promise.resolve([]),
    inUse: () => Promise.resolve({ use: 'no' }),
    async tellChanged(change, signal) {
      await source.identify(signal);
      const id = await ownerOf(change, signal);
      const answer = record(await asker.json('/api/v3/command', signal, { method: 'POST', body: { name: app.rescan, [app.idField]: id } }));
      const command = text(answer['id'], 40);
      if (command === null) throw odd(name, 'a command without a number');
      await done(command, signal, 'rescan');
      if (parts.renames) await rename(id, change, signal);
    },
    analyze: () => Promise.resolve(),
    learnt: () => ({ ...parts.learnt }),
  };
  return source;

  /** The film or series with the longest folder that this path is in. */
  async function ownerOf(change: SourceChange, signal: AbortSignal): Promise<number> {
    const all = await asker.json(`/api/v3/${app.list}`, signal, BIG);
    if (!Array.isArray(all)) throw odd(name, 'a list that is none');
    const owned = list(all).filter((one) => typeof one['id'] === 'number');
    const rules = owned.flatMap((one) =>
      text(one['path']) === null ? [] : [{ prefix: String(one['path']), rootId: String(one['id']), folder: '' }],
    );
    const found = placeOf(change.after, rules) ?? placeOf(change.before, rules);
    if (found) return Number(found.rootId);
    throw new PlainError(`${name} has nothing in the folder “${change.folder}”, so it was not told.`, {
      reason: { code: 'source-unmapped', params: { source: name, path: change.folder } },
    });
  }

  /** Only what its own rules call otherwise by now. It says itself why it could not: what was told counts all the same. */
  async function rename(id: number, change: SourceChange, signal: AbortSignal): Promise<void> {
    const folder = folderOf(list(await asker.json(`/api/v3/${app.list}`, signal, BIG)).find((one) => one['id'] === id));
    const changed = new Set([change.after, ...(change.names ?? [])].map(plain));
    const files = list(await asker.json(`/api/v3/rename?${app.idField}=${id}`, signal, BIG)).flatMap((one) => {
      const path = plain(text(one['existingPath']) ?? '');
      const file = whole(one[app.fileIdField]);
      return file !== null && (changed.has(path) || changed.has(`${folder}/${path}`)) ? [file] : [];
    });
    if (files.length === 0) return;
    const body = { name: 'RenameFiles', [app.idField]: id, files };
    const command = text(record(await asker.json('/api/v3/command', signal, { method: 'POST', body }))['id'], 40);
    if (command !== null) await done(command, signal, null);
  }

  /** Commands wait behind each other; one that waits longer than we do was still taken. */
  async function done(command: string, signal: AbortSignal, what: 'rescan' | null): Promise<void> {
    for (let asked = 0; asked < MOST_LOOKS; asked++) {
      const said = record(await asker.json(`/api/v3/command/${command}`, signal));
      const status = String(said['status']);
      if (status === 'completed') return;
      if (ENDED_BADLY.has(status) && what === null) return;
      if (ENDED_BADLY.has(status)) throw away(name, `its ${what} ended as “${status}”`);
      await pause(parts.lookEveryMs ?? LOOK_MS, undefined, { signal });
    }
  }
}

const LOOK_MS = 2000;
const MOST_LOOKS = 60;
const ENDED_BADLY = new Set(['failed', 'aborted', 'cancelled', 'orphaned']);
const BIG = { maxBytes: 96 * 1024 * 1024, timeoutMs: 60_000 };

const SONARR = { name: 'Sonarr', list: 'series', rescan: 'RescanSeries', idField: 'seriesId', fileIdField: 'episodeFileId' };
const RADARR = { name: 'Radarr', list: 'movie', rescan: 'RescanMovie', idField: 'movieId', fileIdField: 'movieFileId' };

/** The same path, however its system writes it. */
function plain(path: string): string {
  return path.replaceAll('\\', '/').replace(/\/+$/, '');
}

function folderOf(owner: Loose | undefined): string {
  return plain(text(owner?.['path']) ?? '');
}

/** "sonarr@nas:8989/base": all that tells two of them apart when they are added. */
export function arrIdentity(kind: 'sonarr' | 'radarr', url: string): string {
  const { host, pathname } = new URL(url);
  return `${kind}@${host}${pathname.replace(/\/+$/, '')}`.slice(0, 200);
}
