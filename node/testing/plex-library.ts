import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What a stand-in media server knows: sections with films and episodes, some of them real files of a test's folder. As in
 * the real one, a change of a file is known only after a scan of its folder, and a new codec only after an analysis.
 */
export interface TestSection {
  key: string;
  type: 'movie' | 'show' | 'artist';
  title: string;
  /** in the server's own view */
  folders: string[];
  contentChangedAt: number;
  items: TestItem[];
}

export interface TestItem {
  ratingKey: string;
  type: 'movie' | 'episode';
  title: string;
  year?: number;
  show?: string;
  season?: number;
  episode?: number;
  /** seconds since 1970 */
  addedAt: number;
  updatedAt: number;
  viewCount?: number;
  viewOffset?: number;
  media: TestMedia[];
  /** all else that a recorded answer says of it */
  more?: Record<string, unknown>;
}

export interface TestMedia {
  id: number;
  videoCodec?: string;
  parts: TestPart[];
}

export interface TestPart {
  id: number;
  /** in the server's own view */
  file: string;
  size?: number;
  /** the second number of its key: moves when the server notices a new file */
  stamp: number;
}

export interface NewItem {
  title: string;
  /** in the server's own view; several are parts of one film */
  file: string | string[];
  size?: number;
  codec?: string;
  year?: number;
  show?: string;
  season?: number;
  episode?: number;
  viewCount?: number;
  viewOffset?: number;
}

export interface PlexLibrary {
  sections: TestSection[];
  addSection(section: { key?: string; type?: TestSection['type']; title: string; folders: string[] }): TestSection;
  add(section: TestSection, item: NewItem): TestItem;
  /** another version of the same film */
  addVersion(item: TestItem, file: string, size: number, codec?: string): void;
  /** `count` generated episodes of shows with 20 in a season */
  fill(section: TestSection, count: number): void;
  /** the recorded page of ten films in one section "Movies" under /Movies, and the recorded 4K film */
  addRecorded(): TestSection;
  /** the server's folder `view` is `real` on this disk: sizes are read from there */
  mount(view: string, real: string): void;
  item(ratingKey: string): TestItem | undefined;
  /** the server looks at the files below a folder of its view; what is gone leaves the library */
  scan(section: TestSection, folder: string | null): void;
  /** what `codec` says of a real file is learnt */
  analyze(item: TestItem): void;
  /** what a real file's codec is; tests set it. undefined: as it was */
  codecOf: (realPath: string) => string | undefined;
}

