import type { LogLevel } from './log-levels.ts';
import type { Priority } from './job.ts';
import type { TargetWish } from './notice-target.ts';
import type { NodeChange } from './node-wishes.ts';
import type { Side } from './pictures.ts';
import type { Profile } from './profile.ts';
import type { ScanSchedule } from './scan-schedule.ts';

/** One line of another machine's log, as it said it. */
export interface SaidLine {
  seq: number;
  time: string;
  level: string;
  room: string;
  msg: string;
  /** everything else of it, as text */
  rest: string;
}

/**
 * What a person may ask for. The pages, the API and the command line act only through this; the coordinator implements
 * it (coordinator/commands.ts). Every command says what it wants the state to be, so doing it twice does no harm.
 *
 * All of them throw `PlainError` with a sentence for the person when the wish cannot be met.
 */
export interface Commands {
  pauseAll(by: Actor): Promise<void>;
  resumeAll(by: Actor): Promise<void>;
  /** one library, or all; resolves when the scans have started, with their number */
  scan(libraryId: number | null, by: Actor): Promise<number>;
  cancelScan(libraryId: number, by: Actor): Promise<void>;

  cancelJob(jobId: number, by: Actor): Promise<void>;
  /** a failed, cancelled or kept job: its file is looked at again and queued anew */
  retryJob(jobId: number, by: Actor): Promise<number>;
  /** a running encode is stopped in place and goes on later where it was */
  pauseJob(jobId: number, by: Actor): Promise<void>;
  resumeJob(jobId: number, by: Actor): Promise<void>;
  /** resolves with the number of jobs changed */
  moveJobs(which: JobSelection, where: 'top' | 'end', by: Actor): Promise<number>;
  prioritise(which: JobSelection, priority: Priority, by: Actor): Promise<number>;
  /** waiting jobs leave the queue; their files stay as they are; excluded ones for good, others until a person asks for them again */
  removeJobs(which: JobSelection, excluded: boolean, by: Actor): Promise<number>;
  /** everything that waits leaves the queue; a scan that a person asks for brings it back */
  clearQueue(by: Actor): Promise<number>;

  /** a file without a job that could be tried again: it is looked at anew; resolves with its job, or says why it stays as it is */
  retryFile(fileId: number, by: Actor): Promise<number>;
  excludeFile(fileId: number, by: Actor): Promise<void>;
  includeFile(fileId: number, by: Actor): Promise<void>;
  /** one frame of a job's original or output, as its node keeps it: a JPEG */
  readPicture(wish: { jobId: number; attemptId: number; number: number; side: Side }, by: Actor): Promise<Uint8Array>;
  /** the newest lines of another machine's log, newest first; they left their secrets there */
  readLog(wish: { nodeId: string; level: LogLevel; room: string | null; words: string }, by: Actor): Promise<SaidLine[]>;
  /** puts the original back; the HEVC file goes to the trash in its place. One that was found in the trash is named the same way */
  restore(originalId: number, by: Actor): Promise<void>;
  /** a copy that was found bad, or waits to be looked at again, is good as it is: its original expires like any other */
  acceptCopy(originalId: number, by: Actor): Promise<void>;

  /** `.lock` and `.tmp_` files of one root, or of all, are listed, nothing else; resolves with the clean-ups that began */
  lookForLeftovers(rootId: string | null, by: Actor): Promise<number[]>;
  /** what of a list shall go: of the files `shown` exactly those `chosen`, or everything in the folder of one; resolves with how many changed */
  chooseLeftovers(cleanupId: number, which: { shown: number[]; chosen: number[] } | { folderOf: number }, by: Actor): Promise<number>;
  /** deletes what is chosen; `asked` says how many of it the person knows not to be provably ours */
  deleteLeftovers(cleanupId: number, asked: number, by: Actor): Promise<{ files: number; bytes: number }>;
  cancelCleanup(cleanupId: number, by: Actor): Promise<void>;
  /** the originals of a root's trash up to one are deleted now, for good; those that wait for another look stay */
  emptyTrash(rootId: string, upTo: number, by: Actor): Promise<{ files: number; bytes: number }>;

