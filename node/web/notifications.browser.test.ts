/// <reference lib="dom" />
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { openSecretKey } from '../assembly/secret-key.ts';
import { effectiveSettings } from '../config/load.ts';
import { noticeCommands, type NoticeCommands } from '../coordinator/notice-commands.ts';
import { clusterKeyOf } from '../coordinator/members.ts';
import { createNotifier } from '../coordinator/notifier.ts';
import { createSecrets } from '../coordinator/secrets.ts';
import { createSenders } from '../notices/senders.ts';
import { createOutgoing } from '../outgoing.ts';
import { accessibilityProblems, overflow, waitLive } from '../testing/browser.ts';
import { quietLog, temporaryDirectory } from '../testing/database.ts';
import { httpReceiver, type HttpReceiver } from '../testing/receivers.ts';
import { webSuite } from '../testing/web-suite.ts';
import { startWeb, type TestWeb } from '../testing/web.ts';

// Settings › Notifications in a real browser, with the real commands behind it and a receiver that answers like ntfy.

const house = webSuite({ fill: (leader) => clusterKeyOf(leader, 'Home') });
const SECRET = 'tk_that_no_page_may_show';
const path = '/settings/notifications';

interface Stage {
  web: TestWeb;
  ntfy: HttpReceiver;
  /** as the API is asked, by a program on this machine */
  ask(path: string, body?: object): Promise<Asked>;
}

interface Asked {
  id: number;
  ok: boolean;
  items: { id: number; state: string; title: string }[];
}

async function stage(t: TestContext): Promise<Stage> {
  await house.leader.query(`delete from notification_targets`);
  const ntfy = await httpReceiver(t, { status: 200, body: { id: 'a1' } });
  let commands: NoticeCommands;
  const answer = (name: string, args: unknown[]): unknown =>
    name in commands ? (commands[name as keyof NoticeCommands] as (...a: unknown[]) => unknown)(...args) : undefined;
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db: house.db, answer });
  Object.assign(web.settings, effectiveSettings(new Map(), {}));
  const key = await openSecretKey({ dataDir: temporaryDirectory(t), file: null, log: quietLog() });
  await house.leader.query(`update cluster set secret_id = null`);
  const secrets = createSecrets({ db: house.leader, self: 'a', key });
  const notifier = createNotifier({
    db: house.leader,
    secrets,
    senders: createSenders({ outgoing: createOutgoing({ ownPorts: () => [] }) }),
    settings: () => effectiveSettings(new Map(), {}),
    events: web.events,
    log: quietLog(),
    onStale: () => assert.fail('nobody else leads'),
  });
  t.after(() => notifier.stop());
  commands = noticeCommands({ db: house.leader, events: web.events, outside: { secrets, notifier } });
  const ask = async (at: string, body?: object): Promise<Asked> => {
    const headers = { authorization: 'Bearer a-secret-of-this-test', 'content-type': 'application/json' };
    const sent = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await fetch(`${web.url}/api/v1/notifications${at}`, sent);
    assert.ok(response.ok, `${at}: ${response.status}`);
    return (await response.json()) as Asked;
  };
  return { web, ntfy, ask };
}

