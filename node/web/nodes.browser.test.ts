/// <reference lib="dom" />
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { effectiveSettings } from '../config/load.ts';
import { accessibilityProblems, overflow, pairForAll, waitLive } from '../testing/browser.ts';
import { fillNodeSample } from '../testing/node-sample.ts';
import { webSuite } from '../testing/web-suite.ts';
import { startWeb, type TestWeb } from '../testing/web.ts';

// A house of machines in a real browser. Approving and putting off change the rows as the coordinator would.

const house = webSuite({ fill: fillNodeSample });

async function serve(t: TestContext): Promise<TestWeb> {
  const web = await startWeb(
    { after: (fn) => t.after(fn) },
    {
      db: house.db,
      answer: async (name, [id]) => {
        if (name === 'createJoinToken') return { id: 'x', token: 'cs-the-only-time' };
        if (name !== 'approveNode') return undefined;
        await house.leader.query(`update nodes set standing = 'approved', code = null where id = $1`, [id]);
        web.events.emit('node.changed', { nodeId: String(id) });
        return undefined;
      },
    },
  );
  Object.assign(web.settings, effectiveSettings(new Map(), {}));
  t.after(async () => {
    await house.leader.query(`update nodes set standing = 'pending', code = '4F29KQ' where id = $1`, [house.more.basement]);
  });
  return web;
}

const own = (): string[] => ['/nodes', `/nodes/${house.more.tower}`];
const others = (): string[] => [
  `/nodes/${house.more.tower}/remove`,
  '/',
  `/library/${house.sample.libraries.films}`,
  `/jobs/${house.sample.waiting[0]}`,
];

describe('accessibility and layout', () => {
  test('what leads from the Overview to a machine that asks is one word on one line, however long its hardware is called', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    const lines = await page
      .locator('.knock')
      .first()
      .evaluate((asking) => {
        asking.querySelector('.why bdi')!.textContent = 'Intel Xeon Processor E5-2690 of a server';
        const words = document.createTreeWalker(asking, NodeFilter.SHOW_TEXT);
        while (words.nextNode() && !words.currentNode.textContent?.includes('Review'));
        const range = document.createRange();
        range.selectNodeContents(words.currentNode);
        return new Set([...range.getClientRects()].filter((box) => box.width > 1).map((box) => Math.round(box.top))).size;
      });
    assert.equal(lines, 1);
  });

  for (const theme of ['light', 'dark'] as const) {
    for (const width of [1440, 390]) {
      test(`nothing for axe to say, nothing sticks out, ${theme}, ${width} pixels wide`, { skip: pairForAll(theme, width) }, async (t) => {
        const web = await serve(t);
        const page = await house.browser.open(t, { theme, width, height: width < 500 ? 844 : 900 });
        for (const path of theme === 'light' ? [...own(), ...(width === 390 ? others() : [])] : own()) {
          assert.equal((await page.goto(web.url + path))?.status(), 200, path);
          await page.locator('details').evaluateAll((list) => list.forEach((each) => each.setAttribute('open', '')));
          assert.deepEqual(await accessibilityProblems(page), [], path);
          const found = await overflow(page);
          assert.ok(found.pixels <= 0, `${path}: ${found.pixels} pixels too wide: ${found.elements.join(', ')}`);
        }
        assert.deepEqual(web.complaints, []);
      });
    }
  }

  test('nothing sticks out between 320 and 2560 pixels, whatever a machine is called', async (t) => {
    const evil = `"><img src=x onerror=alert(1)>${'x'.repeat(33)}`;
    await house.leader.query(`update nodes set name = $2, hardware = $3 where id = $1`, [
      house.more.nuc,
      evil,
      JSON.stringify({ gpu: evil, cpu: 'y'.repeat(300) }),
    ]);
    await house.leader.query(`update node_roots set path = $2 where node_id = $1`, [house.more.nuc, `/mnt/${'z'.repeat(400)}/${evil}`]);
    t.after(async () => {
      await house.leader.query(`update nodes set name = 'nuc' where id = $1`, [house.more.nuc]);
    });
    const web = await serve(t);
    const page = await house.browser.open(t);
    for (const path of ['/nodes', `/nodes/${house.more.nuc}`, `/library/${house.sample.libraries.films}`]) {
      await page.goto(web.url + path);
      assert.equal(await page.locator('main img').count(), 0, path);
      for (const width of [320, 759, 1100, 2560]) {
        await page.setViewportSize({ width, height: 800 });
        const found = await overflow(page);
        assert.ok(found.pixels <= 0, `${path} at ${width}: ${found.pixels} pixels too wide: ${found.elements.join(', ')}`);
      }
    }
  });
});

