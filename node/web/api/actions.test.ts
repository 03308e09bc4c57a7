import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { emptyBooks, webParts } from '../../testing/web.ts';
import { rightOf } from '../auth/rights.ts';
import { createApp } from '../server.ts';
import { apiRoutes } from './all.ts';

/**
 * What a person can see and do on the pages, and the route of the API that does the same. Whoever adds a page adds a line here:
 * with the route, or with the reason why a program has no use for it or must not have it.
 */
const twins = `
  GET  /                                                    GET /status, GET /stats, GET /jobs
  GET  /account                                             - one's own sign-in belongs to a person at a browser
  POST /account/link                                        - leads a browser to the provider and back
  POST /account/unlink                                      - one's own sign-in belongs to a person at a browser
  POST /account/password                                    - one's own sign-in belongs to a person at a browser
  POST /account/sessions/end                                - one's own sign-in belongs to a person at a browser
  POST /account/sessions/end-others                         POST /people/:id/end-sessions
  GET  /api                                                 GET /openapi.json
  GET  /api-tokens                                          GET /tokens
  POST /api-tokens                                          POST /tokens
  POST /api-tokens/:id/revoke                               POST /tokens/:id/revoke
  GET  /audit                                               GET /audit
  GET  /auth/check                                          - a front asks who a visitor is; no page
  GET  /events                                              GET /events
  GET  /files                                               GET /files
  GET  /files/:id                                           GET /files/:id
  POST /files/:id/exclude                                   POST /files/:id/exclude
  POST /files/:id/include                                   POST /files/:id/include
  POST /files/:id/restore                                   POST /originals/:id/restore
  POST /files/:id/retry                                     POST /files/:id/retry
  GET  /healthz                                             - outside the API, for everybody
  GET  /history                                             GET /jobs, GET /stats
  GET  /history/audit                                       GET /activity, GET /settings/changes
  GET  /history/export.csv                                  GET /jobs
  POST /hooks                                               - comes from media servers, with a secret of its own
  POST /hooks/:secret                                       - comes from media servers, with a secret of its own
  GET  /jobs/:id                                            GET /jobs/:id
  POST /jobs/:id/accept                                     POST /originals/:id/accept
  GET  /jobs/:id/barcode/:attempt                           GET /jobs/:id/barcode/:attempt
  POST /jobs/:id/cancel                                     POST /jobs/:id/cancel
  POST /jobs/:id/end                                        POST /jobs/:id/end
  POST /jobs/:id/pause                                      POST /jobs/:id/pause
  GET  /jobs/:id/pictures/:attempt/:number/:side            GET /jobs/:id/pictures/:attempt/:number/:side
  POST /jobs/:id/priority/:priority                         POST /jobs/:id/priority
  POST /jobs/:id/restore                                    POST /originals/:id/restore
  POST /jobs/:id/resume                                     POST /jobs/:id/resume
  POST /jobs/:id/retry                                      POST /jobs/:id/retry
  POST /jobs/:id/top                                        POST /jobs/:id/top
  GET  /library                                             GET /libraries
  POST /library                                             POST /libraries
  GET  /library/:id                                         GET /libraries, GET /files, GET /libraries/:id/scans
  POST /library/:id/cancel-measure                          POST /libraries/:id/measure/cancel
  POST /library/:id/cancel-scan                             POST /libraries/:id/scan/cancel
  POST /library/:id/disable                                 POST /libraries/:id/stop
  POST /library/:id/enable                                  POST /libraries/:id/start
  GET  /library/:id/forecast                                GET /libraries/:id/forecast
  POST /library/:id/locate                                  POST /nodes/:id/roots
  POST /library/:id/measure                                 POST /libraries/:id/measure
  GET  /library/:id/plan                                    GET /libraries/:id/plan
  GET  /library/:id/plan.csv                                GET /libraries/:id/plan
  GET  /library/:id/remove                                  - the question before it; the API wants confirm: true
  POST /library/:id/remove                                  POST /libraries/:id/remove
  GET  /library/:id/rules                                   GET /libraries
  POST /library/:id/rules                                   POST /libraries/:id
  POST /library/:id/scan                                    POST /scan
  POST /library/:id/scanning                                POST /libraries/:id
  GET  /metrics                                             - outside the API, for a monitoring program
  GET  /logs                                                GET /logs, GET /nodes/:id/logs
  POST /logs/levels                                         POST /logs/levels
  POST /logs/support-bundle                                 POST /logs/support-bundle
  GET  /nodes                                               GET /nodes
  GET  /nodes/:id                                           GET /nodes
  POST /nodes/:id                                           POST /nodes/:id
  POST /nodes/:id/approve                                   POST /nodes/:id/approve
  POST /nodes/:id/benched/:bench/try-again                  POST /nodes/:id/try-again
  POST /nodes/:id/detect                                    POST /nodes/:id/detect
  POST /nodes/:id/drain                                     POST /nodes/:id/drain
  POST /nodes/:id/hand-over                                 POST /nodes/:id/hand-over
  POST /nodes/:id/later                                     POST /nodes/:id/later
  POST /nodes/:id/pause                                     POST /nodes/:id/pause
  POST /nodes/:id/reject                                    POST /nodes/:id/reject
  GET  /nodes/:id/remove                                    - the question before it
  POST /nodes/:id/remove                                    POST /nodes/:id/remove
  POST /nodes/:id/resume                                    POST /nodes/:id/resume
  POST /nodes/:id/roots                                     POST /nodes/:id/roots
  POST /nodes/:id/undrain                                   POST /nodes/:id/undrain
  GET  /nodes/cluster                                       - leads back to the machines
  POST /nodes/cluster                                       POST /nodes/cluster
  GET  /nodes/tokens                                        GET /nodes/tokens
  POST /nodes/tokens                                        POST /nodes/tokens
  POST /nodes/tokens/:id/revoke                             POST /nodes/tokens/:id/revoke
  POST /pause                                               POST /pause
  GET  /people                                              GET /people
  POST /people                                              POST /people
  GET  /people/:id                                          GET /people/:id
  POST /people/:id/disable                                  POST /people/:id
  POST /people/:id/enable                                   POST /people/:id
  POST /people/:id/end-sessions                             POST /people/:id/end-sessions
  POST /people/:id/remove                                   POST /people/:id/remove
  POST /people/:id/reset                                    POST /people/:id/reset
  POST /people/:id/role                                     POST /people/:id
  GET  /prove                                               - a program cannot prove who sits before it
  POST /prove                                               - a program cannot prove who sits before it
  GET  /prove/oidc                                          - a program cannot prove who sits before it
  GET  /queue                                               GET /jobs
  POST /queue/bulk                                          POST /queue
  GET  /queue/clear                                         - the question before it; the API wants confirm: true
  POST /queue/clear                                         POST /clear
  GET  /readyz                                              - outside the API, for everybody
  POST /resume                                              POST /resume
  POST /scan                                                POST /scan
  GET  /settings                                            GET /settings
  GET  /settings/:group                                     GET /settings
  POST /settings/:group                                     POST /settings
  GET  /settings/access                                     GET /settings
  POST /settings/access                                     POST /settings
  GET  /settings/backup                                     GET /backups
  POST /settings/backup                                     POST /settings
  GET  /settings/backup/:name/download                      GET /backups/:name/file
  GET  /settings/backup/:name/remove                        - the question before it; the API wants confirm: true
  GET  /settings/backup/:name/verify                        - asks for the passphrase; the API takes it in its body
  POST /settings/backup/:name/remove                        POST /backups/:name/remove
  GET  /settings/backup/:name/restore                       - the question before it; the API wants confirm: true
  POST /settings/backup/:name/restore                       POST /backups/:name/restore
  POST /settings/backup/:name/verify                        POST /backups/:name/verify
  POST /settings/backup/cancel                              POST /backups/cancel
  POST /settings/backup/make                                POST /backups
  POST /settings/backup/upload                              - a file is put into the folder of backups, or given to codecshift restore
  GET  /settings/clean-up                                   GET /cleanups
  GET  /settings/clean-up/:id                               GET /cleanups/:id, GET /cleanups/:id/files
  POST /settings/clean-up/:id/cancel                        POST /cleanups/:id/cancel
  POST /settings/clean-up/:id/choose                        POST /cleanups/:id/choose, POST /cleanups/:id/choose-folder
  GET  /settings/clean-up/:id/delete                        - the question before it; the API wants the number of doubtful files
  POST /settings/clean-up/:id/delete                        POST /cleanups/:id/delete
  GET  /settings/clean-up/found                             GET /trash/found
  POST /settings/clean-up/look                              POST /cleanups
  POST /settings/clean-up/put-back                          POST /originals/:id/restore
  GET  /settings/clean-up/trash                             - the question before it; the API wants confirm: true
  POST /settings/clean-up/trash                             POST /trash/empty
  GET  /settings/notifications                              GET /notifications, GET /notifications/log
  POST /settings/notifications                              POST /settings
  GET  /settings/notifications/:id                          GET /notifications
  POST /settings/notifications/:id/change                   POST /notifications/:id
  GET  /settings/notifications/:id/remove                   - the question before it; the API wants confirm: true
  POST /settings/notifications/:id/remove                   POST /notifications/:id/remove
  POST /settings/notifications/:id/test                     POST /notifications/:id/test
  GET  /settings/notifications/add/:kind                    - the form
  POST /settings/notifications/add/:kind                    POST /notifications
  POST /settings/notifications/log/:id/again                POST /notifications/log/:id/again
  GET  /settings/provider                                   GET /settings, GET /settings/provider
  POST /settings/provider                                   POST /settings
  POST /settings/provider/secret                            POST /settings/provider/secret
  POST /settings/provider/test                              POST /settings/provider/test
  POST /settings/provider/trial                             - leads a browser to the provider and back
  GET  /settings/proxy                                      GET /settings, GET /settings/provider
  POST /settings/proxy                                      POST /settings
  POST /settings/proxy/secret                               POST /settings/proxy/secret
  GET  /setup                                               - the first decision is a person's, with the set-up token
  POST /setup                                               - the first decision is a person's, with the set-up token
  POST /setup/none                                          - the first decision is a person's, with the set-up token
  GET  /setup/oidc                                          - the first decision is a person's, with the set-up token
  POST /setup/token                                         - the first decision is a person's, with the set-up token
  GET  /sign-in                                             - a program shows a token instead
  POST /sign-in                                             - a program shows a token instead
  GET  /sign-in/oidc                                        - a program shows a token instead
  GET  /sign-in/oidc/callback                               - a program shows a token instead
  POST /sign-out                                            - a program shows a token instead
  GET  /signed-out                                          - a program shows a token instead
  GET  /sources                                             GET /sources
  GET  /sources/:id                                         GET /sources/:id, GET /sources/:id/messages, GET /sources/:id/libraries
  POST /sources/:id/change                                  POST /sources/:id
  POST /sources/:id/disable                                 POST /sources/:id
  POST /sources/:id/enable                                  POST /sources/:id
  POST /sources/:id/folder                                  POST /libraries
  GET  /sources/:id/hook                                    - leads back to the server
  POST /sources/:id/hook                                    POST /sources/:id/hook
  GET  /sources/:id/paths                                   GET /sources/:id/paths, POST /sources/:id/paths/propose
  POST /sources/:id/paths                                   POST /sources/:id/paths, POST /sources/:id/paths/prove
  POST /sources/:id/refresh                                 POST /sources/:id/refresh
  GET  /sources/:id/remove                                  - the question before it; the API wants confirm: true
  POST /sources/:id/remove                                  POST /sources/:id/remove
  POST /sources/:id/watch                                   POST /sources/:id/watch
  GET  /sources/add/:kind                                   - an empty form
  POST /sources/add/:kind                                   POST /sources/try
  GET  /sources/keep                                        - an empty form
  POST /sources/keep                                        POST /sources
  POST /sources/messages/:id/tell-again                     POST /sources/messages/:id/tell-again
  GET  /sources/sign-in                                     - an empty form
  POST /sources/sign-in                                     POST /sources/sign-in
  GET  /sources/sign-in/:id                                 GET /sources/sign-in/:id
  POST /sources/sign-in/:id                                 POST /sources
  GET  /sources/sign-in/:id/state                           GET /sources/sign-in/:id
  GET  /sources/signed-in                                   - where plex.tv sends a browser back to
  GET  /static/*                                            - style and script of the pages
  POST /theme                                               - how this browser shows the pages
`;