  /**
   * `node`: on which machine the folder is; left out, it is the coordinating one. `lookFirst`: it is scanned and planned, and
   * nothing of it is converted before a person switches it on
   */
  addLibrary(
    wish: { path: string; node?: string; name?: string; profile?: Partial<Profile>; lookFirst?: boolean },
    by: Actor,
  ): Promise<number>;
  changeLibrary(libraryId: number, change: LibraryChange, by: Actor): Promise<void>;
  /** forgets the library and its queue; no file is touched, the trash stays until its retention ends */
  removeLibrary(libraryId: number, by: Actor): Promise<void>;

  /**
   * Encodes short pieces of a few films of each large class on machines with a free slot, so that the forecast becomes
   * narrow; nothing is written outside their workspaces. Resolves when it began
   */
  measureLibrary(libraryId: number, by: Actor): Promise<void>;
  cancelMeasure(libraryId: number, by: Actor): Promise<void>;

  /** tries a server before anything is kept: who answers, which libraries it has; `draft` names the tried server for `addSource` */
  trySource(wish: { kind: SourceKind; url: string; credential: string }, by: Actor): Promise<SourceTry>;
  /** begins a sign-in at plex.tv; the person opens `url` and comes back to `returnTo`. `expiresAt`: milliseconds since 1970 */
  beginPlexSignIn(
    wish: { returnTo: string | null; flow: 'token' | 'jwt' },
    by: Actor,
  ): Promise<{ signIn: string; url: string; code: string; expiresAt: number }>;
  /** asks plex.tv once whether the person signed in meanwhile, and which servers can be chosen then */
  askPlexSignIn(signIn: string, by: Actor): Promise<PlexSignIn>;
  /** keeps a server: one of a sign-in, or one that was tried by address and token */
  addSource(wish: { draft: string; name?: string } | { signIn: string; server: string; name?: string }, by: Actor): Promise<number>;
  /** `renames`, for fetchers: they rename a film after its conversion, if their own rules call it otherwise now */
  changeSource(
    sourceId: number,
    change: { name?: string; url?: string; enabled?: boolean; renames?: boolean; credential?: string },
    by: Actor,
  ): Promise<void>;
  /** its libraries become plain folders; nothing is deleted, and the server is told nothing */
  removeSource(sourceId: number, by: Actor): Promise<void>;
  /** asks a server now: who it is, its libraries, counts and sizes */
  refreshSource(sourceId: number, by: Actor): Promise<void>;
  /** which root each folder of a server is: guessed from files of both, for a person to look at */
  proposePaths(sourceId: number, by: Actor): Promise<PathProposal[]>;
  /** looks for sample files on every machine that has the root; nothing is saved */
  provePaths(sourceId: number, rules: PathRule[], by: Actor): Promise<PathProof[]>;
  /** refused without `anyway` while a rule is not proved */
  savePaths(sourceId: number, rules: PathRule[], anyway: boolean, by: Actor): Promise<void>;
  /**
   * Ticks libraries of a server to watch, and unticks others; their folders must be known by then. `lookFirst`: those that are
   * new here are scanned and planned, and nothing of them is converted before somebody starts them.
   */
  watchLibraries(sourceId: number, keys: string[], how: { lookFirst: boolean }, by: Actor): Promise<number[]>;
  /** a new address for its webhook, shown once */
  makeHook(sourceId: number, by: Actor): Promise<{ path: string; user: string; password: string }>;
  /** a message of a webhook, already authenticated by its secret; resolves with how many files it was about */
  hookCame(secret: string, body: HookBody): Promise<number>;
  /** a server that did not confirm is told once more */
  tellSourceAgain(messageId: number, by: Actor): Promise<void>;

  /** a place that is told what happens; its secrets are sealed and never shown again */
  addNoticeTarget(wish: TargetWish, by: Actor): Promise<number>;
  /** `version`: the one the person saw. Kept secrets stay only while nothing changes of where it leads */
  changeNoticeTarget(targetId: number, version: number, wish: TargetWish, by: Actor): Promise<void>;
  removeNoticeTarget(targetId: number, by: Actor): Promise<void>;
  /** sends a test now, also in quiet hours; resolves with what the receiver answered, within a minute */
  testNoticeTarget(targetId: number, by: Actor): Promise<{ ok: boolean; says: string }>;
  /** one line of the log is sent once more */
  sendNoticeAgain(deliveryId: number, by: Actor): Promise<void>;

