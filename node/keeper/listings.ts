import { PlainError } from '../errors.ts';

/** A listing that nobody continues is given up. */
const IDLE_MS = 10 * 60_000;

interface Listing<Item, Page> {
  walk: AsyncGenerator<Item>;
  abort: AbortController;
  page: number;
  /** the page answered last, so that a repeated question gets the same answer */
  last: Page | null;
  /** asked for, not come yet when the page before had to be answered */
  pending: Promise<IteratorResult<Item>> | null;
  idle: NodeJS.Timeout;
}

/** Long listings, handed out in pages that somebody far away asks for one after the other. */
export interface Listings<Wish, Page> {
  /** @throws PlainError `interrupted` when the listing was given up, or a page was left out */
  page(wish: Wish): Promise<Page>;
  end(scan: string): void;
  stop(): void;
}

/**
 * @param parts.begin begins a walk; it is told to end through the signal
 * @param parts.fill takes from `next` what goes into one page; `next` gives 'later' when the page should be answered as it is
 */
export function createListings<Wish extends { scan: string; page: number }, Item, Page>(parts: {
  begin: (wish: Wish, signal: AbortSignal) => Promise<AsyncGenerator<Item>>;
  fill: (next: () => Promise<Item | 'end' | 'later'>, scan: string) => Promise<Page>;
  /** a page is answered after so long, also when nothing was found: whoever asks must know that we live */
  pageMs?: number;
}): Listings<Wish, Page> {
  const listings = new Map<string, Listing<Item, Page>>();
  return {
    async page(wish) {
      const listing = wish.page === 0 ? await begin(wish) : listings.get(wish.scan);
      if (!listing) throw new PlainError('This listing was given up; it starts again.', { reason: { code: 'interrupted' }, retry: true });
      if (listing.last && wish.page === listing.page - 1) return listing.last;
      if (wish.page !== listing.page)
        throw new PlainError('A page of the listing was skipped.', { reason: { code: 'interrupted' }, retry: true });
      listing.idle.refresh();
      const late = performance.now() + (parts.pageMs ?? Infinity);
      const answer = await parts.fill(() => next(listing, late), wish.scan);
      listing.page++;
      listing.last = answer;
      return answer;
    },
    end,
    stop() {
      for (const scan of listings.keys()) end(scan);
    },
  };

  async function begin(wish: Wish): Promise<Listing<Item, Page>> {
    end(wish.scan);
    const abort = new AbortController();
    const walk = await parts.begin(wish, abort.signal);
    const idle = setTimeout(() => end(wish.scan), IDLE_MS).unref();
    const listing: Listing<Item, Page> = { walk, abort, page: 0, last: null, pending: null, idle };
    listings.set(wish.scan, listing);
    return listing;
  }

  function end(scan: string): void {
    const listing = listings.get(scan);
    if (!listing) return;
    listings.delete(scan);
    clearTimeout(listing.idle);
    listing.abort.abort();
    listing.pending?.catch(() => {});
    void listing.walk.return(undefined).catch(() => {});
  }
}

async function next<Item>(listing: Listing<Item, unknown>, late: number): Promise<Item | 'end' | 'later'> {
  listing.pending ??= listing.walk.next();
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<'later'>((resolve) => {
    if (late !== Infinity) timer = setTimeout(() => resolve('later'), Math.max(0, late - performance.now()));
  });
  const found = await Promise.race([listing.pending, tooLong]).finally(() => clearTimeout(timer));
  if (found === 'later') return found;
  listing.pending = null;
  return found.done ? 'end' : found.value;
}
