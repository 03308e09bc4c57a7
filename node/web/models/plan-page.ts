import { whatOf, type What } from '../../core/library-forecast.ts';
import { sentence } from '../../core/reasons.ts';
import type { PlanFilter } from '../../db/forecast.ts';
import type { MediaFileRow } from '../../db/media-files.ts';
import { codecTone, count, saving, size, type Tone } from '../format.ts';
import { url } from '../routes.ts';
import { csvLine } from './csv.ts';
import { whats, whatWords } from './forecast-page.ts';
import { reasonPick, type Pick } from './queue-page.ts';
import { formatWords } from './queue.ts';
import { statusWord } from './library.ts';

/** A dry run: every file of a library with what would be done with it, and why. */
export interface PlanPage {
  libraryId: number;
  action: string;
  search: string;
  picks: Pick[];
  filtered: boolean;
  rows: PlanRow[];
  before: string | null;
  after: string | null;
  pageWords: string;
  csvHref: string;
}

export interface PlanRow {
  id: number;
  title: string;
  detail: string;
  path: string;
  what: What;
  word: string;
  why: string;
  tone: Tone;
  format: string;
  size: string;
  saving: string;
}

export function planPage(facts: {
  libraryId: number;
  filter: PlanFilter;
  codecs: readonly string[];
  rows: readonly MediaFileRow[];
  before: string | null;
  after: string | null;
}): PlanPage {
  const { libraryId, filter } = facts;
  const query = { do: filter.what, reason: filter.reason, format: filter.codec, q: filter.search };
  return {
    libraryId,
    action: url.libraryPlan(libraryId),
    search: filter.search ?? '',
    picks: [
      {
        name: 'do',
        label: 'Plan',
        value: filter.what ?? '',
        options: whats.map((what) => ({ value: what as string, label: whatWords[what] })),
      },
      reasonPick(filter.reason, ['convert', 'skip', 'done', 'wait', 'keep', 'fail']),
      {
        name: 'format',
        label: 'Format',
        value: filter.codec ?? '',
        options: facts.codecs.map((name) => ({ value: name, label: formatWords({ codec: name, width: null, height: null }) })),
      },
    ],
    filtered: Object.values(filter).some((part) => part !== null),
    rows: facts.rows.map(planRow),
    before: facts.before && url.libraryPlan(libraryId, { ...query, before: facts.before }),
    after: facts.after && url.libraryPlan(libraryId, { ...query, after: facts.after }),
    pageWords: `${count(facts.rows.length)} on this page`,
    csvHref: url.libraryPlanCsv(libraryId, query),
  };
}

function planRow(file: MediaFileRow): PlanRow {
  const plan = planOf(file);
  return {
    id: file.id,
    title: file.title || 'Untitled',
    detail: file.detail,
    path: file.path,
    what: plan.what,
    word: whatWords[plan.what],
    why: plan.why,
    tone: codecTone(file.codec),
    format: formatWords(file),
    size: size(file.sizeBytes),
    saving: plan.expectedBytes === null ? '' : saving(file.sizeBytes, plan.expectedBytes),
  };
}

/** The plan of one file as every form of the dry run says it. */
export function planOf(file: MediaFileRow): { what: What; why: string; expectedBytes: number | null } {
  const what = whatOf(file.status, file.reason?.code ?? null);
  const why = file.reason ? sentence(file.reason) : `${statusWord(file.status)}.`;
  return { what, why, expectedBytes: what === 'convert' || what === 'rewrap' ? (file.expectedBytes ?? file.sizeBytes) : null };
}

export const planCsvHead = csvLine([
  'path',
  'title',
  'plan',
  'reason',
  'why',
  'codec',
  'width',
  'height',
  'hdr',
  'duration_s',
  'bytes',
  'expected_bytes',
]);

export function planCsvRow(file: MediaFileRow): string {
  const plan = planOf(file);
  return csvLine([
    file.path,
    [file.title, file.detail].filter(Boolean).join(' '),
    plan.what,
    file.reason?.code ?? '',
    plan.why,
    file.codec ?? '',
    file.width,
    file.height,
    file.hdr ?? '',
    file.durationMs === null ? null : Math.round(file.durationMs / 1000),
    file.sizeBytes,
    plan.expectedBytes,
  ]);
}

/** The same for programs. */
export function planJson(file: MediaFileRow) {
  const plan = planOf(file);
  return {
    id: file.id,
    path: file.path,
    title: file.title,
    detail: file.detail,
    plan: plan.what,
    reason: file.reason && { code: file.reason.code, params: file.reason.params ?? {}, sentence: plan.why },
    status: file.status,
    codec: file.codec,
    width: file.width,
    height: file.height,
    bitDepth: file.bitDepth,
    hdr: file.hdr,
    durationMs: file.durationMs,
    sizeBytes: file.sizeBytes,
    expectedBytes: plan.expectedBytes,
  };
}