  /** `null` means back to the default. Validates the whole group first: either all change or none. */
  saveSettings(changes: SettingChange[], by: Actor): Promise<SettingProblem[]>;
  /** encoders are tested again by real encodes on that node */
  detectEncoders(nodeId: string, by: Actor): Promise<void>;
  /** an encoder that is not used because of bad copies gets another chance */
  liftBench(benchId: number, by: Actor): Promise<void>;

  /** a pending (or rejected) node becomes a member, everywhere at once */
  approveNode(nodeId: string, by: Actor): Promise<void>;
  /** `reject` for good, until it is approved after all; `later` hides it for an hour */
  declineNode(nodeId: string, how: 'reject' | 'later', by: Actor): Promise<void>;
  /** the node loses every right at once; its running files wait again. The last node with the database cannot go */
  removeNode(nodeId: string, by: Actor): Promise<void>;
  /** pause, drain, slots, hours, bandwidth, manners; what is left out stays */
  changeNode(nodeId: string, wishes: NodeChange, by: Actor): Promise<void>;
  /** another candidate shall coordinate */
  handOver(nodeId: string, by: Actor): Promise<void>;
  /** tells a node where it has a root; proved to be the same disk before anything is replaced there */
  locateRoot(wish: { node: string; root: string; path: string }, by: Actor): Promise<void>;
  /** a text that lets machines join without a click; shown once */
  createJoinToken(wish: { label: string; uses: number; hours: number }, by: Actor): Promise<{ id: string; token: string }>;
  revokeJoinToken(id: string, by: Actor): Promise<void>;
  renameCluster(name: string, by: Actor): Promise<void>;
}

export interface Actor {
  name: string;
  via: 'page' | 'api' | 'cli' | 'system';
  /** who signed in, if somebody did */
  user?: number;
}

/** Either named jobs or everything waiting that a filter of the queue page matches. */
export type JobSelection = { ids: number[] } | { filter: QueueFilter };

export interface QueueFilter {
  libraryId: number | null;
  search: string | null;
  codec: string | null;
  priority: Priority | null;
}

export interface LibraryChange {
  name?: string;
  enabled?: boolean;
  priority?: Priority;
  profile?: Partial<Profile>;
  /** how often it is scanned; `{}` as the setting says */
  schedule?: ScanSchedule;
  /** changes on a local disk are noticed at once */
  watch?: boolean;
}

export type SourceKind = 'plex' | 'jellyfin' | 'emby' | 'sonarr' | 'radarr';

export interface SourceTry {
  draft: string;
  identity: string;
  name: string;
  version: string;
  libraries: { key: string; title: string; kind: string; folders: string[]; items: number | null }[];
}

export type PlexSignIn =
  | { state: 'waiting' }
  | { state: 'expired' }
  | { state: 'signed-in'; account: string; servers: { id: string; name: string; version: string; owned: boolean; addresses: string[] }[] };

/** What a source calls `prefix` is `folder` below the root. */
export interface PathRule {
  prefix: string;
  rootId: string;
  folder: string;
}

export interface PathProposal extends PathRule {
  /** sample files that pointed there, of how many */
  matched: number;
  of: number;
}

export interface PathProof extends PathRule {
  /** one for each machine that has the root: which of the sample files are there with the size that the source says */
  nodes: { nodeId: string; name: string; found: number; otherSize: number; of: number; problem: string | null }[];
  samples: { path: string; file: string; state: 'found' | 'other-size' | 'missing' }[];
}

/** What a webhook sent, bounded by whoever read it: the JSON of it, and of multipart only its `payload`. */
export interface HookBody {
  json: unknown;
}

export interface SettingChange {
  key: string;
  value: unknown;
  /** the version the person saw; 0 when it was the default */
  version: number;
}

export interface SettingProblem {
  key: string;
  /** a sentence for the person */
  problem: string;
  /** set when somebody else changed it meanwhile */
  current?: unknown;
}
