import { apiRoutes } from '../api/all.ts';
import { register } from '../api/register.ts';
import type { PageModule } from '../web.ts';
import { accountPages } from './account.ts';
import { apiPages } from './api.ts';
import { apiTokenPages } from './api-tokens.ts';
import { auditPages } from './audit.ts';
import { backupPages } from './backup.ts';
import { cleanupPages } from './cleanup.ts';
import { filePages } from './files.ts';
import { forecastPages } from './forecast.ts';
import { historyPages } from './history.ts';
import { jobPages } from './jobs.ts';
import { logPages } from './logs.ts';
import { libraryPages } from './library.ts';
import { metricsPages } from './metrics.ts';
import { nodePages } from './nodes.ts';
import { notificationPages } from './notifications.ts';
import { oidcPages } from './oidc.ts';
import { overviewPages } from './overview.ts';
import { peoplePages } from './people.ts';
import { picturePages } from './pictures.ts';
import { providerSettingsPages } from './provider-settings.ts';
import { queuePages } from './queue.ts';
import { settingsPages } from './settings.ts';
import { setupPages } from './setup.ts';
import { signInPages } from './sign-in.ts';
import { sourcePages } from './sources.ts';

/** Every page module, in the order in which routes are tried. */
export const pageModules: readonly PageModule[] = [
  (app, web) => register(app, web, apiRoutes),
  metricsPages,
  setupPages,
  signInPages,
  oidcPages,
  accountPages,
  peoplePages,
  apiTokenPages,
  apiPages,
  auditPages,
  logPages,
  overviewPages,
  queuePages,
  jobPages,
  picturePages,
  libraryPages,
  sourcePages,
  forecastPages,
  filePages,
  nodePages,
  historyPages,
  // before the groups of settings, whose routes would take its name for one
  cleanupPages,
  backupPages,
  providerSettingsPages,
  notificationPages,
  settingsPages,
];
