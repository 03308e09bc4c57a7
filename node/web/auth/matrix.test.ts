import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Scope } from '../../core/access.ts';
import type { Database } from '../../db/connect.ts';
import { freshDatabase, havePostgres } from '../../testing/database.ts';
import { hashedPassword, startGuarded, type Caller, type Guarded } from '../../testing/guarded.ts';
import type { Answer } from '../../testing/plain-request.ts';
import { webParts } from '../../testing/web.ts';
import { createApp } from '../server.ts';
import { hashOf } from './sessions.ts';

/**
 * Every route of the application and who may call it, written down a second time: the gate's own rules (rights.ts) decide by
 * patterns, this table by names. A route that is not in it fails the test until somebody thought about it.
 *
 *   public · self · read · queue · admin · metrics · hook · host, and `proof` where who somebody is must be fresh
 */
const table = `
  GET  /                                                    read
  GET  /account                                             self
  POST /account/link                                        self proof
  POST /account/unlink                                      self proof
  POST /account/password                                    self
  POST /account/sessions/end                                self
  POST /account/sessions/end-others                         self
  GET  /api                                                 read
  GET  /api-tokens                                          admin proof
  POST /api-tokens                                          admin proof
  POST /api-tokens/:id/revoke                               admin proof
  GET  /api/v1/activity                                     read
  POST /api/v1/admin/reset                                  host
  GET  /api/v1/audit                                        admin
  GET  /api/v1/backups                                      admin
  POST /api/v1/backups                                      admin
  GET  /api/v1/backups/:name/file                           admin
  POST /api/v1/backups/:name/remove                         admin
  POST /api/v1/backups/:name/restore                        admin
  POST /api/v1/backups/:name/verify                         admin
  POST /api/v1/backups/cancel                               admin
  GET  /api/v1/cleanups                                     read
  POST /api/v1/cleanups                                     admin
  GET  /api/v1/cleanups/:id                                 read
  POST /api/v1/cleanups/:id/cancel                          admin
  POST /api/v1/cleanups/:id/choose                          admin
  POST /api/v1/cleanups/:id/choose-folder                   admin
  POST /api/v1/cleanups/:id/delete                          admin
  GET  /api/v1/cleanups/:id/files                           read
  POST /api/v1/clear                                        admin
  GET  /api/v1/events                                       read
  GET  /api/v1/files                                        read
  GET  /api/v1/files/:id                                    read
  POST /api/v1/files/:id/exclude                            queue
  POST /api/v1/files/:id/include                            queue
  POST /api/v1/files/:id/retry                              queue
  GET  /api/v1/jobs                                         read
  GET  /api/v1/jobs/:id                                     read
  GET  /api/v1/jobs/:id/barcode/:attempt                    read
  POST /api/v1/jobs/:id/cancel                              queue
  POST /api/v1/jobs/:id/end                                 queue
  POST /api/v1/jobs/:id/pause                               queue
  GET  /api/v1/jobs/:id/pictures/:attempt/:number/:side     read
  POST /api/v1/jobs/:id/priority                            queue
  POST /api/v1/jobs/:id/resume                              queue
  POST /api/v1/jobs/:id/retry                               queue
  POST /api/v1/jobs/:id/top                                 queue
  GET  /api/v1/libraries                                    read
  GET  /api/v1/logs                                         admin
  POST /api/v1/logs/levels                                  admin
  POST /api/v1/logs/support-bundle                          admin
  GET  /logs                                                admin
  POST /logs/levels                                         admin
  POST /logs/support-bundle                                 admin proof
  POST /api/v1/libraries                                    admin
  POST /api/v1/libraries/:id                                admin
  GET  /api/v1/libraries/:id/forecast                       read
  POST /api/v1/libraries/:id/measure                        admin
  POST /api/v1/libraries/:id/measure/cancel                 admin
  GET  /api/v1/libraries/:id/plan                           read
  POST /api/v1/libraries/:id/remove                         admin
  POST /api/v1/libraries/:id/scan/cancel                    admin
  GET  /api/v1/libraries/:id/scans                          read
  POST /api/v1/libraries/:id/start                          admin
  POST /api/v1/libraries/:id/stop                           admin
  GET  /api/v1/nodes                                        read
  POST /api/v1/nodes/:id                                    admin
  POST /api/v1/nodes/:id/approve                            admin
  POST /api/v1/nodes/:id/detect                             admin
  POST /api/v1/nodes/:id/drain                              admin
  POST /api/v1/nodes/:id/hand-over                          admin
  POST /api/v1/nodes/:id/later                              admin
  GET  /api/v1/nodes/:id/logs                               admin
  POST /api/v1/nodes/:id/pause                              admin
  POST /api/v1/nodes/:id/reject                             admin
  POST /api/v1/nodes/:id/remove                             admin
  POST /api/v1/nodes/:id/resume                             admin
  POST /api/v1/nodes/:id/roots                              admin
  POST /api/v1/nodes/:id/try-again                          admin
  POST /api/v1/nodes/:id/undrain                            admin
  POST /api/v1/nodes/cluster                                admin
  GET  /api/v1/nodes/tokens                                 admin
  POST /api/v1/nodes/tokens                                 admin
  POST /api/v1/nodes/tokens/:id/revoke                      admin
  GET  /api/v1/notifications                                admin
  POST /api/v1/notifications                                admin
  POST /api/v1/notifications/:id                            admin
  POST /api/v1/notifications/:id/remove                     admin
  POST /api/v1/notifications/:id/test                       admin
  GET  /api/v1/notifications/log                            admin
  POST /api/v1/notifications/log/:id/again                  admin
  GET  /api/v1/openapi.json                                 read
  POST /api/v1/originals/:id/accept                         admin
  POST /api/v1/originals/:id/restore                        admin
  POST /api/v1/pause                                        queue
  GET  /api/v1/people                                       admin
  POST /api/v1/people                                       admin
  GET  /api/v1/people/:id                                   admin
  POST /api/v1/people/:id                                   admin
  POST /api/v1/people/:id/end-sessions                      admin
  POST /api/v1/people/:id/remove                            admin
  POST /api/v1/people/:id/reset                             admin
  POST /api/v1/queue                                        admin
  POST /api/v1/resume                                       queue
  POST /api/v1/scan                                         hook
  GET  /api/v1/settings                                     read
  POST /api/v1/settings                                     admin
  GET  /api/v1/settings/changes                             read
  GET  /api/v1/settings/provider                            admin
  POST /api/v1/settings/provider/secret                     admin
  POST /api/v1/settings/provider/test                       admin
  POST /api/v1/settings/proxy/secret                        admin
  GET  /api/v1/sources                                      read
  POST /api/v1/sources                                      admin
  GET  /api/v1/sources/:id                                  read
  POST /api/v1/sources/:id                                  admin
  POST /api/v1/sources/:id/hook                             admin
  GET  /api/v1/sources/:id/libraries                        read
  GET  /api/v1/sources/:id/messages                         read
  GET  /api/v1/sources/:id/paths                            read
  POST /api/v1/sources/:id/paths                            admin
  POST /api/v1/sources/:id/paths/propose                    admin
  POST /api/v1/sources/:id/paths/prove                      admin
  POST /api/v1/sources/:id/refresh                          admin
  POST /api/v1/sources/:id/remove                           admin
  POST /api/v1/sources/:id/watch                            admin
  POST /api/v1/sources/messages/:id/tell-again              admin
  POST /api/v1/sources/sign-in                              admin
  GET  /api/v1/sources/sign-in/:id                          admin
  POST /api/v1/sources/try                                  admin
  GET  /api/v1/stats                                        read
  GET  /api/v1/status                                       read
  GET  /api/v1/tokens                                       admin
  POST /api/v1/tokens                                       admin
  POST /api/v1/tokens/:id/revoke                            admin
  POST /api/v1/trash/empty                                  admin
  GET  /api/v1/trash/found                                  read
  GET  /audit                                               admin
  GET  /auth/check                                          public
  GET  /events                                              read
  GET  /files                                               read
  GET  /files/:id                                           read
  POST /files/:id/exclude                                   admin
  POST /files/:id/include                                   admin
  POST /files/:id/restore                                   admin
  POST /files/:id/retry                                     admin
  GET  /healthz                                             public
  GET  /history                                             read
  GET  /history/audit                                       read
  GET  /history/export.csv                                  read
  POST /hooks                                               public
  POST /hooks/:secret                                       public
  GET  /jobs/:id                                            read
  POST /jobs/:id/accept                                     admin
  GET  /jobs/:id/barcode/:attempt                           read
  POST /jobs/:id/cancel                                     queue
  POST /jobs/:id/end                                        queue
  POST /jobs/:id/pause                                      queue
  GET  /jobs/:id/pictures/:attempt/:number/:side            read
  POST /jobs/:id/priority/:priority                         admin
  POST /jobs/:id/restore                                    admin
  POST /jobs/:id/resume                                     queue
  POST /jobs/:id/retry                                      queue
  POST /jobs/:id/top                                        queue
  GET  /library                                             read
  POST /library                                             admin
  GET  /library/:id                                         read
  POST /library/:id/cancel-measure                          admin
  POST /library/:id/cancel-scan                             admin
  POST /library/:id/disable                                 admin
  POST /library/:id/enable                                  admin
  GET  /library/:id/forecast                                read
  POST /library/:id/locate                                  admin
  POST /library/:id/measure                                 admin
  GET  /library/:id/plan                                    read
  GET  /library/:id/plan.csv                                read
  GET  /library/:id/remove                                  admin
  POST /library/:id/remove                                  admin
  GET  /library/:id/rules                                   read
  POST /library/:id/rules                                   admin
  POST /library/:id/scan                                    admin
  POST /library/:id/scanning                                admin
  GET  /metrics                                             metrics
  GET  /nodes                                               read
  GET  /nodes/:id                                           read
  POST /nodes/:id                                           admin
  POST /nodes/:id/approve                                   admin proof
  POST /nodes/:id/benched/:bench/try-again                  admin
  POST /nodes/:id/detect                                    admin
  POST /nodes/:id/drain                                     admin
  POST /nodes/:id/hand-over                                 admin
  POST /nodes/:id/later                                     admin
  POST /nodes/:id/pause                                     admin
  POST /nodes/:id/reject                                    admin
  GET  /nodes/:id/remove                                    admin proof
  POST /nodes/:id/remove                                    admin proof
  POST /nodes/:id/resume                                    admin
  POST /nodes/:id/roots                                     admin
  POST /nodes/:id/undrain                                   admin
  GET  /nodes/cluster                                       read
  POST /nodes/cluster                                       admin
  GET  /nodes/tokens                                        read
  POST /nodes/tokens                                        admin proof
  POST /nodes/tokens/:id/revoke                             admin
  POST /pause                                               queue
  GET  /people                                              admin proof
  POST /people                                              admin proof
  GET  /people/:id                                          admin proof
  POST /people/:id/disable                                  admin proof
  POST /people/:id/enable                                   admin proof
  POST /people/:id/end-sessions                             admin proof
  POST /people/:id/remove                                   admin proof
  POST /people/:id/reset                                    admin proof
  POST /people/:id/role                                     admin proof
  GET  /prove                                               self
  POST /prove                                               self
  GET  /prove/oidc                                          self
  GET  /queue                                               read
  POST /queue/bulk                                          admin
  GET  /queue/clear                                         admin
  POST /queue/clear                                         admin
  POST /resume                                              queue
  POST /scan                                                queue
  GET  /readyz                                              public
  GET  /settings                                            read
  GET  /settings/access                                     admin
  POST /settings/access                                     admin proof
  GET  /settings/notifications                              admin
  POST /settings/notifications                              admin
  GET  /settings/notifications/:id                          admin proof
  POST /settings/notifications/:id/change                   admin proof
  GET  /settings/notifications/:id/remove                   admin proof
  POST /settings/notifications/:id/remove                   admin proof
  POST /settings/notifications/:id/test                     admin
  GET  /settings/notifications/add/:kind                    admin proof
  POST /settings/notifications/add/:kind                    admin proof
  POST /settings/notifications/log/:id/again                admin
  GET  /settings/provider                                   admin
  POST /settings/provider                                   admin proof
  POST /settings/provider/secret                            admin proof
  POST /settings/provider/test                              admin proof
  POST /settings/provider/trial                             admin proof
  GET  /settings/proxy                                      admin
  POST /settings/proxy                                      admin proof
  POST /settings/proxy/secret                               admin proof
  GET  /settings/:group                                     read
  POST /settings/:group                                     admin
  GET  /settings/backup                                     admin
  POST /settings/backup                                     admin
  GET  /settings/backup/:name/download                      admin proof
  GET  /settings/backup/:name/remove                        admin proof
  POST /settings/backup/:name/remove                        admin proof
  GET  /settings/backup/:name/restore                       admin proof
  POST /settings/backup/:name/restore                       admin proof
  GET  /settings/backup/:name/verify                        admin
  POST /settings/backup/:name/verify                        admin
  POST /settings/backup/cancel                              admin
  POST /settings/backup/make                                admin
  POST /settings/backup/upload                              admin
  GET  /settings/clean-up                                   read
  GET  /settings/clean-up/:id                               read
  POST /settings/clean-up/:id/cancel                        admin
  POST /settings/clean-up/:id/choose                        admin
  GET  /settings/clean-up/:id/delete                        admin proof
  POST /settings/clean-up/:id/delete                        admin proof
  GET  /settings/clean-up/found                             read
  POST /settings/clean-up/look                              admin
  POST /settings/clean-up/put-back                          admin
  GET  /settings/clean-up/trash                             admin proof
  POST /settings/clean-up/trash                             admin proof
  GET  /setup                                               public
  POST /setup                                               public
  POST /setup/none                                          public
  GET  /setup/oidc                                          public
  POST /setup/token                                         public
  GET  /sign-in                                             public
  POST /sign-in                                             public
  GET  /sign-in/oidc                                        public
  GET  /sign-in/oidc/callback                               public
  POST /sign-out                                            self
  GET  /signed-out                                          public
  GET  /sources                                             read
  GET  /sources/:id                                         read
  POST /sources/:id/change                                  admin proof
  POST /sources/:id/disable                                 admin
  POST /sources/:id/enable                                  admin
  POST /sources/:id/folder                                  admin
  GET  /sources/:id/hook                                    read
  POST /sources/:id/hook                                    admin proof
  GET  /sources/:id/paths                                   read
  POST /sources/:id/paths                                   admin
  POST /sources/:id/refresh                                 admin
  GET  /sources/:id/remove                                  admin proof
  POST /sources/:id/remove                                  admin proof
  POST /sources/:id/watch                                   admin
  GET  /sources/add/:kind                                   admin proof
  POST /sources/add/:kind                                   admin proof
  GET  /sources/keep                                        admin proof
  POST /sources/keep                                        admin proof
  POST /sources/messages/:id/tell-again                     admin
  GET  /sources/sign-in                                     admin proof
  POST /sources/sign-in                                     admin proof
  GET  /sources/sign-in/:id                                 admin
  POST /sources/sign-in/:id                                 admin
  GET  /sources/sign-in/:id/state                           admin
  GET  /sources/signed-in                                   public
  GET  /static/*                                            public
  POST /theme                                               public
`;

