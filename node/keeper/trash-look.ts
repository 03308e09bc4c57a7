import { listTrashed, lookAtTrashed } from '../files/trash-found.ts';
import type { FoundInTrash, InspectAnswer, InspectAsk } from '../mesh/messages.ts';
import { createListings } from './listings.ts';
import type { KeeperRoots } from './roots.ts';

/** What really lies in a trash: first every name, then a close look at those of which the books know nothing. */
export interface TrashLook {
  page(ask: InspectAsk<'list-trash'>): Promise<InspectAnswer<'trash-listed'>>;
  end(scan: string): void;
  find(ask: InspectAsk<'find-trash'>): Promise<InspectAnswer<'trash-found'>>;
  stop(): void;
}

const PAGE_FILES = 300;
const PAGE_BYTES = 100_000;
const PAGE_MS = 5000;
/** An answer is cut here; what is missing in it is asked for at the next look. */
const ANSWER_BYTES = 150_000;

export function createTrashLook({ roots }: { roots: KeeperRoots }): TrashLook {
  const ending = new AbortController();
  const listings = createListings<InspectAsk<'list-trash'>, { trashPath: string }, InspectAnswer<'trash-listed'>>({
    pageMs: PAGE_MS,
    begin: async ({ root }, signal) => listTrashed(await roots.open(root), signal),
    fill,
  });
  return {
    page: (ask) => listings.page(ask),
    end: (scan) => listings.end(scan),
    async find({ root: id, paths }) {
      const root = await roots.open(id);
      const found: FoundInTrash[] = [];
      let bytes = 0;
      for (const path of paths) {
        const one = await lookAtTrashed(root, path, ending.signal);
        if (one === null) continue;
        bytes += Buffer.byteLength(JSON.stringify(one));
        if (bytes > ANSWER_BYTES) break;
        found.push(one);
      }
      return { op: 'trash-found', found };
    },
    stop() {
      ending.abort();
      listings.stop();
    },
  };
}

async function fill(next: () => Promise<{ trashPath: string } | 'end' | 'later'>): Promise<InspectAnswer<'trash-listed'>> {
  const paths: string[] = [];
  for (let bytes = 0; paths.length < PAGE_FILES && bytes < PAGE_BYTES;) {
    const one = await next();
    if (one === 'end' || one === 'later') return { op: 'trash-listed', paths, last: one === 'end' };
    bytes += Buffer.byteLength(JSON.stringify(one));
    paths.push(one.trashPath);
  }
  return { op: 'trash-listed', paths, last: false };
}
