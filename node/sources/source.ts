import type { SourceKind } from '../core/commands.ts';
import type { Outgoing } from '../outgoing.ts';

/**
 * What CodecShift needs of a program that knows a film collection: a media server (Plex, Jellyfin, Emby) whose libraries
 * are watched and who is told of every new file, or a fetcher (Sonarr, Radarr) who is only told. One adapter each; all
 * of them speak through `outgoing.ts`, so none can be led to another place, and none follows a redirect with a token.
 *
 * Paths in here are as the source says them ("/data/movies/…", "O:\Films\…"). They are never opened anywhere: `core/source-paths.ts`
 * turns them into (root, path below the root), and a keeper proves that before it is believed.
 *
 * Every call throws `PlainError` with a sentence and one of the reasons `source-away` (asking later may help),
 * `source-refuses` (sign in again), `source-is-another` (somebody else answers at this address), `source-odd`
 * (an answer that makes no sense).
 */
export interface Source {
  readonly kind: SourceKind;
  /**
   * Who answers there. Sends no credential, except fetchers, which say nothing without, and a Plex that is being tried
   * (no pinned identity), which is asked its name. Compared with the pinned identity before anything else is asked.
   */
  identify(signal: AbortSignal): Promise<SourceIdentity>;
  /** empty for fetchers */
  listLibraries(signal: AbortSignal): Promise<SourceLibrary[]>;
  /** how many items, without reading them; null where the source does not say */
  countItems(libraryKey: string, signal: AbortSignal): Promise<number | null>;
  /** every film and episode, page by page, each once, also when the source ignores the page's size or changes meanwhile */
  listItems(libraryKey: string, signal: AbortSignal): AsyncIterable<SourceItem[]>;
  /** every file of one item, as in a listing; none: it does not exist (any more). Fetchers know no items and never have any */
  readItem(ref: string, signal: AbortSignal): Promise<SourceItem[]>;
  /** does anybody play, pause or download it? What cannot be learnt is `unknown`, which means wait */
  inUse(item: { ref: string; part: string | null; path: string }, signal: AbortSignal): Promise<Use>;
  /** the files below one folder changed; resolves when the source took the message, which proves nothing. Fetchers: when they have looked */
  tellChanged(change: SourceChange, signal: AbortSignal): Promise<void>;
  /** the source reads the streams of one item anew */
  analyze(ref: string, signal: AbortSignal): Promise<void>;
  /** live messages until `signal` ends it; absent where there are none. Rejects when the line breaks: the caller tries again */
  follow?(onNews: (news: SourceNews) => void, signal: AbortSignal): Promise<void>;
  /** what was found out about this server so far, to be kept in `sources.learnt` and handed to the next `openSource` */
  learnt(): Learnt;
}

/** What it takes to open one (`openSource`). */
export interface SourceParts {
  kind: SourceKind;
  /** as people call it, for sentences */
  name: string;
  /** http(s)://host[:port][/base] */
  url: string;
  /** token or API key; goes into a header and nowhere else */
  credential: string;
  /** who must answer there; null while a new server is tried */
  identity: string | null;
  outgoing: Outgoing;
  /** X-Plex-Client-Identifier and device id: one per cluster, made once */
  clientId: string;
  learnt?: Learnt;
  /** a fetcher is to rename what it was told of, if its own rules call it otherwise now */
  renames?: boolean;
  /** how often a command is looked after; for tests */
  lookEveryMs?: number;
  /** milliseconds; Date.now */
  now?: () => number;
}

/** Small JSON: which verb it took, which of two ways it knows. Never anything secret. */
export type Learnt = Record<string, string | number | boolean | null>;

export interface SourceIdentity {
  /**
   * machineIdentifier or server id. Fetchers have none: theirs is the program and the address of the first time
   * ("sonarr@nas:8989"), kept when the address changes
   */
  id: string;
  name: string;
  version: string;
}

export interface SourceLibrary {
  key: string;
  title: string;
  kind: 'movies' | 'shows' | 'other';
  /** in the source's view; several are normal */
  folders: string[];
  /** changes whenever anything in it does; null where the source has no such mark */
  changeMark: string | null;
}

/** One file of one film or episode: an item with two versions is two of these, one film in two parts also. */
export interface SourceItem {
  ref: string;
  /** which file of the item */
  part: string;
  path: string;
  sizeBytes: number | null;
  /** as people say it: "Metropolis" / "1927", "The Lucy Show" / "S02 E14 · Lucy Gets Trapped" */
  title: string;
  detail: string;
  /** files of this version, played one after the other; more than one is never converted */
  parts: number;
  versions: number;
  codec: string | null;
  /** milliseconds since 1970 */
  addedAt: number | null;
  /** what must be the same after a replacement: whether and how far it was watched */
  watched: { views: number; positionMs: number } | null;
}

export type Use = { use: 'no' } | { use: 'yes'; who: string; how: 'playing' | 'paused' | 'downloading' } | { use: 'unknown'; why: string };

export interface SourceChange {
  libraryKey: string | null;
  /** in the source's view */
  folder: string;
  before: string;
  after: string;
  ref: string | null;
  /** every file in the folder that changed with this one, as it is called now */
  names?: readonly string[];
}

export type SourceNews =
  | { kind: 'library-changed'; libraryKey: string | null }
  | { kind: 'item-changed'; ref: string; libraryKey: string | null }
  | { kind: 'item-gone'; ref: string }
  | { kind: 'playing'; ref: string; state: string };
