import { odd } from './trouble.ts';

/** One page as the server gave it, which need not be the one that was asked for. */
export interface Page<T> {
  items: T[];
  /** where it begins, as the server says; null: it does not say */
  offset: number | null;
  /** of the whole list; null: it does not say */
  total: number | null;
}

/**
 * A whole list, page by page, each item once, of a server that may ignore the page's size or start, and whose list may
 * change meanwhile.
 *
 *   ask(start) ─▶ go on behind what really came ─▶ … ─▶ end ─┬─ nothing moved and the count is right ─▶ done
 *                 (one item of the last page is asked for again:      └─ else ─▶ all again for what was missed; at most PASSES times
 *                  if it is not there, the list moved under us)
 *
 * A list that is shorter than its own count to the end is an error and never an end: what is not listed counts as gone.
 *
 * @throws PlainError `source-odd` when it stays incomplete
 */
export async function* everyPage<T>(
  source: string,
  ask: (start: number) => Promise<Page<T>>,
  keyOf: (item: T) => string | null,
): AsyncGenerator<T[]> {
  const given = new Set<string>();
  for (let pass = 1; ; pass++) {
    const walk = { keys: new Set<string>(), moved: false, total: null as number | null };
    for await (const page of onePass(ask, keyOf, walk)) {
      const fresh = page.filter((item) => isNew(given, keyOf(item)));
      if (fresh.length > 0) yield fresh;
    }
    const short = walk.total !== null && walk.keys.size < walk.total;
    if (!short && !walk.moved) return;
    if (pass < PASSES) continue;
    // three passes over a list that only moved have seen everything; one that is short has not
    if (!short) return;
    throw odd(source, `it says it has ${walk.total} but lists ${walk.keys.size}`);
  }
}

const PASSES = 3;

interface Walk {
  keys: Set<string>;
  moved: boolean;
  total: number | null;
}

async function* onePass<T>(ask: (start: number) => Promise<Page<T>>, keyOf: (item: T) => string | null, walk: Walk): AsyncGenerator<T[]> {
  let start = 0;
  let last: string | null = null;
  while (true) {
    const { items, offset, total } = await ask(start);
    if (walk.total !== null && total !== null && total < walk.total) walk.moved = true;
    walk.total = total ?? walk.total;
    const keys = items.map(keyOf);
    // from the beginning again: this server ignores where a page shall start
    const ignored = offset !== null ? offset < start : start > 0 && keys.length > 0 && walk.keys.has(keys.at(-1)!);
    if (last !== null && !ignored && !keys.includes(last)) walk.moved = true;
    const before = walk.keys.size;
    keys.forEach((key, at) => walk.keys.add(key ?? `nameless ${start + at}`));
    yield items;
    const end = (ignored ? 0 : start) + items.length;
    if (items.length === 0 || walk.keys.size === before || (walk.total !== null && end >= walk.total)) return;
    last = keys.at(-1) ?? null;
    // a page of one would never get on if it overlapped
    const overlap = items.length > 1 && last !== null ? 1 : 0;
    start = end - overlap;
    if (overlap === 0) last = null;
  }
}

/** Items without a key cannot be told apart, so each of them is new. */
function isNew(given: Set<string>, key: string | null): boolean {
  if (key === null) return true;
  if (given.has(key)) return false;
  given.add(key);
  return true;
}
