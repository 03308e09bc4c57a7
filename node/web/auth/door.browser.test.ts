/// <reference lib="dom" />
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { effectiveSettings } from '../../config/load.ts';
import { readSetup } from '../../db/users.ts';
import { accessibilityProblems, overflow, waitLive } from '../../testing/browser.ts';
import { emptyHouse, hashedPassword, PASSWORD, startGuarded, type Guarded } from '../../testing/guarded.ts';
import { webSuite } from '../../testing/web-suite.ts';

// The door in a real browser: set up, sign in, be asked again, look without changing, and a neighbour's page that tries.

const house = webSuite();
const by = { name: 'test', via: 'system' } as const;
const from = { address: '192.168.1.23', agent: 'Mozilla/5.0 (iPhone) Safari/604.1' };
const shots = process.env['CODECSHIFT_TEST_SHOTS'];

async function serve(t: TestContext, decided = true): Promise<Guarded> {
  await emptyHouse(house.leader);
  const web = await startGuarded(t, house);
  Object.assign(web.settings, effectiveSettings(new Map(), {}));
  if (!decided) return web;
  const password = await hashedPassword();
  await web.access.decide(
    { method: 'local', user: { name: 'ada', displayName: 'Ada Lovelace', role: 'admin', password, oneTime: false } },
    by,
    from,
  );
  const ben = await web.access.addUser({ name: 'ben', displayName: '', role: 'viewer', password, oneTime: false }, by, from);
  await web.access.addUser({ name: 'kim', displayName: 'Kim <b>&amp;', role: 'viewer', password, oneTime: true }, by, from);
  await web.access.openSession({ session: 'a'.repeat(64), userId: ben, method: 'password', replaces: null, idToken: null }, from);
  await web.access.addToken(
    { id: 'abcdefghij', hash: 'b'.repeat(64), name: 'Home Assistant', scopes: ['read', 'queue'], userId: null, days: 365 },
    by,
    from,
  );
  return web;
}

async function signIn(page: Page, web: Guarded, name = 'ada'): Promise<void> {
  await page.goto(`${web.url}/sign-in`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${web.url}/`);
}

async function look(page: Page, name: string): Promise<void> {
  assert.deepEqual(await accessibilityProblems(page), [], name);
  const found = await overflow(page);
  assert.ok(found.pixels <= 0, `${name}: ${found.pixels} pixels too wide: ${found.elements.join(', ')}`);
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

describe('the door', () => {
  for (const [theme, width] of [
    ['light', 1440],
    ['dark', 390],
  ] as const)
    test(`nothing for axe to say, nothing sticks out, ${theme}, ${width} pixels wide`, async (t) => {
      const web = await serve(t, false);
      const page = await house.browser.open(t, { theme, width, height: width < 500 ? 844 : 900, allow: /status of (503|401|403|422)/ });
      const shot = (name: string): Promise<void> => look(page, `${name}-${theme}-${width}`);
      await page.goto(web.url);
      await shot('closed');
      await page.goto(`${web.url}/setup`);
      await shot('token');
      // the link of the console: its token never reaches a server's log, and leaves the address at once
      await page.goto(`${web.url}/setup#token=${web.token.current()}`);
      await page.reload();
      await page.getByRole('heading', { name: 'Who may open CodecShift?' }).waitFor();
      assert.ok(!page.url().includes(web.token.current()), page.url());
      await page.getByText('Without a sign-in').click();
      await shot('setup');
      await page.getByLabel('Name').fill('ada');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByLabel('The same once more').fill(PASSWORD);
      await page.getByRole('button', { name: 'Create the first admin' }).click();
      await page.waitForURL(`${web.url}/`);
      await waitLive(page);
      await shot('signed-in');
      await web.access.addUser(
        { name: 'kim', displayName: 'Kim <b>&amp;', role: 'viewer', password: await hashedPassword(), oneTime: true },
        by,
        from,
      );
      await web.access.addToken(
        { id: 'abcdefghij', hash: 'b'.repeat(64), name: 'Home Assistant', scopes: ['read', 'queue'], userId: null, days: 365 },
        by,
        from,
      );
      for (const path of ['account', 'people', 'api-tokens', 'audit', 'settings/access']) {
        assert.equal((await page.goto(`${web.url}/${path}`))?.status(), 200, path);
        await shot(path.replace('/', '-'));
      }
      await page.goto(`${web.url}/people`);
      await page.getByRole('link', { name: 'Kim' }).click();
      await page.waitForURL(/\/people\//);
      await shot('person');
      web.later(16 * 60_000);
      await page.goto(`${web.url}/people`);
      await page.waitForURL(/\/prove/);
      await shot('prove');
      await page.goto(`${web.url}/account`);
      await page.getByRole('button', { name: 'Sign out' }).first().click();
      await page.waitForURL(/signed-out/);
      await shot('signed-out');
      await page.goto(`${web.url}/queue`);
      await page.waitForURL(/sign-in/);
      await shot('sign-in');
      await page.getByLabel('Name').fill('kim');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.waitForURL(/account/);
      await shot('first-password');
      assert.equal((await readSetup(house.db))?.method, 'local');
      assert.deepEqual(web.complaints, []);
    });
});