interface Route {
  method: string;
  pattern: string;
  right: string;
  proof: boolean;
}

const routes: Route[] = table
  .trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/))
  .map(([method = '', pattern = '', right = '', proof]) => ({ method, pattern, right, proof: proof === 'proof' }));

/** Which rights whom opens a route. */
const rights: Record<string, string[]> = {
  anonymous: ['public'],
  viewer: ['public', 'self', 'read'],
  admin: ['public', 'self', 'read', 'queue', 'admin', 'metrics', 'hook'],
  'token read': ['public', 'read'],
  'token queue': ['public', 'read', 'queue', 'hook'],
  'token admin': ['public', 'read', 'queue', 'admin', 'metrics', 'hook'],
  'token hook': ['public', 'hook'],
  'token metrics': ['public', 'metrics'],
};

/** They answer before the gate, or end what the test stands on. */
const apart = new Set([
  'GET /healthz',
  'GET /readyz',
  'GET /static/*',
  'POST /hooks',
  'POST /hooks/:secret',
  'POST /sign-out',
  'GET /sources/signed-in',
]);

const cleanups: (() => Promise<void> | void)[] = [];
const suite = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
let web: Guarded;
let leader: Database;
const callers: Record<string, Caller> = {};
const tokens: Record<string, string> = {};

