import type { Right } from '../../core/access.ts';
import { aboutApi } from './about.ts';
import { adminApi } from './admin.ts';
import { backupsApi } from './backups.ts';
import { cleanupsApi } from './cleanups.ts';
import type { ApiRoute } from './declare.ts';
import { eventsApi } from './events.ts';
import { filesApi } from './files.ts';
import { forecastsApi } from './forecasts.ts';
import { historyApi } from './history.ts';
import { jobsApi } from './jobs.ts';
import { librariesApi } from './libraries.ts';
import { logsApi } from './logs.ts';
import { machineApi } from './machine.ts';
import { nodesApi } from './nodes.ts';
import { notificationsApi } from './notifications.ts';
import { openApi, type OpenApi } from './openapi.ts';
import { peopleApi } from './people.ts';
import { picturesApi } from './pictures.ts';
import { queueApi } from './queue.ts';
import { settingsApi } from './settings.ts';
import { signInApi } from './sign-in.ts';
import { sourceAddApi } from './source-add.ts';
import { sourcePathsApi } from './source-paths.ts';
import { sourcesApi } from './sources.ts';
import { statusApi } from './status.ts';
import { tokensApi } from './tokens.ts';
import { workApi } from './work.ts';

export const base = '/api/v1';

/** Every route of the API, in the order in which they are tried. */
export const apiRoutes: readonly ApiRoute[] = [
  ...statusApi,
  ...eventsApi,
  ...workApi,
  ...librariesApi,
  ...forecastsApi,
  ...jobsApi,
  ...queueApi,
  ...picturesApi,
  ...filesApi,
  ...cleanupsApi,
  ...backupsApi,
  ...nodesApi,
  ...sourceAddApi,
  ...sourcePathsApi,
  ...sourcesApi,
  ...historyApi,
  ...settingsApi,
  ...notificationsApi,
  ...signInApi,
  ...peopleApi,
  ...tokensApi,
  ...logsApi,
  ...adminApi,
  ...aboutApi(documentOf),
];

const rights = new Map(apiRoutes.map(({ method, path, right }) => [`${method} ${base}${path}`, right]));

/** Which right a route of the API asks for, as it declares; null: it is none of them. */
export function rightOfApi(method: string, pattern: string): Right | null {
  return rights.get(`${method} ${pattern}`) ?? null;
}

/** With what the front of each machine answers. */
export const documented: readonly ApiRoute[] = [...apiRoutes, ...machineApi];

let made: OpenApi | null = null;

/** All of it as OpenAPI. Made once, and when somebody asks: that takes a tenth of a second, in which this program does nothing else. */
export function documentOf(version: string): OpenApi {
  if (made?.info.version !== version) made = openApi(documented, base, version);
  return made;
}