describe('a machine that asks', () => {
  test('is approved without JavaScript', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { javaScript: false });
    await page.goto(`${web.url}/`);
    await page.getByRole('link', { name: /basement wants to join/ }).click();
    const card = page.locator('#ask-node-basement');
    assert.match(await card.innerText(), /4F2 9KQ/);
    await card.getByRole('button', { name: 'Approve' }).click();
    await page.waitForURL(`${web.url}/nodes`);
    assert.match(await page.locator('#toasts').innerText(), /basement is a member now/);
    assert.equal(await card.count(), 0);
    assert.equal(await page.locator('#node-node-basement').count(), 1);
    assert.deepEqual(
      web.asked.map((a) => a.name),
      ['approveNode'],
    );
  });

  test('becomes a member in place, and the badge beside Nodes goes, while what is typed beside it stays', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/nodes`);
    await waitLive(page);
    assert.match(await page.locator('#nav-asking').innerText(), /^1/);
    await page.getByLabel('Label').fill('Attic');
    await page.locator('#ask-node-basement').getByRole('button', { name: 'Approve' }).click();
    await page.locator('#node-node-basement').waitFor();
    await page.waitForFunction(() => document.getElementById('nav-asking')?.textContent?.trim() === '');
    assert.equal(await page.locator('#ask-node-basement').count(), 0);
    assert.equal(await page.getByLabel('Label').inputValue(), 'Attic');
  });

  test('is rejected only after a question', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/nodes`);
    await page.locator('#ask-node-basement').getByRole('button', { name: 'Reject' }).click();
    await page.locator('#confirm').getByRole('button', { name: 'Back' }).click();
    assert.deepEqual(web.asked, []);
    await page.locator('#ask-node-basement').getByRole('button', { name: 'Reject' }).click();
    await page.locator('#confirm-yes').click();
    await page.locator('.toast').waitFor();
    assert.deepEqual(
      web.asked.map(({ name, args }) => [name, args]),
      [['declineNode', [house.more.basement, 'reject']]],
    );
  });

  test('a token is shown once and is gone when the page is loaded again', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/nodes`);
    await page.getByRole('button', { name: 'Make a token' }).click();
    assert.equal(await page.locator('#token-command').innerText(), 'npm start -- --join cs-the-only-time');
    await page.goto(`${web.url}/nodes/tokens`);
    assert.equal(new URL(page.url()).pathname, '/nodes');
    assert.equal(await page.locator('#token-command').count(), 0);
  });
});

test('hours are chosen with the keyboard and saved as one wish', async (t) => {
  const web = await serve(t);
  const page = await house.browser.open(t);
  await page.goto(`${web.url}/nodes/${house.more.tower}`);
  await page.getByRole('checkbox', { name: 'Monday' }).focus();
  await page.keyboard.press('Space');
  await page.getByLabel('from', { exact: true }).fill('22:00');
  await page.getByLabel('to', { exact: true }).fill('07:00');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.toast').waitFor();
  const [node, wish] = web.asked[0]!.args as [string, Record<string, unknown>];
  assert.equal(node, house.more.tower);
  const { manners: _, ...rest } = wish; // what else the form shows goes with it; tested in pages/nodes.test.ts
  assert.deepEqual(rest, { slots: 3, mbps: 400, schedule: [{ days: [1], from: '22:00', to: '07:00' }] });
});