describe('behind the door', () => {
  test('6: clicking through all pages breaks no content policy, and no policy allows anything unsafe', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    const policies = new Set<string>();
    page.on(
      'response',
      (answer) => void (answer.headers()['content-security-policy'] && policies.add(answer.headers()['content-security-policy']!)),
    );
    await signIn(page, web);
    for (const path of [
      '/',
      '/queue',
      '/library',
      '/nodes',
      '/sources',
      '/history',
      '/history/audit',
      '/files',
      '/settings/general',
      '/settings/clean-up',
      '/settings/access',
      '/account',
      '/people',
      '/api-tokens',
      '/audit',
    ])
      assert.equal((await page.goto(web.url + path))?.status(), 200, path);
    for (const policy of policies) assert.ok(!policy.includes('unsafe') && policy.includes("require-trusted-types-for 'script'"), policy);
    assert.equal(policies.size, 1);
  });

  test('5: a page on another port of the same host cannot use the cookies that it is sent', async (t) => {
    const web = await serve(t);
    const evil = createServer((_request, answer) => {
      answer
        .setHeader('content-type', 'text/html')
        .end(
          `<form method="post" action="${web.url}/pause"><input name="csrf" value="x"></form><script>document.forms[0].submit()</script>`,
        );
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => evil.once('listening', resolve));
    t.after(() => void (evil.close(), evil.closeAllConnections()));
    const page = await house.browser.open(t, { allow: /status of 403/ });
    await signIn(page, web);
    const sent = page.waitForRequest((request) => request.url() === `${web.url}/pause`);
    await page.goto(`http://localhost:${(evil.address() as AddressInfo).port}/`);
    assert.match((await (await sent).allHeaders())['cookie'] ?? '', /cs_session_/, 'the browser does send them: ports are no border');
    await page.getByRole('heading', { name: 'This came from somewhere else', level: 1 }).waitFor();
    assert.deepEqual(web.asked, []);
  });

  test('somebody who only looks finds nothing to press, also in what comes by the stream', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { allow: /status of 403/ });
    await signIn(page, web, 'ben');
    for (const path of [
      '/',
      '/queue',
      '/library',
      '/nodes',
      '/settings/general',
      `/jobs/${house.sample.waiting[0]}`,
      `/library/${house.sample.libraries.films}`,
    ]) {
      await page.goto(web.url + path);
      const forms = await page.locator('form[method=post]').evaluateAll((list) => list.map((form) => form.getAttribute('action')));
      assert.deepEqual(
        [...new Set(forms)].filter((action) => !/^\/(theme|sign-out)$/.test(action ?? '')),
        [],
        path,
      );
      await look(page, `viewer${path.replaceAll('/', '-')}`);
    }
    await page.goto(`${web.url}/queue`);
    await waitLive(page);
    web.settings['queue.paused'] = true;
    web.events.emit('settings.changed', { keys: ['queue.paused'] });
    await page.locator('#banner .notice').waitFor();
    assert.equal(await page.locator('#banner form').count(), 0);
  });

  test('10: an open page is led to the sign-in when its session is ended elsewhere', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { allow: /status (of )?401/ });
    await signIn(page, web);
    await page.goto(`${web.url}/queue`);
    await waitLive(page);
    const { id } = (await house.db.query<{ id: number }>(`select id from users where name = 'ada'`))[0]!;
    await web.access.endSessions(id, null, by, from);
    await page.waitForURL(/\/sign-in\?back=%2Fqueue/);
  });
});
