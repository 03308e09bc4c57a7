import type { Right } from '../../core/access.ts';
import { adminApi } from './admin.ts';
import { cleanupsApi } from './cleanups.ts';
import type { ApiRoute } from './declare.ts';
import { filesApi } from './files.ts';
import { forecastsApi } from './forecasts.ts';
import { jobsApi } from './jobs.ts';
import { librariesApi } from './libraries.ts';
import { nodesApi } from './nodes.ts';
import { queueApi } from './queue.ts';
import { settingsApi } from './settings.ts';
import { sourceAddApi } from './source-add.ts';
import { sourcePathsApi } from './source-paths.ts';
import { sourcesApi } from './sources.ts';
import { statusApi } from './status.ts';
import { workApi } from './work.ts';

/** Every route of the API, in the order in which they are tried. */
export const apiRoutes: readonly ApiRoute[] = [
  ...statusApi,
  ...workApi,
  ...librariesApi,
  ...forecastsApi,
  ...jobsApi,
  ...queueApi,
  ...filesApi,
  ...cleanupsApi,
  ...nodesApi,
  ...sourceAddApi,
  ...sourcePathsApi,
  ...sourcesApi,
  ...settingsApi,
  ...adminApi,
];

export const base = '/api/v1';
const rights = new Map(apiRoutes.map(({ method, path, right }) => [`${method} ${base}${path}`, right]));

/** Which right a route of the API asks for, as it declares; null: it is none of them. */
export function rightOfApi(method: string, pattern: string): Right | null {
  return rights.get(`${method} ${pattern}`) ?? null;
}
