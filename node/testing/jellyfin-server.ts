import { startHeardServer, type Answer, type Heard, type HeardServer } from './heard.ts';

/**
 * A Jellyfin or Emby server as far as CodecShift asks one. Shapes are from Jellyfin's sources (GPL-2.0; read, not copied):
 * `Authorization: MediaBrowser Token=…` is the only key that Jellyfin takes here, `X-Emby-Token` the only one of Emby.
 */
export interface TestJellyfin extends HeardServer {
  identity: string;
  key: string;
  libraries: { key: string; title: string; kind: string | null; folders: string[]; items: JellyfinItem[] }[];
  sessions: Record<string, unknown>[];
  behaves: { broken: 'html-401' | 'html-500' | 'html-200' | 'wrong-shape' | null; paging: 'asked' | 'ignored'; claims: string | null };
  /** paths that were reported, oldest first */
  reported: { Path: string; UpdateType: string }[];
  refreshed: string[];
}

export interface JellyfinItem {
  id: string;
  type: 'Movie' | 'Episode';
  name: string;
  year?: number;
  series?: string;
  season?: number;
  episode?: number;
  sources: { id: string; path: string; size?: number; codec?: string }[];
  parts?: number;
  /** an episode that nobody has */
  virtual?: boolean;
}

export async function startJellyfin(
  t: { after(fn: () => Promise<void> | void): void } | null,
  kind: 'jellyfin' | 'emby' = 'jellyfin',
): Promise<TestJellyfin> {
  const base = await startHeardServer(t, answer);
  const jellyfin: TestJellyfin = Object.assign(base, {
    identity: '5c0ffee05c0ffee05c0ffee05c0ffee0',
    key: 'key-of-the-test',
    libraries: [] as TestJellyfin['libraries'],
    sessions: [] as TestJellyfin['sessions'],
    behaves: { broken: null, paging: 'asked', claims: null } as TestJellyfin['behaves'],
    reported: [] as TestJellyfin['reported'],
    refreshed: [] as string[],
  });
  return jellyfin;

  function answer(request: Heard): Answer {
    if (request.path === '/System/Info/Public') {
      return {
        body: { LocalAddress: base.url, ServerName: 'Attic', Version: '10.11.2', Id: jellyfin.behaves.claims ?? jellyfin.identity },
      };
    }
    const shown =
      kind === 'emby'
        ? request.headers['x-emby-token']
        : /^MediaBrowser (?:.*, )?Token="([^"]*)"/.exec(request.headers['authorization'] ?? '')?.[1];
    if (shown !== jellyfin.key || jellyfin.behaves.broken === 'html-401') return { status: 401, body: '<html>401</html>' };
    if (jellyfin.behaves.broken === 'html-500') return { status: 500, body: '<html>500</html>' };
    if (jellyfin.behaves.broken === 'html-200') return { body: '<html>Welcome</html>' };
    if (jellyfin.behaves.broken === 'wrong-shape') return { body: { Items: 'none' } };
    return route(request) ?? { status: 404, body: '' };
  }

  function route({ method, path, query, body }: Heard): Answer | null {
    if (method === 'GET' && path === '/Library/VirtualFolders') return { body: jellyfin.libraries.map(folderAnswer) };
    if (method === 'GET' && path === '/Sessions') return { body: jellyfin.sessions };
    if (method === 'GET' && path === '/Items') return items(query);
    if (method === 'POST' && path === '/Library/Media/Updated') {
      jellyfin.reported.push(...(JSON.parse(body) as { Updates: TestJellyfin['reported'] }).Updates);
      return { status: 204 };
    }
    const refreshed = /^\/Items\/([^/]+)\/Refresh$/.exec(path)?.[1];
    if (method !== 'POST' || refreshed === undefined) return null;
    jellyfin.refreshed.push(refreshed);
    return { status: 204 };
  }

  function items(query: Record<string, string>): Answer {
    const ids = query['ids']?.split(',');
    const all = jellyfin.libraries
      .filter(({ key }) => query['parentId'] === undefined || key === query['parentId'])
      .flatMap(({ items }) => items)
      .filter(({ id }) => ids === undefined || ids.includes(id));
    const start = Number(query['startIndex'] ?? 0);
    const page = jellyfin.behaves.paging === 'ignored' ? all : all.slice(start, start + Number(query['limit'] ?? all.length));
    const at = jellyfin.behaves.paging === 'ignored' ? 0 : start;
    return {
      body: { Items: page.map(itemAnswer), TotalRecordCount: query['enableTotalRecordCount'] === 'false' ? 0 : all.length, StartIndex: at },
    };
  }
}

function folderAnswer({ key, title, kind, folders }: TestJellyfin['libraries'][number]): unknown {
  return { Name: title, Locations: folders, ...(kind !== null && { CollectionType: kind }), ItemId: key, RefreshStatus: 'Idle' };
}

function itemAnswer(item: JellyfinItem): unknown {
  return {
    Id: item.id,
    Type: item.type,
    Name: item.name,
    DateCreated: '2024-09-19T10:00:00.0000000Z',
    LocationType: item.virtual ? 'Virtual' : 'FileSystem',
    Path: item.sources[0]?.path,
    ProductionYear: item.year,
    ...(item.parts !== undefined && { PartCount: item.parts }),
    ...(item.type === 'Episode' && { SeriesName: item.series, ParentIndexNumber: item.season, IndexNumber: item.episode }),
    MediaSources: item.sources.map(({ id, path, size, codec }) => ({
      Id: id,
      Path: path,
      Type: 'Default',
      Container: 'mkv',
      Size: size,
      MediaStreams: [
        { Type: 'Video', Codec: codec ?? 'h264', BitDepth: 8, Width: 1920, Height: 1080, VideoRange: 'SDR', Profile: 'High' },
        { Type: 'Audio', Codec: 'aac' },
      ],
    })),
  };
}
