import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { userByIdentity } from '../../db/users.ts';
import { createOutgoing } from '../../outgoing.ts';
import { accessibilityProblems, overflow } from '../../testing/browser.ts';
import { emptyHouse, startGuarded, type Guarded } from '../../testing/guarded.ts';
import { startProvider, type TestProvider } from '../../testing/oidc-provider.ts';
import { webSuite } from '../../testing/web-suite.ts';

// A whole sign-in and sign-out through a real provider in a real browser, under our own content policy, on a name that is not loopback
// to the browser's cookies. What is refused and why is in provider.test.ts.

const cleanups: (() => Promise<void> | void)[] = [];
const t = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
let web: Guarded;
let provider: TestProvider;
const house = webSuite({
  async fill(leader) {
    await emptyHouse(leader);
    await leader.query(`insert into access_setup (method, decided_by) values ('local', 'test')`);
    web = await startGuarded(t, { db: house.db, leader }, undefined, { outgoing: createOutgoing({ ownPorts: () => [] }) });
    const here = `http://localhost:${web.port}`;
    provider = await startProvider(
      { after: (fn) => t.after(fn) },
      { redirectUris: [`${here}/sign-in/oidc/callback`], logoutUris: [`${here}/signed-out`] },
    );
    provider.people.set('ann', { name: 'Ann B.', preferred_username: 'ann', groups: ['media-admins'] });
    Object.assign(web.settings, {
      'web.url': here,
      'oidc.label': 'Home',
      'oidc.issuer': provider.issuer,
      'oidc.clientId': provider.client.id,
      'oidc.allowHttp': true,
      'oidc.scopes': 'openid profile email groups',
      'oidc.adminGroups': 'media-admins',
    });
  },
});
after(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
});

test('an admin enters the provider, tries it, and somebody signs in and out through it', async (context) => {
  const root = await web.signedIn('admin', 'root');
  const page = await house.browser.open(context, { allow: /favicon/ });
  const here = `http://localhost:${web.port}`;
  await page.context().addCookies([...root.cookies].map(([name, value]) => ({ name, value, url: here })));
  await page.goto(`${here}/settings/provider`);
  await page.getByText(`${here}/sign-in/oidc/callback`).waitFor();
  assert.deepEqual(await accessibilityProblems(page), []);
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: 900 });
    const found = await overflow(page);
    assert.ok(found.pixels <= 0, `at ${width}: ${found.elements.join(', ')}`);
  }
  await page.getByLabel('Client secret of this program at the provider').fill(provider.client.secret);
  await page.getByRole('button', { name: 'Keep' }).click();
  await page.getByText('It is never shown again').waitFor();
  await page.getByRole('button', { name: 'Make a trial sign-in' }).click();
  await page.getByRole('link', { name: 'Go on' }).click();
  await page.getByLabel('Account').fill('ann');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('Would be let in as an admin').waitFor();
  assert.equal(await userByIdentity(house.db, provider.issuer, 'ann'), null);
  await page.goto(`${here}/settings/proxy`);
  await page.getByText('How this page came to you').waitFor();
  assert.deepEqual(await accessibilityProblems(page), []);

  web.settings['oidc.enabled'] = true;
  const ann = await house.browser.open(context, { allow: /favicon/ });
  await ann.goto(`${here}/queue`);
  await ann.getByRole('link', { name: 'Sign in with Home' }).click();
  await ann.getByLabel('Account').fill('ann');
  await ann.getByRole('button', { name: 'Sign in' }).click();
  await ann.getByRole('button', { name: 'Allow' }).click();
  await ann.getByRole('heading', { name: 'Queue', level: 1 }).waitFor();
  await ann.goto(`${here}/account`);
  await ann.getByRole('button', { name: 'Sign out', exact: true }).first().click();
  await ann.getByRole('link', { name: 'Sign out at the provider too' }).click();
  await ann.getByRole('button', { name: 'Yes, sign out' }).click();
  await ann.waitForURL(`${here}/signed-out*`);
  await ann.goto(`${here}/queue`);
  await ann.getByRole('heading', { name: 'Sign in', exact: true }).first().waitFor();
  // the provider has forgotten her too: it asks for the account again
  await ann.getByRole('link', { name: 'Sign in with Home' }).click();
  await ann.getByLabel('Account').waitFor();
});
