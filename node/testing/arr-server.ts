import { startHeardServer, type Answer, type Heard, type HeardServer } from './heard.ts';

/** A Sonarr or Radarr (v3) as far as CodecShift asks one; shapes are from Sonarr's sources (GPL-3.0; read, not copied). */
export interface TestArr extends HeardServer {
  key: string;
  /** series or movies */
  owned: { id: number; title: string; path: string }[];
  /** what commands were given, oldest first */
  commands: { id: number; name: string; on: number; looks: number; files?: unknown }[];
  /** what it would call otherwise: of which series or movie, and as it says it */
  misnamed: { of: number; file: number; existingPath: string; newPath: string }[];
  behaves: {
    /** what the program says it is */
    appName: string;
    /** how often a command is looked after before it has ended */
    looksNeeded: number;
    ends: 'completed' | 'failed';
    broken: 'html-401' | 'html-500' | 'html-200' | null;
  };
}

export async function startArr(t: { after(fn: () => Promise<void> | void): void } | null, kind: 'sonarr' | 'radarr'): Promise<TestArr> {
  const [list, idField, fileIdField] = kind === 'sonarr' ? ['series', 'seriesId', 'episodeFileId'] : ['movie', 'movieId', 'movieFileId'];
  const base = await startHeardServer(t, answer);
  const arr: TestArr = Object.assign(base, {
    key: 'arr-key-of-the-test',
    owned: [] as TestArr['owned'],
    commands: [] as TestArr['commands'],
    misnamed: [] as TestArr['misnamed'],
    behaves: { appName: kind === 'sonarr' ? 'Sonarr' : 'Radarr', looksNeeded: 2, ends: 'completed', broken: null } as TestArr['behaves'],
  });
  return arr;

  function answer(request: Heard): Answer {
    const { broken } = arr.behaves;
    if (request.headers['x-api-key'] !== arr.key || broken === 'html-401') return { status: 401, body: '<html>Unauthorized</html>' };
    if (broken === 'html-500') return { status: 500, body: '<html>500</html>' };
    if (broken === 'html-200') return { body: '<html>Welcome</html>' };
    return route(request) ?? { status: 404, body: { message: 'NotFound' } };
  }

  function route({ method, path, query, body }: Heard): Answer | null {
    if (path === '/api/v3/system/status')
      return { body: { appName: arr.behaves.appName, instanceName: arr.behaves.appName, version: '4.0.9.2244' } };
    if (method === 'GET' && path === `/api/v3/${list}`) return { body: arr.owned };
    if (method === 'POST' && path === '/api/v3/command') {
      const wish = JSON.parse(body) as Record<string, unknown>;
      const { files } = wish;
      const command = {
        id: arr.commands.length + 1,
        name: String(wish['name']),
        on: Number(wish[idField!]),
        looks: 0,
        ...(files ? { files } : {}),
      };
      arr.commands.push(command);
      return { status: 201, body: { id: command.id, name: command.name, status: 'queued' } };
    }
    if (method === 'GET' && path === '/api/v3/rename')
      return {
        body: arr.misnamed
          .filter(({ of }) => String(of) === query[idField!])
          .map(({ of, file, existingPath, newPath }) => ({ [idField!]: of, [fileIdField!]: file, existingPath, newPath })),
      };
    const command = arr.commands.find(({ id }) => path === `/api/v3/command/${id}`);
    if (!command) return null;
    const status = ++command.looks >= arr.behaves.looksNeeded ? arr.behaves.ends : 'started';
    return { body: { id: command.id, name: command.name, status } };
  }
}

/** Webhooks as Sonarr sends them: one for each file of a season, and one "Import Complete" for all. */
export const sonarrHooks = {
  test: {
    eventType: 'Test',
    instanceName: 'Sonarr',
    series: { id: 1, title: 'Test Title', path: 'C:\\testpath' },
    episodes: [{ id: 123 }],
  },
  imported: (path: string, size: number): unknown => ({
    eventType: 'Download',
    instanceName: 'Sonarr',
    applicationUrl: '',
    series: { id: 1, title: 'Westworld', path: '/tv/Westworld', tvdbId: 296_762, type: 'standard' },
    episodes: [{ id: 5, episodeNumber: 1, seasonNumber: 1, title: 'The Original' }],
    episodeFile: { id: 9, relativePath: path.replace('/tv/Westworld/', ''), path, quality: 'WEBDL-1080p', size },
    isUpgrade: false,
    downloadId: 'ABC',
  }),
  complete: (files: { path: string; size: number }[]): unknown => ({
    eventType: 'Download',
    series: { id: 1, title: 'Westworld', path: '/tv/Westworld' },
    episodeFiles: files.map(({ path, size }, at) => ({ id: 9 + at, path, size, relativePath: path.replace('/tv/Westworld/', '') })),
    sourcePath: '/downloads/Westworld.S01',
    destinationPath: '/tv/Westworld/Season 1',
    downloadId: 'ABC',
  }),
};
