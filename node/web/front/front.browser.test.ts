import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { Sighting, Standing } from '../../core/standing.ts';
import { accessibilityProblems, launchBrowser, overflow, waitLive, type TestBrowser } from '../../testing/browser.ts';
import { member, serveTunnel, sightingOf, startFront, type FrontKnowledge } from '../../testing/front.ts';
import { emptyBooks, webParts } from '../../testing/web.ts';
import { createApp } from '../server.ts';

/* oxlint-disable typescript/no-explicit-any -- functions handed to a page run in the browser; the DOM's types are no part of this project */
declare const document: any;
declare const htmx: any;

// What a person sees at a machine whose cluster is not there yet, or not there any more. Nothing is pressed, nothing loaded again.

const atlas = { node: 'node-atlas', name: 'atlas' };
const home = { id: 'cluster-home', name: 'Home' };
const attic = { id: 'cluster-attic', name: 'Attic', established: true, nodes: 3 };
const pending: Standing = { state: 'pending', cluster: home, code: 'K7P2QX', sinceMs: Date.now() };
const longName = 'a-machine-with-a-name-that-somebody-made-very-long-indeed-0123456789';
/** a 503 is what these pages are; the browser notes it in its console */
const allow = /503|ERR_/;

const atlasSeen = {
  node: '12D3KooWAbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefgh',
  name: 'atlas',
  addresses: ['/ip4/192.168.1.20/tcp/7331/p2p/12D3KooWAbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefgh', '/ip6/fd00::20/tcp/7331'],
};
const sighting = (more: Partial<Sighting>): Sighting => sightingOf({ ...atlasSeen, ...more });

const surroundings: FrontKnowledge['surroundings'] = {
  listening: [
    { what: 'mesh', addresses: ['192.168.1.10:7331', '[fd00::10]:7331'] },
    { what: 'lobby', addresses: ['192.168.1.10:7332'] },
    { what: 'data', addresses: ['192.168.1.10:7333'] },
  ],
  interfaces: [
    { name: 'enp4s0', address: '192.168.1.10', multicast: 'ok', problem: null },
    { name: 'docker0', address: '172.17.0.1', multicast: 'failed', problem: 'the system refused to join the multicast group' },
  ],
  sightings: [
    sighting({}),
    sighting({
      name: 'macmini',
      state: 'clock',
      clockMs: 240_000,
      says: 'Its clock is 4 minutes ahead of this one. Set it right; then it is let in by itself.',
    }),
    sighting({
      name: longName,
      state: 'unreachable',
      by: 'peer',
      says: 'Nothing answers at 192.168.7.4:7331. Is it on, and does its firewall let this port through?',
      latencyMs: null,
      clockMs: null,
      version: null,
    }),
    sighting({
      name: 'nas',
      state: 'other-cluster',
      cluster: attic,
      says: 'It belongs to Attic, another cluster. Clusters never mix by themselves.',
    }),
  ],
};
/** a folder to look at the pages with one's own eyes */
const shots = process.env['CODECSHIFT_SHOTS'];
const neighbours = [{ node: 'node-nas', name: 'nas', cluster: attic }];

let browser: TestBrowser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser.close());

async function cluster(t: TestContext) {
  const made = webParts({ db: emptyBooks });
  const app = await createApp(made.parts);
  t.after(() => app.stop());
  const { tunnel } = await serveTunnel(t, () => app.fetch);
  return { ...made, app, tunnel };
}

