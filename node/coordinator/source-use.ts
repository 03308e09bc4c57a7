import type { ClusterSettings } from '../config/schema.ts';
import type { Reason } from '../core/reasons.ts';
import { sourcePathOf, type PlacedFile } from '../core/source-paths.ts';
import { isFetcher } from '../core/source-words.ts';
import type { Database } from '../db/connect.ts';
import { itemsOfPath, noteUse, type FileItem } from '../db/source-items.ts';
import { listSourceLibraries } from '../db/source-libraries.ts';
import { listSourcePaths } from '../db/source-paths.ts';
import { listSources, type Source as SourceRow } from '../db/sources.ts';
import { messageOf } from '../errors.ts';
import type { Source, Use } from '../sources/source.ts';
import { isBelowFolder } from './source-tidings.ts';
import type { Sources } from './sources.ts';

/**
 * May a file be exchanged now, as far as media servers know? Each server that could play it is asked at that moment. Who
 * plays, pauses or downloads it keeps it as it is, and so does a server that cannot be asked: nobody's evening is cut short
 * by a guess. After the last play it rests for some minutes, because people come back.
 */
export interface SourceUse {
  /** null: nobody uses it; else why to wait. Never rejects for what a server does */
  whyNot(file: PlacedFile, signal: AbortSignal): Promise<Reason | null>;
}

export interface SourceUseParts {
  db: Database;
  sources: Pick<Sources, 'open' | 'listAll'>;
  settings: () => Pick<ClusterSettings, 'sources.restMinutes'>;
}

/** What is asked of one server: by item where it knows the file, else by path alone. */
interface Question {
  ref: string;
  part: string | null;
  path: string;
}

const ASK_MS = 20_000;
/** A library in which something changes all the time is not listed for every film. */
const LIST_AGAIN_MS = 10 * 60_000;

export function createSourceUse(parts: SourceUseParts): SourceUse {
  const { db } = parts;
  return { whyNot };

  async function whyNot(file: PlacedFile, signal: AbortSignal): Promise<Reason | null> {
    const servers = (await listSources(db)).filter((row) => row.enabled && !isFetcher(row.kind));
    if (servers.length === 0) return null;
    const items = await itemsOfPath(db, file.rootId, file.path);
    const answers = await Promise.all(servers.map((row) => ofServer(row, file, items, signal)));
    // a person is the better reason than a server that does not answer
    return answers.find((reason) => reason && reason.code !== 'use-unknown') ?? answers.find((reason) => reason !== null) ?? null;
  }

  async function ofServer(row: SourceRow, file: PlacedFile, all: FileItem[], signal: AbortSignal): Promise<Reason | null> {
    const items = all.filter((item) => item.sourceId === row.id);
    const questions: Question[] = items.length > 0 ? items : await byPath(row, file);
    if (questions.length === 0) return null;
    try {
      const { source } = await parts.sources.open(row.id);
      if (items.length === 0 && (await knowsMore(row, source, questions[0]!.path, signal)))
        return reasonOf(row, { use: 'unknown', why: 'it has changed since it was listed, and is listed anew' });
      for (const question of questions) {
        const use = await source.inUse(question, AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]));
        if (use.use === 'yes' && question.ref) await noteUse(db, row.id, question.ref);
        if (use.use !== 'no') return reasonOf(row, use);
      }
      return resting(row, items);
    } catch (error) {
      if (signal.aborted) throw error;
      return reasonOf(row, { use: 'unknown', why: messageOf(error) });
    }
  }

  /**
   * It may have found this file after its last listing, and then nobody here knows its entry: it is listed once more. One
   * that has no mark of its changes is asked by path.
   */
  async function knowsMore(row: SourceRow, source: Source, path: string, signal: AbortSignal): Promise<boolean> {
    const covering = (await listSourceLibraries(db, row.id)).filter(({ folders }) => folders.some((folder) => isBelowFolder(path, folder)));
    if (covering.length === 0) return false;
    const offered = await source.listLibraries(AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]));
    const older = covering.filter(({ key, changeMark, listedAt }) => {
      const mark = offered.find((library) => library.key === key)?.changeMark ?? null;
      return mark !== null && mark !== changeMark && (listedAt === null || Date.now() - listedAt.getTime() > LIST_AGAIN_MS);
    });
    if (older.length > 0) void parts.sources.listAll(row.id);
    return older.length > 0;
  }

  /** It has no entry of this file that is known here, but calls a folder of it its own. */
  async function byPath(row: SourceRow, file: PlacedFile): Promise<Question[]> {
    const path = sourcePathOf(file, await listSourcePaths(db, row.id));
    return path === null ? [] : [{ ref: '', part: null, path }];
  }

  function resting(row: SourceRow, items: FileItem[]): Reason | null {
    const minutes = parts.settings()['sources.restMinutes'];
    const isFresh = items.some(({ usedAgo }) => usedAgo !== null && usedAgo < minutes * 60);
    return isFresh ? { code: 'watched-lately', params: { source: row.name, minutes } } : null;
  }
}

const verbs = { playing: 'plays', paused: 'has paused', downloading: 'downloads' } as const;

function reasonOf(row: SourceRow, use: Exclude<Use, { use: 'no' }>): Reason {
  if (use.use === 'unknown') return { code: 'use-unknown', params: { source: row.name, message: use.why.slice(0, 300) } };
  return { code: 'playing', params: { source: row.name, who: use.who.slice(0, 100) || 'Somebody', how: verbs[use.how] } };
}
