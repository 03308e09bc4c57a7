import { sentence } from '../../core/reasons.ts';
import type { Activity } from '../../db/activity.ts';
import type { JobRow } from '../../db/job-lists.ts';
import type { MediaFile, MediaFileRow } from '../../db/media-files.ts';
import type { Original } from '../../db/originals.ts';
import type { FileItem } from '../../db/source-items.ts';
import type { SourceMessage } from '../../db/source-messages.ts';
import { bitrate, clock, codecTone, count, day, saving, size, sizeParts, type Tone } from '../format.ts';
import { containerName } from '../../core/names.ts';
import { activityLine, type ActivityLine } from './activity.ts';
import type { Fact } from './job-facts.ts';
import { stateWords } from './job.ts';
import { fileStatuses, statusWord } from './library.ts';
import { isFiltered, listQuery, type ListState } from './list-state.ts';
import { jobFacts, reasonPick, type Pick } from './queue-page.ts';
import { formatWords } from './queue.ts';
import { knownAs, messageLine, type KnownAs, type MessageLine } from './source-messages.ts';
import { streamRows, hdrWord, type StreamRow } from './streams.ts';

export interface FileLine {
  id: number;
  title: string;
  detail: string;
  path: string;
  library: string;
  status: string;
  word: string;
  why: string;
  tone: Tone;
  format: string;
  sizeBytes: number;
  saving: string | null;
}

export interface FileList {
  action: string;
  search: string;
  picks: Pick[];
  filtered: boolean;
  /** the first page of everything: it follows what happens, other pages stay as they were read */
  follows: boolean;
  showLibrary: boolean;
  rows: FileLine[];
  total: number;
  before: string | null;
  after: string | null;
  pageWords: string;
}

export interface FilesPage {
  files: FileList;
}

export interface FileListFacts {
  state: ListState;
  rows: readonly MediaFileRow[];
  before: string | null;
  after: string | null;
  total: number;
  libraries: readonly { id: number; name: string }[];
  /** the list of one library stands below its other facts and leaves its name away */
  libraryId: number | null;
  path: string;
}

export function fileList(facts: FileListFacts): FileList {
  const { state } = facts;
  const names = new Map(facts.libraries.map((l) => [l.id, l.name]));
  // inside one library the library is part of the path, not of the query; the status has its own name in the form
  const own = { ...state, libraryId: facts.libraryId === null ? state.libraryId : null };
  const href = (page: Partial<ListState>): string => `${facts.path}${queryText({ ...own, ...page })}`;
  const filtered = isFiltered(own) || state.state !== 'all';
  return {
    action: facts.path,
    search: state.search ?? '',
    picks: [
      ...(facts.libraryId === null && facts.libraries.length > 1
        ? [
            {
              name: 'lib',
              label: 'Library',
              value: String(state.libraryId ?? ''),
              options: facts.libraries.map((l) => ({ value: String(l.id), label: l.name })),
            },
          ]
        : []),
      {
        name: 'status',
        label: 'State',
        value: state.state === 'all' ? '' : state.state,
        options: fileStatuses.map((s) => ({ value: s.status as string, label: s.word })),
      },
      reasonPick(state.reason, ['skip', 'done', 'keep', 'fail', 'convert']),
    ],
    filtered,
    follows: !filtered && !state.before && !state.after,
    showLibrary: facts.libraryId === null,
    rows: facts.rows.map((row) => fileLine(row, names.get(row.libraryId) ?? '')),
    total: facts.total,
    before: facts.before && href({ before: facts.before, after: null }),
    after: facts.after && href({ after: facts.after, before: null }),
    pageWords:
      filtered || facts.total < facts.rows.length
        ? `${count(facts.rows.length)} on this page`
        : `${count(facts.rows.length)} of ${count(facts.total)}`,
  };
}

/** The same as a list's query, with the tab under the name `status`, which is what it is for a file. */
function queryText(state: ListState): string {
  const { state: status, ...rest } = listQuery(state, 'all');
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries({ status, ...rest })) if (value) params.set(key, String(value));
  return params.size ? `?${params}#files` : '#files';
}

function fileLine(file: MediaFileRow, library: string): FileLine {
  return {
    id: file.id,
    title: file.title || 'Untitled',
    detail: file.detail,
    path: file.path,
    library,
    status: file.status,
    word: statusWord(file.status),
    why: file.reason ? sentence(file.reason) : file.status === 'new' ? 'It has not been looked into yet.' : '',
    tone: codecTone(file.codec, file.madeHash !== null && file.status === 'done'),
    format: formatWords(file),
    sizeBytes: file.sizeBytes,
    saving: savingOf(file),
  };
}

function savingOf(file: MediaFileRow): string | null {
  if (file.originalBytes !== null && file.status === 'done' && file.originalBytes > file.sizeBytes)
    return saving(file.originalBytes, file.sizeBytes);
  return file.status === 'queued' && file.expectedBytes !== null && file.expectedBytes < file.sizeBytes
    ? `≈ ${saving(file.sizeBytes, file.expectedBytes)}`
    : null;
}