interface Line {
  page: string;
  api: string[];
  reason: string | null;
}

const lines: Line[] = twins
  .trim()
  .split('\n')
  .map((line) => {
    const [, method = '', path = '', rest = ''] = /^\s*(\w+)\s+(\S+)\s+(.+)$/.exec(line) ?? [];
    const reason = rest.startsWith('- ') ? rest.slice(2) : null;
    return { page: `${method} ${path}`, api: reason === null ? rest.split(', ') : [], reason };
  });

describe('pages and API', () => {
  let pages: string[];
  const routes = new Map(apiRoutes.map((route) => [`${route.method} ${route.path}`, route]));

  before(async () => {
    const made = await createApp(webParts({ db: emptyBooks }).parts);
    pages = made.app.routes
      .filter(({ method, path }) => method !== 'ALL' && !path.startsWith('/api/'))
      .map(({ method, path }) => `${method} ${path}`);
    made.stop();
  });

  test('everything that a page shows or does has a route of the API, or a stated reason why not', () => {
    const known = new Set(lines.map(({ page }) => page));
    assert.deepEqual(
      [...new Set(pages)].filter((page) => !known.has(page)).sort(),
      [],
      'write into the table what does the same by the API',
    );
    assert.deepEqual(
      [...known].filter((page) => !pages.includes(page)),
      [],
      'these pages are gone',
    );
  });

  test('the routes of the table are there, and ask for no less than the page does', () => {
    const wrong = lines.flatMap(({ page, api }) => {
      const [method = '', pattern = ''] = page.split(' ');
      const changes = method === 'POST';
      return api.flatMap((name) => {
        const route = routes.get(name);
        if (!route) return [`${page}: there is no ${name}`];
        if (changes && route.method !== 'POST') return [`${page}: ${name} changes nothing`];
        const onlyAdmins = rightOf(method, pattern) === 'admin';
        return onlyAdmins && route.right === 'read' && pattern !== '/settings/access' && !pattern.startsWith('/settings/p')
          ? [`${page} is for admins, ${name} for everybody`]
          : [];
      });
    });
    assert.deepEqual(wrong, []);
  });

  test('every command of a person can be given by the API', async () => {
    const here = new URL('.', import.meta.url);
    const files = (await readdir(here)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    const code = (await Promise.all(files.map((name) => readFile(new URL(name, here), 'utf8')))).join('\n');
    const source = await readFile(new URL('../../core/commands.ts', import.meta.url), 'utf8');
    const commands = /export interface Commands \{([\s\S]*?)\n\}/.exec(source)![1]!;
    const names = [...commands.matchAll(/^ {2}(\w+)\(/gm)].map((match) => match[1]!);
    assert.ok(names.length > 40);
    // `hookCame` is a media server's, with a secret of its own
    assert.deepEqual(
      names.filter((name) => name !== 'hookCame' && !new RegExp(`\\b\\w+\\.${name}\\(`).test(code)),
      [],
    );
  });
});