before(async () => {
  const db = await freshDatabase(suite, havePostgres() ? 'postgres' : 'embedded');
  leader = await db.lead();
  web = await startGuarded(suite, { db, leader });
  const by = { name: 'test', via: 'system' } as const;
  const from = { address: '', agent: '' };
  await web.access.decide(
    { method: 'local', user: { name: 'first', displayName: '', role: 'admin', password: await hashedPassword(), oneTime: false } },
    by,
    from,
  );
  callers['anonymous'] = web.browser();
  callers['viewer'] = await web.signedIn('viewer');
  callers['admin'] = await web.signedIn('admin');
  for (const scope of ['read', 'queue', 'admin', 'hook', 'metrics'] satisfies Scope[]) {
    const id = `${scope}aaaaaaaaaa`.slice(0, 10);
    const token = `cs_${id}_${'x'.repeat(43)}`;
    await web.access.addToken({ id, hash: hashOf(token), name: scope, scopes: [scope], userId: null, days: 1 }, by, from);
    tokens[`token ${scope}`] = token;
    callers[`token ${scope}`] = web.browser({ authorization: `Bearer ${token}` });
  }
});
after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

describe('who may call what', () => {
  test('2: the table has every route of the application, and no other', async () => {
    const made = await createApp(webParts({ db: leader }).parts);
    const real = new Set(made.app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`));
    made.stop();
    const written = new Set(routes.map(({ method, pattern }) => `${method} ${pattern}`));
    const missing = [...real].filter((route) => !written.has(route));
    assert.deepEqual(missing, [], 'these routes are new: write into the table who may call them');
    assert.deepEqual(
      [...written].filter((route) => !real.has(route)),
      [],
      'these routes are gone',
    );
  });

  test('2: every route opens for whom the table says, and for nobody else', async () => {
    const wrong: string[] = [];
    const csrf = new Map<string, string>();
    for (const name of ['anonymous', 'viewer', 'admin']) csrf.set(name, await callers[name]!.csrf());
    for (const route of routes.filter(({ method, pattern }) => !apart.has(`${method} ${pattern}`))) {
      for (const [name, caller] of Object.entries(callers)) {
        const isApi = route.pattern.startsWith('/api/');
        // a page for every kind of token, and cookies at the API, are tried on a few and not on all
        if (name.startsWith('token') && !isApi && route.pattern !== '/' && route.pattern !== '/people' && route.pattern !== '/metrics')
          continue;
        const answer = await call(caller, route, csrf.get(name) ?? null);
        const may = rights[name]!.includes(route.right) && !(isApi && (name === 'viewer' || name === 'admin'));
        const did = opened(answer);
        if (did !== may)
          wrong.push(`${route.method} ${route.pattern} as ${name}: ${answer.status} ${String(answer.headers['location'] ?? '')}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  test('2: the stream of a page that is only an admin’s is only an admin’s too', async () => {
    for (const view of ['notifications', 'backup'])
      for (const name of ['viewer', 'token read', 'token queue'])
        assert.equal((await callers[name]!.get(`/events?view=${view}`)).status, 403, `${view} as ${name}`);
  });

  test('2: what is dangerous asks an admin again who is an admin, and nothing is done before', async () => {
    const admin = await web.signedIn('admin');
    const token = await admin.csrf();
    web.later(16 * 60_000);
    const wrong: string[] = [];
    for (const route of routes.filter(
      ({ method, pattern, right }) => right === 'admin' && !pattern.startsWith('/api/') && !apart.has(`${method} ${pattern}`),
    )) {
      if (!route.proof && route.method !== 'GET') continue;
      const asked = web.asked.length;
      const { headers, status } = await call(admin, route, token);
      if (route.proof) assert.equal(web.asked.length, asked, route.pattern);
      if (String(headers['location'] ?? '').startsWith('/prove') !== route.proof) wrong.push(`${route.method} ${route.pattern}: ${status}`);
    }
    assert.deepEqual(wrong, []);
  });

  test('3: a form from anywhere but this very page is refused on every route, with the best of cookies', async () => {
    const admin = await web.signedIn('admin');
    const csrf = await admin.csrf();
    const origin = `http://127.0.0.1:${web.port}`;
    const cases: [string, Record<string, string>, string][] = [
      ['no origin', {}, `csrf=${csrf}`],
      ['null', { origin: 'null' }, `csrf=${csrf}`],
      ['another port', { origin: `http://127.0.0.1:${web.port + 1}` }, `csrf=${csrf}`],
      ['another site', { origin: 'https://evil.test' }, `csrf=${csrf}`],
      ['same-site', { origin, 'sec-fetch-site': 'same-site' }, `csrf=${csrf}`],
      ['no token', { origin, 'sec-fetch-site': 'same-origin' }, ''],
      ['the token of somebody else', { origin }, `csrf=${await web.browser().csrf()}`],
    ];
    const asked = web.asked.length;
    for (const route of routes.filter(
      ({ method, pattern }) => method !== 'GET' && (!apart.has(`POST ${pattern}`) || pattern === '/sign-out'),
    ))
      for (const [what, headers, body] of cases) {
        const form = { 'content-type': 'application/x-www-form-urlencoded', ...headers };
        assert.equal((await admin.send('POST', concrete(route.pattern), form, body)).status, 403, `${route.pattern}: ${what}`);
      }
    assert.equal(web.asked.length, asked);
    assert.equal((await admin.get('/')).status, 200, 'and nobody was signed out');
  });

  test('4: a name that is not ours gets nothing on any route, neither a page nor a cookie', async () => {
    for (const { method, pattern } of routes) {
      const { status, headers } = await callers['admin']!.send(method, concrete(pattern), { host: 'evil.test', accept: 'text/html' });
      // a media server calls us by whatever name it was given, and brings a secret
      if (!pattern.startsWith('/hooks')) assert.equal(status, 421, pattern);
      assert.ok(!String(headers['set-cookie'] ?? '').includes('cs_session'), pattern);
    }
  });

  test('a token opens nothing once it is revoked, has ended, or its person may not, and is never taken from an address or a cookie', async () => {
    const token = tokens['token read']!;
    const plain = web.browser();
    assert.equal((await plain.get(`/api/v1/status?token=${token}`)).status, 401);
    plain.cookies.set('token', token);
    assert.equal((await plain.get('/api/v1/status')).status, 401);
    const by = { name: 'test', via: 'system' } as const;
    const from = { address: '', agent: '' };
    const id = await web.access.addUser({ name: 'cleo', displayName: '', role: 'admin', password: null, oneTime: false }, by, from);
    const mine = `cs_bbbbbbbbbb_${'y'.repeat(43)}`;
    await web.access.addToken({ id: 'bbbbbbbbbb', hash: hashOf(mine), name: 'mine', scopes: ['admin'], userId: id, days: null }, by, from);
    const program = web.browser({ authorization: `Bearer ${mine}` });
    assert.equal((await program.send('POST', '/api/v1/pause')).status, 200);
    assert.equal(web.asked.at(-1)!.by.name, 'the token mine');
    await web.access.changeUser(id, { role: 'viewer' }, by, from);
    assert.equal((await program.send('POST', '/api/v1/pause')).status, 403);
    assert.equal((await program.get('/api/v1/status')).status, 200);
    await web.access.changeUser(id, { disabled: true }, by, from);
    assert.equal((await program.get('/api/v1/status')).status, 401);
    await web.access.revokeToken('readaaaaaa', by, from);
    assert.equal((await callers['token read']!.get('/api/v1/status')).status, 401);
    await leader.query(`update api_tokens set expires_at = now() - interval '1 second' where id = 'queueaaaaa'`);
    assert.equal((await callers['token queue']!.get('/api/v1/status')).status, 401);
    assert.equal((await web.browser({ authorization: `Bearer cs_queueaaaaa_${'z'.repeat(43)}` }).get('/api/v1/status')).status, 401);
  });
});

function call(caller: Caller, route: Route, csrf: string | null): Promise<Answer> {
  const path = concrete(route.pattern);
  if (route.method === 'GET') return caller.get(path);
  if (route.pattern.startsWith('/api/')) return caller.send('POST', path, { 'content-type': 'application/json' }, '{"no": "such wish"}');
  // a form that carries a file has its token in its address
  if (path.endsWith('/upload')) return caller.post(`${path}?csrf=${csrf ?? ''}`, {});
  return caller.post(path, { csrf: csrf ?? '' });
}

/** Let in, whatever came of it. */
function opened({ status, headers, body }: Answer): boolean {
  // the door itself answered
  if (status === 401 && body.includes('is wrong')) return true;
  const to = String(headers['location'] ?? '');
  return status !== 401 && status !== 403 && !/^\/(sign-in|prove)\b/.test(to);
}

/** Something that is not there; what counts is whether the door opens. */
function concrete(pattern: string): string {
  if (pattern === '/events') return '/events?view=none';
  // else it would never end
  if (pattern === '/api/v1/events') return '/api/v1/events?types=none';
  return pattern.replace('/static/*', '/static/none').replace(':kind', 'plex').replace(':side', 'output').replace(/:\w+/g, '999999');
}
