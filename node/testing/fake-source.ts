import type { Source, SourceItem, Use } from '../sources/source.ts';

/** A media server as an object: says what a test wants and writes down what it was asked. Real servers are in plex-server.ts. */
export interface FakeSource extends Source {
  asked: string[];
  items: SourceItem[];
  use: Use;
  /** every question ends with this while it is set */
  trouble: Error | null;
}

export function fakeSource(): FakeSource {
  const asked: string[] = [];
  const say = <T>(what: string, answer: () => T): Promise<T> => {
    asked.push(what);
    return source.trouble ? Promise.reject(source.trouble) : Promise.resolve(answer());
  };
  const source: FakeSource = {
    kind: 'plex',
    asked,
    items: [],
    use: { use: 'no' },
    trouble: null,
    identify: () => say('identify', () => ({ id: 'machine-1', name: 'House', version: '1' })),
    listLibraries: () =>
      say('libraries', () => [{ key: '1', title: 'Films', kind: 'movies' as const, folders: ['/data'], changeMark: null }]),
    countItems: () => say('count', () => source.items.length),
    async *listItems() {
      yield await say('list', () => source.items);
    },
    readItem: (ref) => say(`read ${ref}`, () => source.items.filter((item) => item.ref === ref)),
    inUse: ({ ref }) => say(`use ${ref}`, () => source.use),
    tellChanged: ({ folder }) => say(`tell ${folder}`, () => undefined),
    analyze: (ref) => say(`analyze ${ref}`, () => undefined),
    learnt: () => ({}),
  };
  return source;
}

export function aSourceItem(change: Partial<SourceItem> = {}): SourceItem {
  const file = { part: 'p1', path: '/data/film-00001.mkv', sizeBytes: 1_000_000, title: 'Metropolis', detail: '1927' };
  return { ref: '1', ...file, parts: 1, versions: 1, codec: 'h264', addedAt: 1e12, watched: { views: 1, positionMs: 0 }, ...change };
}
