import { recordedJson, recordedText, type TestItem, type TestSection } from './plex-library.ts';

/** What the stand-in says, in the shape and with the fields that real servers were recorded with. */
const recordedSection = recordedJson('01-library-sections.json').MediaContainer.Directory![0]!;
const recordedMovie = recordedJson('02-section-movies-page.json').MediaContainer.Metadata![1]!;
const recordedDetail = recordedJson('04-metadata-movie-hevc-main10.json').MediaContainer.Metadata![0]!;
const recordedMedia = (recordedMovie['Media'] as Record<string, unknown>[])[0]!;

export function sectionsAnswer(sections: TestSection[]): unknown {
  const directories = sections.map((section) => ({
    ...recordedSection,
    key: section.key,
    type: section.type,
    title: section.title,
    contentChangedAt: section.contentChangedAt,
    Location: section.folders.map((path, at) => ({ id: at + 1, path })),
  }));
  return { MediaContainer: { size: directories.length, allowSync: false, title1: 'Plex Library', Directory: directories } };
}

/** `bare`: only what every version of the server says; `streams`: as in the answer for one item. */
export function itemAnswer(
  section: TestSection,
  item: TestItem,
  how: { bare: boolean; guest: boolean; streams: boolean },
): Record<string, unknown> {
  const { Media: _media, viewOffset: _offset, lastViewedAt: _viewed, ...template } = recordedMovie;
  return {
    ...(how.bare ? {} : (item.more ?? template)),
    ratingKey: item.ratingKey,
    key: `/library/metadata/${item.ratingKey}`,
    type: item.type,
    title: item.title,
    addedAt: item.addedAt,
    updatedAt: item.updatedAt,
    ...(item.year !== undefined ? { year: item.year } : { year: undefined }),
    ...(item.type === 'episode' && { grandparentTitle: item.show, parentIndex: item.season, index: item.episode }),
    ...(item.viewCount !== undefined && { viewCount: item.viewCount }),
    ...(item.viewOffset !== undefined && { viewOffset: item.viewOffset }),
    ...(how.streams && { librarySectionID: Number(section.key), librarySectionTitle: section.title }),
    Media: item.media.map(({ id, videoCodec, parts }) => ({
      ...(how.bare ? {} : recordedMedia),
      id,
      videoCodec: how.bare ? undefined : videoCodec,
      Part: parts.map((part) => ({
        id: part.id,
        key: `/library/parts/${part.id}/${part.stamp}/file.${part.file.split('.').at(-1)}`,
        ...(!how.guest && { file: part.file }),
        ...(!how.bare && { size: part.size, container: 'mkv', duration: 7_011_007 }),
        ...(how.streams && { accessible: true, exists: true, Stream: streamsOf(videoCodec) }),
      })),
    })),
  };
}

function streamsOf(codec: string | undefined): unknown[] {
  const media = (recordedDetail['Media'] as { Part: { Stream: Record<string, unknown>[] }[] }[])[0]!;
  return media.Part[0]!.Stream.map((stream) =>
    stream['streamType'] === 1 && codec !== 'hevc' ? { ...stream, codec, bitDepth: 8 } : stream,
  );
}

export interface TestSession {
  ratingKey: string;
  state: 'playing' | 'paused' | 'buffering';
  user: string;
  player: string;
  /** as in a transcode: the file is a bare name and the media are those of the target */
  transcode?: boolean;
}

export function sessionsJson(sessions: TestSession[]): unknown {
  const metadata = sessions.map(({ ratingKey, state, user, player }, at) => ({
    ratingKey,
    key: `/library/metadata/${ratingKey}`,
    sessionKey: String(at + 1),
    type: 'movie',
    Media: [{ id: '1', Part: [{ id: '1', decision: 'directplay' }] }],
    User: { id: '1', title: user },
    Player: { title: player, state, local: true, machineIdentifier: 'abcdefghijklmnopqrstuvwx' },
    Session: { id: `session-${at}`, bandwidth: 5212, location: 'lan' },
  }));
  return { MediaContainer: { size: metadata.length, ...(metadata.length > 0 && { Metadata: metadata }) } };
}

/** The recorded answer with other values in it. */
export function sessionsXml(sessions: TestSession[]): string {
  const video = /<Video[\s\S]*<\/Video>/.exec(recordedText('08-status-sessions.xml'))![0];
  const videos = sessions.map(({ ratingKey, state, user, player }) =>
    video
      .replace('ratingKey="1"', `ratingKey="${ratingKey}"`)
      .replace('state="playing"', `state="${state}"`)
      .replace('title="User 1"', `title="${escaped(user)}"`)
      .replace('title="SHIELD Android TV"', `title="${escaped(player)}"`),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="${videos.length}">${videos.join('\n')}</MediaContainer>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll("'", '&#39;');
}

/** As recorded: an error is a page, whatever was asked for. */
export function htmlError(status: number, words: string): string {
  return `<html><head><script>window.location = window.location.href.match(/(^.+\\/)[^\\/]*$/)[1] + 'web/index.html';</script><title>${words}</title></head><body><h1>${status} ${words}</h1></body></html>`;
}
