import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { scopes, type Scope } from '../../core/access.ts';
import type { Database } from '../../db/connect.ts';
import { freshDatabase, havePostgres } from '../../testing/database.ts';
import { listener } from '../../testing/event-stream.ts';
import { hashedPassword, startGuarded, type Guarded } from '../../testing/guarded.ts';
import { fillNodeSample } from '../../testing/node-sample.ts';
import { fillPageSample } from '../../testing/page-sample.ts';
import { fillSample } from '../../testing/sample.ts';
import { hashOf } from '../auth/sessions.ts';
import * as v from 'valibot';
import { feedTypes } from './feed.ts';
import { errorAnswer } from './problem.ts';

// As a stranger's program does it: tokens over real HTTP, and the examples of docs/api.md as they stand there.

const docs = await readFile(new URL('../../../docs/api.md', import.meta.url), 'utf8');
const by = { name: 'test', via: 'system' } as const;
const from = { address: '', agent: '' };
const cleanups: (() => Promise<void> | void)[] = [];
const suite = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
let leader: Database;
let web: Guarded;

before(async () => {
  const db = await freshDatabase(suite, havePostgres() ? 'postgres' : 'embedded');
  leader = await db.lead();
  const sample = await fillSample(leader);
  await fillPageSample(leader, sample);
  await fillNodeSample(leader, sample);
  web = await startGuarded(suite, { db, leader });
  const user = { name: 'first', displayName: '', role: 'admin', password: await hashedPassword(), oneTime: false } as const;
  await web.access.decide({ method: 'local', user }, by, from);
});
after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

let made = 0;
async function tokenFor(scope: Scope, days = 30): Promise<{ id: string; token: string }> {
  const id = `test${String(++made).padStart(6, 'a')}`;
  const token = `cs_${id}_${'x'.repeat(43)}`;
  await web.access.addToken({ id, hash: hashOf(token), name: `${scope} ${made}`, scopes: [scope], userId: null, days }, by, from);
  return { id, token };
}

// oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON and YAML, in a test
type Parsed = any;

interface Told {
  status: number;
  headers: Headers;
  body: Parsed;
}