describe('notifications', () => {
  test('without JavaScript: a place is added, tested and changed; its token is never shown and never goes to another server', async (t) => {
    const { web, ntfy } = await stage(t);
    const page = await house.browser.open(t, { javaScript: false, allow: /status of 422/ });
    await page.goto(web.url + path);
    await page.getByRole('link', { name: 'ntfy' }).click();
    await page.getByLabel('Server', { exact: true }).fill(ntfy.url);
    await page.getByLabel('Name here').fill('Pho<b>ne');
    await page.getByLabel('Access token if needed').fill(SECRET);
    await page.getByRole('button', { name: 'Add it' }).click();
    assert.match(await page.locator('.summary').innerText(), /Topic is missing\./);
    assert.ok(!(await page.content()).includes(SECRET));
    await page.getByLabel('Topic').fill('films');
    await page.getByLabel('Access token if needed').fill(SECRET);
    await page.getByLabel('The queue is done').check();
    await page.getByLabel('From', { exact: true }).fill('22:00');
    await page.getByLabel('To', { exact: true }).fill('07:00');
    await page.getByRole('button', { name: 'Add it' }).click();
    await page.waitForURL(web.url + path);
    assert.match(
      await page.locator('#notice-targets').innerText(),
      /Pho<b>ne[\s\S]*nothing was sent yet[\s\S]*hears of 9 kinds of events out of 13; quiet from 22:00 to 07:00/,
    );

    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.waitForURL(web.url + path);
    assert.match(await page.locator('#toasts').innerText(), /The test got through to Pho<b>ne\. ntfy took it \(status 200\)\./);
    assert.equal(ntfy.received[0]!.headers['authorization'], `Bearer ${SECRET}`);
    assert.match(await page.locator('#notice-log').innerText(), /This is a test from CodecShift\s*sent/);
    ntfy.replies = [{ status: 403 }];
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.waitForURL(web.url + path);
    assert.match(await page.locator('#toasts').innerText(), /did not get through to Pho<b>ne\. ntfy refused it \(status 403\)/);
    assert.match(await page.locator('#notice-targets').innerText(), /failing since/);

    const other = await httpReceiver(t, { status: 200, body: { id: 'b' } });
    await page.getByRole('link', { name: /Change/ }).click();
    assert.ok(!(await page.content()).includes(SECRET));
    assert.equal(await page.getByLabel('From', { exact: true }).inputValue(), '22:00');
    await page.getByLabel('Server', { exact: true }).fill(other.url);
    await page.getByRole('button', { name: 'Save' }).click();
    assert.match(await page.locator('.summary').innerText(), /Access token: enter it again/);
    await page.getByLabel('Forget it: Access token').check();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(web.url + path);
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.waitForURL(web.url + path);
    assert.equal(other.received[0]!.headers['authorization'], undefined);

    await page.getByRole('link', { name: /Change/ }).click();
    await page.getByRole('link', { name: 'Remove…' }).click();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.waitForURL(web.url + path);
    assert.match(await page.locator('#notice-targets').innerText(), /Nobody is told anything yet/);
    assert.deepEqual(web.complaints, []);
  });

  test('what somebody else changed meanwhile is not written over, and a kind or a place that is not there is a page that says so', async (t) => {
    const { web, ntfy } = await stage(t);
    const page = await house.browser.open(t, { allow: /status of (404|422)/ });
    await page.goto(`${web.url}${path}/add/ntfy`);
    await page.getByLabel('Server', { exact: true }).fill(ntfy.url);
    await page.getByLabel('Topic').fill('films');
    await page.getByRole('button', { name: 'Add it' }).click();
    await page.waitForURL(web.url + path);
    await page.getByRole('link', { name: /Change/ }).click();
    await house.leader.query(`update notification_targets set version = version + 1`);
    await page.getByRole('button', { name: 'Save' }).click();
    assert.match(await page.locator('.summary').innerText(), /Somebody else changed this place meanwhile/);
    for (const wrong of ['/add/pager', '/999', '/999999999999', '/x'])
      assert.equal((await page.goto(`${web.url}${path}${wrong}`))?.status(), 404, wrong);
  });

  for (const [theme, width] of [
    ['light', 1440],
    ['dark', 390],
  ] as const) {
    test(`nothing for axe to say, nothing sticks out, ${theme}, ${width} pixels wide`, async (t) => {
      const { web, ntfy, ask } = await stage(t);
      const wish = {
        kind: 'ntfy',
        fields: { server: ntfy.url, topic: 'films' },
        secrets: {},
        events: ['job.failed'],
        quiet: null,
        enabled: true,
      };
      const { id } = await ask('', { ...wish, name: 'x'.repeat(60) });
      await ask('', { ...wish, kind: 'discord', name: 'Film club', fields: {}, secrets: { url: `${ntfy.url}/api/webhooks/1/2` } });
      await ask(`/${id}/test`, {});
      ntfy.replies = [{ status: 500 }];
      await ask(`/${id}/test`, {});
      const page = await house.browser.open(t, { theme, width, height: width < 500 ? 844 : 900 });
      for (const at of [path, `${path}/add/email`, `${path}/${id}`]) {
        assert.equal((await page.goto(web.url + at))?.status(), 200, at);
        assert.deepEqual(await accessibilityProblems(page), [], at);
        const found = await overflow(page);
        assert.ok(found.pixels <= 0, `${at}: ${found.pixels} pixels too wide: ${found.elements.join(', ')}`);
      }
      assert.deepEqual(web.complaints, []);
    });
  }

  test('the list and the log change in place', async (t) => {
    const { web, ntfy, ask } = await stage(t);
    const { id } = await ask('', { kind: 'ntfy', name: 'Phone', fields: { server: ntfy.url, topic: 'films' }, events: ['job.failed'] });
    const page = await house.browser.open(t);
    await page.goto(web.url + path);
    await waitLive(page);
    assert.equal((await ask(`/${id}/test`, {})).ok, true);
    await page.locator('#notice-log', { hasText: 'This is a test from CodecShift' }).waitFor();
    await page.locator('#notice-targets', { hasText: 'works, last told just now' }).waitFor();
    const { items } = await ask(`/log?target=${id}`);
    assert.deepEqual(
      items.map(({ state, title }) => [state, title]),
      [['sent', 'This is a test from CodecShift']],
    );
    await ask(`/log/${items[0]!.id}/again`, {});
    await ask(`/${id}/remove`, { confirm: true });
    assert.deepEqual((await ask('')).items, []);
  });
});