describe('by itself', () => {
  test('the page with the code turns into the dashboard when the machine is approved', async (t) => {
    const { tunnel } = await cluster(t);
    const page = await browser.open(t, { allow });
    const tower = await startFront(t, 'tower', { standing: pending, neighbours });
    await page.goto(`${tower.url}/queue?state=failed`);
    await waitLive(page);
    assert.equal((await page.locator('.join-code').innerText()).replace(/\s/g, ''), 'K7P2QX');
    tower.knows.standing = member(null);
    tower.changed();
    await page.getByText('Nobody coordinates Home right now').waitFor();
    Object.assign(tower.knows, { standing: member(atlas), tunnel });
    tower.changed();
    await page.getByRole('heading', { name: 'Queue', level: 1 }).waitFor();
    await waitLive(page);
    assert.equal(page.url(), `${tower.url}/queue?state=failed`);
  });

  test('a page that is open says that the coordinator went away, keeps what was typed, and is live again', async (t) => {
    const { tunnel, settings, events } = await cluster(t);
    const tower = await startFront(t, 'tower', { standing: member(atlas), tunnel });
    const page = await browser.open(t, { allow });
    await page.goto(tower.url);
    await waitLive(page);
    await page.getByLabel('Folder').fill('/srv/films');
    Object.assign(tower.knows, { standing: member(null), tunnel: null });
    tower.changed();
    await page.locator('#banner').getByText('Nobody coordinates Home right now').waitFor();
    await page.waitForFunction(() => document.documentElement.dataset['live'] === 'away');
    assert.equal(await page.locator('#pill').innerText(), 'No coordinator');
    if (shots) await page.screenshot({ path: `${shots}/dashboard-away.png` });
    assert.deepEqual(await accessibilityProblems(page), []);
    Object.assign(tower.knows, { standing: member(atlas), tunnel });
    tower.changed();
    await waitLive(page);
    await page.waitForFunction(() => document.getElementById('banner').textContent.trim() === '');
    assert.equal(await page.getByLabel('Folder').inputValue(), '/srv/films');
    settings['queue.paused'] = true;
    events.emit('settings.changed', { keys: ['queue.paused'] });
    await page.locator('#banner').getByText('Paused').waitFor();
  });

  test('a button pressed in between says in a sentence that nothing was changed', async (t) => {
    const { tunnel, asked } = await cluster(t);
    const tower = await startFront(t, 'tower', { standing: member(atlas), tunnel });
    const page = await browser.open(t, { allow });
    await page.goto(tower.url);
    await waitLive(page);
    Object.assign(tower.knows, { standing: member(null), tunnel: null });
    tower.changed();
    await page.waitForFunction(() => document.documentElement.dataset['live'] === 'away');
    // a button as the queue has them; without films no page shows one
    await page.evaluate(() => {
      const button = document.querySelector('.welcome').appendChild(document.createElement('button'));
      button.id = 'pause-all';
      button.setAttribute('hx-post', '/pause');
      button.setAttribute('hx-swap', 'none');
      htmx.process(button);
    });
    await page.locator('#pause-all').click();
    await page.locator('#toasts').getByText('Nothing was changed').waitFor();
    await page.getByLabel('Folder').fill('/srv/films');
    await page.getByRole('button', { name: 'Add this folder' }).click();
    await page.getByRole('alert').getByText('Nothing was changed').waitFor();
    Object.assign(tower.knows, { standing: member(atlas), tunnel });
    tower.changed();
    await page.getByRole('link', { name: 'Back to the page' }).click();
    await waitLive(page);
    assert.deepEqual(asked, []);
  });

  test('a machine that is noticed appears in the list while an address is being typed', async (t) => {
    const tower = await startFront(t, 'tower', { standing: member({ node: 'node-tower', name: 'tower' }) });
    const page = await browser.open(t);
    await page.goto(`${tower.url}/node`);
    await waitLive(page);
    await page.getByLabel('Address of a machine').fill('192.168.1.');
    tower.knows.surroundings = surroundings;
    await page.getByText('Its clock is 4 minutes ahead').waitFor();
    assert.equal(await page.getByLabel('Address of a machine').inputValue(), '192.168.1.');
  });
});

describe('for everybody', () => {
  test('leaving a cluster works with the keyboard and without JavaScript', async (t) => {
    const tower = await startFront(t, 'tower', { standing: member({ node: 'node-tower', name: 'tower' }, 'embedded'), neighbours });
    const page = await browser.open(t, { javaScript: false });
    await page.goto(`${tower.url}/node`);
    await page.getByRole('link', { name: 'Leave this cluster and join Attic' }).focus();
    await page.keyboard.press('Enter');
    await page.getByLabel('Type the name of the cluster that it leaves, Home').focus();
    await page.keyboard.type('Home');
    await page.keyboard.press('Enter');
    await page.getByText('This machine asks to join Attic.').waitFor();
    assert.deepEqual(tower.asked, [['leaveAndJoin', 'cluster-attic']]);
  });

  test('a page that waits finds its way without JavaScript too', async (t) => {
    const { tunnel } = await cluster(t);
    const tower = await startFront(t, 'tower', { standing: pending });
    const page = await browser.open(t, { javaScript: false, allow });
    await page.goto(`${tower.url}/queue`);
    await page.getByText('Waiting to be let into Home').waitFor();
    Object.assign(tower.knows, { standing: member(atlas), tunnel });
    await page.getByRole('heading', { name: 'Queue', level: 1 }).waitFor();
  });

  const views: [string, Partial<FrontKnowledge>, string][] = [
    ['pending', { standing: pending, neighbours }, '/'],
    ['rejected', { standing: { state: 'rejected', cluster: home, why: 'Somebody at atlas said no to this machine.' }, neighbours }, '/'],
    ['machine', { standing: member({ node: 'node-tower', name: 'tower' }, 'embedded'), surroundings, neighbours }, '/node'],
    ['leave', { standing: member({ node: 'node-tower', name: 'tower' }, 'embedded'), neighbours }, '/node/leave?cluster=cluster-attic'],
  ];
  for (const theme of ['light', 'dark'] as const) {
    test(`nothing for axe to say, and nothing sticks out, ${theme}`, async (t) => {
      const page = await browser.open(t, { theme, allow });
      for (const [name, knows, path] of views) {
        const tower = await startFront(t, 'tower', knows);
        await page.setViewportSize({ width: 1440, height: 900 });
        await page.goto(tower.url + path);
        assert.deepEqual(await accessibilityProblems(page), [], name);
        for (const width of theme === 'light' || shots ? [1440, 390, 320] : []) {
          await page.setViewportSize({ width, height: width < 500 ? 844 : 900 });
          const found = await overflow(page);
          assert.ok(found.pixels <= 0, `${name} at ${width}: ${found.pixels} pixels too wide: ${found.elements.join(', ')}`);
          if (shots) await page.screenshot({ path: `${shots}/front-${name}-${theme}-${width}.png`, fullPage: true });
        }
      }
    });
  }
});