async function ask(token: string | null, method: string, path: string, body?: unknown): Promise<Told> {
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(`${web.url}/api/v1${path}`, { method, headers, ...(text === undefined ? {} : { body: text }) });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

describe('the examples of docs/api.md', () => {
  test('every curl line works with the scope that stands there', async () => {
    const lines = [...docs.matchAll(/^curl .+$/gm)].map(([line]) => line);
    assert.ok(lines.length >= 12);
    const tokens: Record<string, string> = {};
    for (const scope of ['read', 'queue', 'admin'] as const) tokens[scope] = (await tokenFor(scope)).token;
    for (const line of lines) {
      const { url, method, headers, body, stream } = curl(line);
      const scope = /\/queue"/.test(line) ? 'admin' : method === 'POST' ? 'queue' : 'read';
      const over = new AbortController();
      const answer = await fetch(url.replace('$CODECSHIFT', web.url), {
        method,
        headers: Object.fromEntries(headers.map(([name, text]) => [name, text.replace('$TOKEN', tokens[scope]!)])),
        signal: over.signal,
        ...(body === null ? {} : { body }),
      });
      assert.ok(line.includes('readyz') || answer.status < 300, `${line}: ${answer.status}`);
      if (stream) {
        assert.equal((await listener(answer.body!).next())!.event, 'hello');
        over.abort();
      } else await answer.arrayBuffer();
    }
    assert.deepEqual(
      web.asked.map(({ name }) => name),
      ['pauseAll', 'resumeAll', 'scan', 'prioritise', 'removeJobs'],
    );
  });

  test('what a home automation and a start page read is in the status', async () => {
    const status: unknown = (await ask((await tokenFor('read')).token, 'GET', '/status')).body;
    const at = (path: string): unknown => path.split('.').reduce<Parsed>((value, key) => value?.[key], status);
    const templates = [...docs.matchAll(/value_json\.([\w.]+)/g)].map((match) => match[1]!);
    const attributes = ['active', 'doneAt'];
    for (const path of [...templates, ...attributes]) assert.notEqual(at(path), undefined, path);
    const [home, page, prometheus] = [...docs.matchAll(/```yaml\n([\s\S]+?)```/g)].map(([, text]) => yaml(text!)) as Parsed[];
    assert.deepEqual(home.rest[0].sensor[0].json_attributes, attributes);
    assert.ok(templates.length >= 5);
    for (const command of Object.values<Parsed>(home.rest_command)) {
      assert.equal(command.method, 'post');
      assert.equal((await ask((await tokenFor('queue')).token, 'POST', new URL(command.url).pathname.replace('/api/v1', ''))).status, 200);
    }
    const { mappings, url } = page[0].Media[0].CodecShift.widget;
    assert.equal(new URL(url).pathname, '/api/v1/status');
    for (const { field } of mappings)
      assert.notEqual(at(typeof field === 'string' ? field : Object.entries(field)[0]!.join('.')), undefined, JSON.stringify(field));
    assert.equal(prometheus.scrape_configs[0].metrics_path, '/metrics');
  });

  test('its tables have every scope and every metric, and it names every event', async () => {
    for (const type of feedTypes) assert.ok(docs.includes(`\`${type}\``), type);
    for (const scope of scopes) assert.match(docs, new RegExp(`^\\| \`${scope}\` \\|`, 'm'));
    const { token } = await tokenFor('metrics');
    const text = await (await fetch(`${web.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
    const names = [...text.matchAll(/^# TYPE (codecshift_\w+)/gm)].map((match) => match[1]!);
    assert.ok(names.length > 20);
    for (const name of names) assert.ok(docs.includes(`| \`${name}\` |`), name);
    for (const [, name = ''] of docs.matchAll(/^\| `(codecshift_\w+)`/gm)) assert.ok(names.includes(name), name);
  });
});

describe('every error has one shape', () => {
  test('whatever was wrong, and wherever it was noticed', async () => {
    const { token } = await tokenFor('read');
    const admin = (await tokenFor('admin')).token;
    for (const [who, method, path, body, status, code] of [
      [null, 'GET', '/status', undefined, 401, 'no-token'],
      [`cs_aaaaaaaaaa_${'y'.repeat(43)}`, 'GET', '/status', undefined, 401, 'wrong-api-token'],
      [token, 'POST', '/pause', undefined, 403, 'not-allowed'],
      [token, 'GET', '/jobs/999999', undefined, 404, 'not-found'],
      [token, 'GET', '/nothing', undefined, 404, 'not-found'],
      [token, 'GET', '/jobs?limit=x', undefined, 422, 'invalid-input'],
      [admin, 'DELETE', '/jobs/1', undefined, 404, 'not-found'],
      [admin, 'POST', '/pause', '{"a":', 400, 'not-json'],
      [admin, 'POST', '/clear', {}, 422, 'invalid-input'],
    ] as const) {
      const told = await ask(who, method, path, body);
      assert.deepEqual([told.status, told.body.error.code], [status, code], `${method} ${path}`);
      assert.deepEqual(v.safeParse(errorAnswer, told.body).issues, undefined, JSON.stringify(told.body));
      assert.equal(told.headers.get('access-control-allow-origin'), null);
    }
    // told by its length alone, before anything of it is read
    const length = {
      authorization: `Bearer ${admin}`,
      'content-type': 'application/json',
      'content-length': '1100000',
      expect: '100-continue',
    };
    const large = await web.browser().send('POST', '/api/v1/settings', length);
    assert.deepEqual([large.status, JSON.parse(large.body).error.code], [413, 'too-large']);
    const preflight = await fetch(`${web.url}/api/v1/status`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.test', 'access-control-request-method': 'GET', authorization: `Bearer ${admin}` },
    });
    assert.equal(preflight.headers.get('access-control-allow-origin'), null);
    assert.equal(preflight.status, 404);
  });

  test('a token that asks too often is told so, and no other waits for it', async () => {
    const [busy, calm] = [(await tokenFor('read')).token, (await tokenFor('read')).token];
    const seen = new Map<number, number>();
    for (let n = 0; n < 610; n += 61) {
      const answers = await Promise.all(Array.from({ length: 61 }, () => ask(busy, 'GET', '/nothing')));
      for (const { status } of answers) seen.set(status, (seen.get(status) ?? 0) + 1);
    }
    assert.deepEqual([seen.get(404), seen.get(429)], [600, 10]);
    const told = await ask(busy, 'GET', '/status');
    assert.deepEqual([told.body.error.code, told.headers.get('retry-after')], ['too-often', '10']);
    assert.equal((await ask(calm, 'GET', '/status')).status, 200);
  });
});

