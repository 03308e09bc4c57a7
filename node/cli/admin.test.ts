import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { temporaryDirectory } from '../testing/database.ts';
import { startPlexServer } from '../testing/plex-server.ts';
import { startProgram, until, type Program } from '../testing/program.ts';
import { repository } from '../testing/tools.ts';

// The program as a person starts it: what the console says, what the first visit asks, and the way back in.

const password = 'four old films on a shelf';

/** A browser at the program, without JavaScript. */
function browser(url: string) {
  const cookies = new Map<string, string>();
  const bodies: string[] = [];
  const send = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url + path, { ...init, redirect: 'manual', headers: { accept: 'text/html', cookie, ...init.headers } });
    for (const line of answer.headers.getSetCookie())
      cookies.set(line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).split(';')[0]!);
    bodies.push(await answer.clone().text());
    return answer;
  };
  return {
    cookies,
    bodies,
    get: (path: string) => send(path),
    async post(path: string, fields: Record<string, string>, page = path) {
      const csrf = /name="csrf" value="([\w-]+)"/.exec(await (await send(page)).text())?.[1] ?? 'none';
      return send(path, { method: 'POST', body: new URLSearchParams({ csrf, ...fields }), headers: { origin: url } });
    },
  };
}

async function cli(dataDir: string, ...words: string[]): Promise<string> {
  const main = join(repository, 'node', 'main.ts');
  return (await promisify(execFile)(process.execPath, [join(repository, 'scripts', 'node.cjs'), main, ...words, '--data-dir', dataDir]))
    .stdout;
}

async function start(t: TestContext, dataDir: string, env: Record<string, string>): Promise<Program> {
  const program = await startProgram({ dataDir, env: { CODECSHIFT_AUTH: 'page', CODECSHIFT_LOG_LEVEL: 'debug', ...env } });
  t.after(() => program.kill());
  return program;
}

/** What people enter for others: the token of a media server, the address of its webhook, the secrets of a provider and a proxy. */
async function plantMore(t: TestContext, program: Program, ada: ReturnType<typeof browser>): Promise<string[]> {
  const plex = await startPlexServer(t);
  await program.api('/sources', { kind: 'plex', url: plex.url, credential: plex.token });
  const hook = await program.api<{ password: string }>('/sources/1/hook', {});
  const [provider, proxy] = ['the-secret-of-a-provider-7d1f', 'the-secret-of-a-proxy-91bc'];
  assert.equal((await ada.post('/settings/provider/secret', { secret: provider }, '/settings/provider')).status, 303);
  assert.equal((await ada.post('/settings/proxy/secret', { secret: proxy }, '/settings/proxy')).status, 303);
  return [plex.token, hook.password, provider, proxy];
}

describe('the program and its door', () => {
  test('the console shows a link and a token; with it somebody becomes the first admin, and a forgotten password is no end; 23: nothing secret is left anywhere', async (t) => {
    const dataDir = join(temporaryDirectory(t), 'data');
    const program = await start(t, dataDir, {});
    const token = await until('the set-up token', () => /#token=([0-9A-Z-]{30})/.exec(program.output())?.[1]);
    assert.match(program.output(), /http:\/\/localhost:\d+\/setup#token=/);
    assert.equal(readFileSync(join(dataDir, 'setup-token'), 'utf8').trim(), token);
    assert.equal(statSync(join(dataDir, 'setup-token')).mode & 0o777, 0o600);
    const ada = browser(program.url);
    assert.equal((await ada.get('/')).status, 503);
    assert.equal((await ada.post('/setup/token', { token }, '/setup')).status, 303);
    assert.equal((await ada.post('/setup', { name: 'ada', password, again: password })).headers.get('location'), '/');
    assert.equal((await ada.get('/')).status, 200);
    const made = await ada.post('/api-tokens', { name: 'a program', scope: 'read', days: '1' });
    const apiToken = /cs_[a-z0-9]{10}_[\w-]{43}/.exec(await made.text())![0];
    const status = await fetch(`${program.url}/api/v1/status`, { headers: { authorization: `Bearer ${apiToken}` } });
    assert.equal(status.status, 200);
    const planted = [
      password,
      token,
      apiToken,
      ...[...ada.cookies].filter(([name, value]) => name.startsWith('cs_') && value !== '').map(([, value]) => value),
    ];
    planted.push(...(await plantMore(t, program, ada)));
    // a request that fails must not write down what it carried
    await fetch(`${program.url}/api/v1/status`, { headers: { authorization: `Bearer ${apiToken.slice(0, -1)}Z` } });
    await browser(program.url).post('/sign-in', { name: password, password });
    await ada.get('/no-such-page');
    const said = await cli(dataDir, 'admin', 'reset', 'ada');
    const oneTime = /password ([a-z0-9-]{23})/.exec(said)![1]!;
    assert.equal((await ada.get('/')).headers.get('location'), '/sign-in', 'every sign-in ended');
    assert.equal((await ada.post('/sign-in', { name: 'ada', password: oneTime })).headers.get('location'), '/account');
    const settings = ['/settings/access', '/settings/provider', '/settings/proxy'];
    for (const path of ['/account', '/history', '/audit', '/people', '/sign-in', '/sources', '/sources/1', ...settings])
      await ada.get(path);
    for (const path of ['/sources', '/sources/1', '/sources/1/messages', '/settings', '/nodes', '/status'])
      ada.bodies.push(await (await program.request(`/api/v1${path}`)).text());
    planted.push(oneTime);
    for (const path of ['/logs?level=debug&limit=1000', '/node/logs?level=debug&limit=1000'])
      ada.bodies.push(await (await program.request(`/api/v1${path}`)).text());
    const bundle = join(temporaryDirectory(t), 'bundle.tar.gz');
    await cli(dataDir, 'support-bundle', '--with-names', '--out', bundle);
    ada.bodies.push(gunzipSync(await readFile(bundle)).toString('utf8'));
    const { output } = await program.stop();

    const hits: string[] = [];
    const look = (where: string, text: string): void =>
      void planted.forEach((secret, at) => text.includes(secret) && hits.push(`${where}: secret ${at}`));
    look('console', output.replaceAll(/#token=\S+|Set-up token: \S+/g, ''));
    // what is shown once is shown once: on the page that made it
    ada.bodies.forEach((body, at) => body.includes('shown only here and only once') || look(`answer ${at}`, body));
    for (const name of await readdir(dataDir, { recursive: true })) {
      const file = join(dataDir, name);
      if (statSync(file).isFile()) look(name, (await readFile(file)).toString('latin1'));
    }
    assert.deepEqual(hits, []);
  });
});
