import { priorities, type Priority } from '../../core/job.ts';
import { idFrom, type Query } from '../routes.ts';

/**
 * The state of a list lives in its URL and nowhere else: a page can be shared, reloaded and left with Back, and works
 * without JavaScript. A value that makes no sense (an old link, a hand-typed one) is dropped, never an error.
 */
export interface ListState {
  /** the tab; a view of the list, always one of those the page knows */
  state: string;
  search: string | null;
  libraryId: number | null;
  codec: string | null;
  priority: Priority | null;
  /** a reason code, on the tabs where every row has one */
  reason: string | null;
  /** cursors of db/page.ts, at most one of the two; whether they fit is the database room's to decide */
  after: string | null;
  before: string | null;
}

/** Reads a list's state out of query parameters or form fields. The first of `states` is the one shown unasked. */
export function readListState(params: URLSearchParams, states: readonly string[]): ListState {
  const after = readWord(params.get('after'), 2000);
  return {
    state: states.find((state) => state === params.get('state')) ?? states[0]!,
    search: readText(params.get('q'), 200),
    libraryId: libraryFrom(params.get('lib')),
    codec: readWord(params.get('format'), 64),
    priority: priorities.find((priority) => priority === params.get('priority')) ?? null,
    reason: readWord(params.get('reason'), 64),
    after,
    before: after ? null : readWord(params.get('before'), 2000),
  };
}

/** A larger number than any library can have stays one that no library has: without it the list would be that of all. */
function libraryFrom(text: string | null): number | null {
  const id = idFrom(text ?? undefined);
  return id === null ? null : Math.min(id, 2 ** 31 - 1);
}

/** The state as query parameters, in a fixed order; the first tab and everything empty left out. */
export function listQuery(state: Partial<ListState>, firstState: string): Query {
  return {
    state: state.state === firstState ? null : state.state,
    q: state.search,
    lib: state.libraryId,
    format: state.codec,
    priority: state.priority,
    reason: state.reason,
    after: state.after,
    before: state.after ? null : state.before,
  };
}

/** Is anything chosen beside the tab and the page? */
export function isFiltered(state: ListState): boolean {
  return [state.search, state.libraryId, state.codec, state.priority, state.reason].some((part) => part !== null);
}

/** What a person typed, as PostgreSQL can hold it: without NUL and lone surrogates; null when nothing is left. */
export function readText(text: string | null, max: number): string | null {
  return text?.replaceAll('\0', '').slice(0, max).toWellFormed().trim() || null;
}

function readWord(text: string | null, max: number): string | null {
  return text && text.length <= max && /^[a-z0-9_][a-z0-9_.-]*$/i.test(text) ? text : null;
}