describe('people and tokens by the API', () => {
  test('somebody is added, changed, signed out and removed, each under the name of the token; no hash and no password comes out', async () => {
    const { token } = await tokenFor('admin');
    const added = await ask(token, 'POST', '/people', { name: 'cleo', displayName: 'Cleo' });
    assert.equal(added.status, 201, JSON.stringify(added.body));
    const { id, password } = added.body;
    const cleo = web.browser();
    assert.equal((await cleo.post('/sign-in', { name: 'cleo', password })).status, 303);
    const one = await ask(token, 'GET', `/people/${id}`);
    assert.deepEqual([one.body.role, one.body.oneTime, one.body.sessions.length], ['viewer', true, 1]);
    assert.ok(!JSON.stringify([one.body, (await ask(token, 'GET', '/people')).body]).match(/argon2|hash/));
    assert.equal((await ask(token, 'POST', `/people/${id}/end-sessions`)).body.ended, 1);
    assert.equal((await cleo.get('/account')).status, 303);
    assert.equal((await ask(token, 'POST', `/people/${id}`, { disabled: true })).status, 200);
    assert.notEqual((await ask(token, 'POST', `/people/${id}/reset`)).body.password, password);
    assert.equal((await ask(token, 'POST', `/people/${id}/remove`, {})).status, 422, 'it has to be confirmed');
    assert.equal((await ask(token, 'POST', `/people/${id}/remove`, { confirm: true })).status, 200);
    assert.equal((await ask(token, 'GET', `/people/${id}`)).status, 404);
    const { items } = (await ask(token, 'GET', '/audit')).body;
    const did = items
      .filter((row: { actor: string }) => row.actor.startsWith('the token admin'))
      .map((row: { action: string }) => row.action);
    assert.ok(did.includes('user added') && did.includes('user removed'), did.join());
    assert.ok(did.includes('POST /api/v1/people/:id/remove'), 'what was refused is in it too');
  });

  test('a token makes nothing that would go on with its rights when it is revoked', async () => {
    const { token } = await tokenFor('admin', 30);
    const admins = (await ask(token, 'GET', '/people')).body.items.filter((p: { role: string }) => p.role === 'admin');
    const { id: viewer } = (await ask(token, 'POST', '/people', { name: 'dora' })).body;
    const nodes = (await ask(token, 'GET', '/nodes')).body.items;
    const settings = (key: string, value: unknown) => ({ changes: [{ key, value, version: 0 }] });
    for (const [path, body] of [
      ['/people', { name: 'eve', role: 'admin' }],
      [`/people/${viewer}`, { role: 'admin' }],
      [`/people/${admins[0].id}`, { disabled: false }],
      [`/people/${admins[0].id}/reset`, {}],
      ['/tokens', { name: 'child', scopes: ['admin'] }],
      ['/settings', settings('oidc.issuer', 'https://evil.test')],
      ['/settings', settings('proxy.signIn', true)],
      ['/settings', settings('metrics.open', true)],
      ['/settings/provider/secret', { secret: 'mine' }],
      ['/settings/proxy/secret', { secret: null }],
      ['/nodes/tokens', {}],
      ['/sources/1', { url: 'http://elsewhere.test:32400' }],
      ['/backups', { keys: true, passphrase: 'chosen by the token itself' }],
      [`/nodes/${nodes[0].id}/approve`, {}],
    ] as const) {
      const told = await ask(token, 'POST', path, body);
      assert.deepEqual([told.status, told.body.error.code], [403, 'needs-a-person'], `${path} ${JSON.stringify(body)}`);
    }
    assert.equal((await ask(token, 'POST', '/tokens', { name: 'child', scopes: ['read'], days: 31 })).status, 422);
    assert.equal((await ask(token, 'POST', '/tokens', { name: '  ', scopes: ['read'], days: 1 })).status, 422);
    assert.equal((await ask(token, 'POST', '/tokens', { name: 'child', scopes: ['read'], days: null })).status, 422);
    const child = await ask(token, 'POST', '/tokens', { name: 'child', scopes: ['read'], days: 29 });
    assert.equal(child.status, 201);
    assert.equal((await ask(child.body.token, 'GET', '/status')).status, 200);
    assert.equal((await ask(token, 'POST', `/tokens/${child.body.id}/revoke`)).status, 200);
    assert.equal((await ask(child.body.token, 'GET', '/status')).status, 401);
    assert.ok(!JSON.stringify((await ask(token, 'GET', '/tokens')).body).includes(child.body.token.slice(14)));
  });

  test('how people are let in is told to an admin only', async () => {
    const keys = async (scope: Scope): Promise<string[]> =>
      (await ask((await tokenFor(scope)).token, 'GET', '/settings')).body.items.map((s: { key: string }) => s.key);
    assert.ok((await keys('admin')).includes('oidc.issuer'));
    const seen = await keys('read');
    assert.ok(seen.includes('jobs.maxFailures') && !seen.some((key) => /^(oidc|proxy|access)\./.test(key)), seen.join());

    // what was changed of it as well, on the page too; and it is no empty page of a list that goes on behind it
    await leader.query(
      `insert into settings_history (key, old_value, new_value, by, via) values ('jobs.maxFailures', '4', '7', 'ada', 'page')`,
    );
    await leader.query(
      `insert into settings_history (key, new_value, by, via) select 'oidc.issuer', '"https://who.test"', 'ada', 'page' from generate_series(1, 60)`,
    );
    const changes = async (scope: Scope): Promise<string[]> =>
      (await ask((await tokenFor(scope)).token, 'GET', '/settings/changes')).body.items.map((change: { key: string }) => change.key);
    assert.ok((await changes('admin')).includes('oidc.issuer'));
    assert.ok((await changes('read')).includes('jobs.maxFailures') && !(await changes('read')).includes('oidc.issuer'));
    assert.match((await (await web.signedIn('admin')).get('/history/audit')).body, /who\.test/);
    assert.doesNotMatch((await (await web.signedIn('viewer')).get('/history/audit')).body, /who\.test/);
  });

  test('an event stream ends the moment its token is revoked, and so many are served to one token', { timeout: 120_000 }, async () => {
    const { id, token } = await tokenFor('read');
    const open = (bearer: string, query = '') =>
      fetch(`${web.url}/api/v1/events${query}`, { headers: { authorization: `Bearer ${bearer}` } });
    assert.equal((await open((await tokenFor('metrics')).token)).status, 403);
    assert.equal((await open(token, '?types=access.changed')).status, 422);
    const answer = await open(token, '?types=job.changed,queue.changed');
    assert.match(answer.headers.get('content-type')!, /^text\/event-stream/);
    const reader = listener(answer.body!);
    assert.equal((await reader.next())!.event, 'hello');
    web.events.emit('library.changed', { libraryId: 1 });
    web.events.emit('queue.changed', { why: 'test' });
    assert.equal((await reader.next())!.event, 'queue.changed');
    const page = await fetch(`${web.url}/events?view=queue`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(page.status, 200);
    const more = await Promise.all(Array.from({ length: 8 }, () => open(token)));
    assert.deepEqual(
      more.map((one) => one.status).sort((a, b) => a - b),
      [...Array.from({ length: 7 }, () => 200), 429],
    );
    await web.access.revokeToken(id, by, from);
    assert.equal(await reader.next(), null);
    // that of a page as well
    assert.match(await page.text(), /event: build/);
    assert.equal((await open(token)).status, 401);
  });

  test('the list of all of it is a page for people', async () => {
    const admin = await web.signedIn('viewer');
    const page = await admin.get('/api');
    assert.equal(page.status, 200);
    assert.match(page.body, /POST \/api\/v1\/trash\/empty/);
    assert.match(page.body, /command line only/);
  });
});

/** The few options of curl that the page uses. */
function curl(line: string): { url: string; method: string; headers: [string, string][]; body: string | null; stream: boolean } {
  const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3]!).slice(1);
  const made = { url: '', method: 'GET', headers: [] as [string, string][], body: null as string | null, stream: false };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === '-X') made.method = words[++i]!;
    else if (word === '-H') made.headers.push(words[++i]!.split(': ') as [string, string]);
    else if (word === '-d') made.body = words[++i]!;
    else if (word === '-N') made.stream = true;
    else made.url = word;
  }
  return made;
}

function yaml(text: string): unknown {
  const [document] = parseAllDocuments(text.replaceAll('!secret ', ''));
  assert.deepEqual(document!.errors, []);
  return document!.toJS();
}