export function createPlexLibrary(): PlexLibrary {
  const mounts: { view: string; real: string }[] = [];
  // far from the recorded ones
  let nextId = 1_000_000;
  const library: PlexLibrary = {
    sections: [],
    codecOf: () => undefined,
    addSection({ key = String(library.sections.length + 1), type = 'movie', title, folders }) {
      const section: TestSection = { key, type, title, folders, contentChangedAt: 1, items: [] };
      library.sections.push(section);
      return section;
    },
    add(section, wish) {
      const files = [wish.file].flat();
      const parts = files.map((file): TestPart => ({ id: nextId++, file, ...sizeOf(file, wish.size), stamp: 1_700_000_000 + nextId }));
      const { title, year, show, season, episode, viewCount, viewOffset } = wish;
      const said = Object.fromEntries(
        Object.entries({ year, show, season, episode, viewCount, viewOffset }).filter(([, v]) => v !== undefined),
      );
      const item: TestItem = {
        ratingKey: String(nextId++),
        type: section.type === 'show' ? 'episode' : 'movie',
        title,
        ...said,
        addedAt: 1_600_000_000 + nextId,
        updatedAt: 1_700_000_000 + nextId,
        media: [{ id: nextId++, videoCodec: wish.codec ?? 'h264', parts }],
      };
      section.items.push(item);
      section.contentChangedAt++;
      return item;
    },
    addVersion(item, file, size, codec = 'h264') {
      item.media.push({ id: nextId++, videoCodec: codec, parts: [{ id: nextId++, file, size, stamp: 1_700_000_000 + nextId }] });
    },
    fill(section, count) {
      for (let n = 0; n < count; n++) {
        const [show, season, episode] = [`Show ${Math.floor(n / 200)}`, (Math.floor(n / 20) % 10) + 1, (n % 20) + 1];
        const file = `${section.folders[0]}/${show}/Season ${season}/${show} - S${season}E${episode}.mkv`;
        library.add(section, { title: `Episode ${n}`, file, size: 1_000_000 + n, show, season, episode });
      }
    },
    addRecorded() {
      const section = library.addSection({ key: '1', title: 'Movies', folders: ['/Movies'] });
      section.items.push(...(recordedJson('02-section-movies-page.json').MediaContainer.Metadata ?? []).map(fromRecorded));
      section.items.push(...(recordedJson('04-metadata-movie-hevc-main10.json').MediaContainer.Metadata ?? []).map(fromRecorded));
      return section;
    },
    mount: (view, real) => void mounts.push({ view, real }),
    item: (ratingKey) => library.sections.flatMap(({ items }) => items).find((item) => item.ratingKey === ratingKey),
    scan(section, folder) {
      for (const item of section.items) {
        for (const media of item.media) for (const part of media.parts) if (isUnder(part.file, folder)) look(item, part);
        item.media = item.media.filter(({ parts }) => parts.every((part) => part.stamp !== GONE));
      }
      section.items = section.items.filter(({ media }) => media.length > 0);
      section.contentChangedAt++;
    },
    analyze(item) {
      for (const media of item.media) {
        const real = realOf(media.parts[0]!.file);
        media.videoCodec = (real && library.codecOf(real)) ?? media.videoCodec ?? 'h264';
      }
    },
  };
  return library;

  function look(item: TestItem, part: TestPart): void {
    const real = realOf(part.file);
    if (real === null) return;
    const found = statSync(real, { throwIfNoEntry: false });
    const stamp = found ? Math.floor(found.mtimeMs / 1000) : GONE;
    if (found && part.size === found.size && part.stamp === stamp) return;
    part.stamp = stamp;
    if (found) part.size = found.size;
    item.updatedAt++;
  }

  function realOf(file: string): string | null {
    const mount = mounts.find(({ view }) => file.startsWith(`${view}/`));
    return mount ? join(mount.real, file.slice(mount.view.length)) : null;
  }

  function sizeOf(file: string, size: number | undefined): { size?: number } {
    const real = realOf(file);
    const found = size ?? (real === null ? undefined : statSync(real).size);
    return found === undefined ? {} : { size: found };
  }
}

const GONE = -1;

function isUnder(file: string, folder: string | null): boolean {
  return folder === null || file.startsWith(`${folder.replace(/[\\/]$/, '')}${folder.includes('\\') ? '\\' : '/'}`);
}

interface Recorded {
  MediaContainer: { [name: string]: unknown; Metadata?: Record<string, unknown>[]; Directory?: Record<string, unknown>[] };
}

export function recordedText(name: string): string {
  return readFileSync(join(import.meta.dirname, 'fixtures/plex', name), 'utf8');
}

export function recordedJson(name: string): Recorded {
  return JSON.parse(recordedText(name)) as Recorded;
}

function fromRecorded(raw: Record<string, unknown>): TestItem {
  const { Media, ...more } = raw as {
    Media: { id: number; videoCodec: string; Part: (Required<TestPart> & { key: string })[] }[];
  } & Record<string, never>;
  return {
    ratingKey: String(more['ratingKey']),
    type: 'movie',
    title: String(more['title']),
    year: Number(more['year']),
    addedAt: Number(more['addedAt']),
    updatedAt: Number(more['updatedAt']),
    ...(more['viewOffset'] !== undefined && { viewOffset: Number(more['viewOffset']) }),
    ...(more['viewCount'] !== undefined && { viewCount: Number(more['viewCount']) }),
    media: Media.map(({ id, videoCodec, Part }) => ({
      id,
      videoCodec,
      parts: Part.map((part) => ({ id: part.id, file: part.file, size: part.size, stamp: Number(part.key.split('/')[4]) })),
    })),
    more,
  };
}
