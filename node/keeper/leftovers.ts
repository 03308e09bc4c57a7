import { deleteLeftovers, listLeftovers, type Leftover } from '../files/cleanup.ts';
import { lookInTrash } from '../files/trash.ts';
import type { FoundLeftover, InspectAnswer, InspectAsk } from '../mesh/messages.ts';
import { createListings } from './listings.ts';
import type { KeeperRoots } from './roots.ts';

/** What was left lying about in a library, and in its trash: looked at, and deleted where the coordinator says so. */
export interface Leftovers {
  page(ask: InspectAsk<'leftovers'>): Promise<InspectAnswer<'left'>>;
  end(scan: string): void;
  delete(ask: InspectAsk<'delete-leftovers'>): Promise<InspectAnswer<'cleaned'>>;
  lookInTrash(ask: InspectAsk<'look-trash'>): Promise<InspectAnswer<'trash-seen'>>;
  stop(): void;
}

export interface LeftoversParts {
  roots: KeeperRoots;
  /** attempts that this keeper works on now: whatever the books say, theirs is not left over */
  busy: () => ReadonlySet<number>;
}

/** A page stays well under the size of a message, whatever the names are. */
const PAGE_FILES = 200;
const PAGE_BYTES = 100_000;
/** A walk through a large library that finds nothing still says that it goes on. */
const PAGE_MS = 5000;

export function createLeftovers({ roots, busy }: LeftoversParts): Leftovers {
  const looked = new Map<string, number>();
  const ending = new AbortController();
  const listings = createListings<InspectAsk<'leftovers'>, Leftover, InspectAnswer<'left'>>({
    pageMs: PAGE_MS,
    async begin({ root: id, scan }, signal) {
      const root = await roots.open(id);
      looked.set(scan, 0);
      const onLook = (): void => void looked.set(scan, (looked.get(scan) ?? 0) + 1);
      return listLeftovers(root, '', { live: busy(), onLook, signal });
    },
    fill: (next, scan) => fill(next, () => looked.get(scan) ?? 0),
  });
  return {
    page: (ask) => listings.page(ask),
    end(scan) {
      listings.end(scan);
      looked.delete(scan);
    },
    async delete({ root: id, files, live, asked }) {
      const root = await roots.open(id);
      const numbers = new Map(files.map((file) => [file.path, file.n]));
      const alive = new Set([...live, ...busy()]);
      const done = await deleteLeftovers(root, files, { live: alive, asked, signal: ending.signal });
      const of = (paths: readonly string[]): number[] => paths.map((path) => numbers.get(path)!);
      const kept = done.kept.map(({ path, why }) => ({ n: numbers.get(path)!, why: why.slice(0, 500) }));
      return { op: 'cleaned', deleted: of(done.deleted), gone: of(done.gone), kept };
    },
    async lookInTrash({ root: id, originals }) {
      const root = await roots.open(id);
      const answer: InspectAnswer<'trash-seen'> = { op: 'trash-seen', there: [], gone: [] };
      for (const { id: original, trashPath } of originals) {
        const seen = await lookInTrash(root, trashPath);
        if (seen !== 'unclear') answer[seen].push(original);
      }
      return answer;
    },
    stop() {
      ending.abort();
      listings.stop();
    },
  };

  async function fill(next: () => Promise<Leftover | 'end' | 'later'>, count: () => number): Promise<InspectAnswer<'left'>> {
    const found: FoundLeftover[] = [];
    let bytes = 0;
    let last = false;
    while (found.length < PAGE_FILES && bytes < PAGE_BYTES) {
      const one = await next();
      last = one === 'end';
      if (one === 'end' || one === 'later') break;
      const { standing, why: _why, ...facts } = one;
      const entry: FoundLeftover = { ...facts, busy: standing === 'live' && facts.evidence !== 'swap' };
      bytes += Buffer.byteLength(JSON.stringify(entry));
      found.push(entry);
    }
    return { op: 'left', found, looked: count(), last };
  }
}
