import { sentence } from '../../core/reasons.ts';
import type { JobRow } from '../../db/job-lists.ts';
import { codecTone, duration, sizeParts, type Tone } from '../format.ts';
import { url } from '../routes.ts';
import type { ActivityLine } from './activity.ts';
import { csvLine } from './csv.ts';
import type { HistoryChart, HistoryTotals } from './history.ts';
import { isFiltered, listQuery, type ListState } from './list-state.ts';
import { formatWords, sourceCodec } from './queue.ts';
import type { ChangeLine } from './settings.ts';

export const historyStates = ['all', 'replaced', 'kept', 'failed', 'cancelled', 'restored'] as const;
export type HistoryState = (typeof historyStates)[number];

export interface HistoryRow {
  jobId: number;
  title: string;
  detail: string;
  path: string;
  library: string;
  dot: Tone;
  format: string;
  before: number;
  after: number | null;
  node: string;
  took: string | null;
  at: Date | null;
  word: string;
  tone: 'good' | 'quiet' | 'bad';
  /** why it was kept, failed or cancelled; '' when it was simply replaced */
  why: string;
}

export interface HistoryPage {
  tabs: { label: string; href: string; current: boolean }[];
  state: HistoryState;
  search: string;
  library: string;
  libraries: { value: string; label: string }[];
  totals: HistoryTotals;
  figure: { value: string; unit: string };
  chart: HistoryChart;
  rows: HistoryRow[];
  empty: { title: string; text: string };
  csvHref: string;
  before: string | null;
  after: string | null;
  pageWords: string;
  now: Date;
}

export interface HistoryFacts {
  state: ListState;
  rows: readonly JobRow[];
  before: string | null;
  after: string | null;
  libraries: readonly { id: number; name: string }[];
  totals: HistoryTotals;
  chart: HistoryChart;
  now: Date;
}

const tabWords: Record<HistoryState, string> = {
  all: 'Everything',
  replaced: 'Replaced',
  kept: 'Kept original',
  failed: 'Failed',
  cancelled: 'Cancelled',
  restored: 'Restored',
};

export function historyPage(facts: HistoryFacts): HistoryPage {
  const { state } = facts;
  const href = (part: Partial<ListState>): string => url.history(listQuery({ ...state, after: null, before: null, ...part }, 'all'));
  const current = historyStates.find((s) => s === state.state) ?? 'all';
  return {
    tabs: historyStates.map((s) => ({ label: tabWords[s], href: href({ state: s }), current: s === current })),
    state: current,
    search: state.search ?? '',
    library: String(state.libraryId ?? ''),
    libraries: facts.libraries.map((l) => ({ value: String(l.id), label: l.name })),
    totals: facts.totals,
    figure: sizeParts(facts.totals.reclaimed),
    chart: facts.chart,
    rows: facts.rows.map(historyRow),
    empty:
      isFiltered(state) || current !== 'all'
        ? { title: 'No result matches', text: 'Choose another tab or clear the filter.' }
        : { title: 'No results yet', text: 'The first ones appear here when a file is finished.' },
    csvHref: href({}).replace('/history', '/history/export.csv'),
    before: facts.before && href({ before: facts.before }),
    after: facts.after && href({ after: facts.after }),
    pageWords: facts.rows.length ? `${facts.rows.length} on this page` : '',
    now: facts.now,
  };
}

export function historyRow(job: JobRow): HistoryRow {
  const [word, tone] = outcomeWords(job);
  return {
    jobId: job.id,
    title: job.title || 'Untitled',
    detail: job.detail,
    path: job.path,
    library: job.libraryName,
    dot: codecTone(sourceCodec(job)),
    format: formatWords({ ...job, codec: sourceCodec(job) }),
    before: job.inputBytes,
    after: job.outcome === 'replaced' ? job.outputBytes : null,
    node: job.nodeName ?? (job.nodeId === null ? '' : 'a former node'),
    took: job.startedAt && job.finishedAt ? duration(job.finishedAt.getTime() - job.startedAt.getTime()) : null,
    at: job.finishedAt,
    word,
    tone,
    why: job.outcome === 'replaced' ? '' : job.reason ? sentence(job.reason) : '',
  };
}

function outcomeWords(job: Pick<JobRow, 'state' | 'outcome'>): [string, HistoryRow['tone']] {
  if (job.outcome === 'replaced') return ['Replaced', 'good'];
  if (job.outcome === 'kept') return ['Kept original', 'quiet'];
  if (job.outcome === 'restored') return ['Restored', 'quiet'];
  return job.state === 'failed' ? ['Failed', 'bad'] : ['Cancelled', 'quiet'];
}

export const csvHead = csvLine([
  'job',
  'finished',
  'result',
  'title',
  'detail',
  'library',
  'path',
  'codec',
  'width',
  'height',
  'bytes before',
  'bytes after',
  'bytes saved',
  'node',
  'encoder',
  'seconds',
  'reason',
]);

export function csvRow(job: JobRow): string {
  const after = job.outcome === 'replaced' ? job.outputBytes : null;
  const seconds = job.startedAt && job.finishedAt ? Math.round((job.finishedAt.getTime() - job.startedAt.getTime()) / 1000) : null;
  return csvLine([
    job.id,
    job.finishedAt,
    outcomeWords(job)[0],
    job.title,
    job.detail,
    job.libraryName,
    job.path,
    sourceCodec(job),
    job.width,
    job.height,
    job.inputBytes,
    after,
    after === null ? null : job.inputBytes - after,
    job.nodeName,
    job.encoder,
    seconds,
    job.reason ? sentence(job.reason) : null,
  ]);
}

export interface AuditPage {
  activity: ActivityLine[];
  before: string | null;
  after: string | null;
  changes: ChangeLine[];
  moreHref: string | null;
  now: Date;
}