export interface FilePage {
  id: number;
  title: string;
  libraryId: number;
  library: string;
  path: string;
  now: Date;
  word: string;
  tone: 'quiet' | 'busy' | 'good' | 'warn' | 'bad';
  why: string;
  figure: { value: string; unit: string; label: string };
  facts: Fact[];
  streams: StreamRow[];
  warnings: string[];
  jobs: { id: number; word: string; chip: string; at: Date; why: string }[];
  /** a job that is waiting, running or held */
  liveJob: number | null;
  /** it can be looked at anew and queued */
  retry: boolean;
  excludedBy: string | null;
  /** nothing more is done to a converted file, so there is nothing to leave alone */
  converted: boolean;
  originals: { id: number; sizeBytes: number; word: string; words: string; restorable: boolean }[];
  /** how media servers know it */
  known: KnownAs[];
  /** what they were told of it */
  messages: MessageLine[];
  activity: ActivityLine[];
}

export interface FilePageFacts {
  file: MediaFile;
  library: string;
  jobs: readonly JobRow[];
  originals: readonly Original[];
  items: readonly FileItem[];
  messages: readonly SourceMessage[];
  activity: readonly Activity[];
  now: Date;
}

export function filePage({ file, library, jobs, originals, items, messages, activity, now }: FilePageFacts): FilePage {
  const live = jobs.find((j) => j.state === 'available' || j.state === 'running' || j.state === 'held') ?? null;
  const saved = file.originalBytes !== null && file.originalBytes > file.sizeBytes ? ` instead of ${size(file.originalBytes)}` : '';
  return {
    id: file.id,
    title: [file.title || 'Untitled', file.detail].filter(Boolean).join(' '),
    libraryId: file.libraryId,
    library,
    path: file.path,
    now,
    word: live?.state === 'running' ? 'Running' : live?.state === 'held' ? 'Held' : statusWord(file.status),
    tone:
      live?.state === 'running'
        ? 'busy'
        : file.status === 'failed'
          ? 'bad'
          : file.status === 'done'
            ? 'good'
            : file.status === 'missing'
              ? 'warn'
              : 'quiet',
    why: file.reason
      ? sentence(file.reason)
      : file.status === 'new'
        ? 'It has not been looked into yet; the running or next scan does.'
        : 'No reason was noted.',
    figure: { ...sizeParts(file.sizeBytes), label: saved ? saved.trim() : 'on disk' },
    facts: factsOf(file),
    streams: streamRows(file.probe, null, null),
    warnings: (file.probe?.warnings ?? []).slice(0, 20),
    jobs: jobs.map((job) => {
      const words = stateWords(jobFacts(job, false), now);
      const chip = words.tone === 'bad' ? 'bad' : words.tone === 'warn' ? 'warn' : words.tone === 'good' ? 'won' : '';
      return {
        id: job.id,
        word: words.word,
        chip,
        at: job.finishedAt ?? job.startedAt ?? job.createdAt,
        why:
          job.outcome === 'replaced' && job.outputBytes !== null ? `${size(job.inputBytes)} became ${size(job.outputBytes)}.` : words.next,
      };
    }),
    liveJob: live?.id ?? null,
    // also without a job of its own: a film that could not be read may be readable now
    retry: live === null && file.excludedBy === null && ['failed', 'kept', 'skipped', 'new', 'settling'].includes(file.status),
    excludedBy: file.excludedBy,
    converted: file.status === 'done',
    originals: originals.map((o) => originalLine(o, now)),
    known: knownAs(items),
    messages: messages.map((m) => messageLine(m, now)),
    activity: activity.map((event) => activityLine(event, false)),
  };
}

function originalLine(o: Original, now: Date): FilePage['originals'][number] {
  const stays = o.found !== null && o.found.stays !== null;
  const restorable = o.state === 'kept' && (stays || o.expiresAt > now);
  const base = { id: o.id, sizeBytes: o.sizeBytes, restorable };
  if (restorable && stays) return { ...base, word: 'in the trash', words: 'Can be put back; it is not deleted by itself.' };
  if (restorable) return { ...base, word: 'in the trash', words: `Can be put back until ${day(o.expiresAt)}.` };
  if (o.state === 'restored') return { ...base, word: 'put back', words: o.endedAt ? `On ${day(o.endedAt)}.` : '' };
  if (o.state === 'gone')
    return { ...base, word: 'gone', words: 'Somebody took it out of the trash, not CodecShift, so it cannot be put back from here.' };
  return {
    ...base,
    word: 'gone',
    words: o.endedAt ? `Deleted on ${day(o.endedAt)}, when its time in the trash was over.` : 'Its time in the trash is over.',
  };
}

function factsOf(file: MediaFile): Fact[] {
  const list: (Fact | null)[] = [
    { label: 'Size', value: size(file.sizeBytes) },
    file.originalBytes !== null && file.originalBytes !== file.sizeBytes ? { label: 'Before', value: size(file.originalBytes) } : null,
    file.expectedBytes !== null && file.status === 'queued' ? { label: 'Expected', value: `about ${size(file.expectedBytes)}` } : null,
    { label: 'Format', value: formatWords(file) },
    file.container ? { label: 'Container', value: containerName(file.container) } : null,
    file.durationMs === null ? null : { label: 'Length', value: clock(file.durationMs) },
    file.bitrate === null ? null : { label: 'Bit rate', value: bitrate(file.bitrate) },
    file.hdr ? { label: 'HDR', value: hdrWord(file.hdr) } : null,
    { label: 'Changed', value: day(new Date(file.mtimeMs)) },
    { label: 'Found', value: day(file.createdAt) },
    file.links > 1 ? { label: 'Names on disk', value: String(file.links) } : null,
    file.excludedBy ? { label: 'Left alone by', value: file.excludedBy } : null,
  ];
  return list.filter((fact) => fact !== null);
}
