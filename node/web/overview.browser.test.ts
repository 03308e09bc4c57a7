import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accessibilityProblems, overflow, pairForAll, type TestBrowser, waitLive } from '../testing/browser.ts';
import { freshDatabase, havePostgres } from '../testing/database.ts';
import { freePorts } from '../testing/free-ports.ts';
import { sampleProgress } from '../testing/sample.ts';
import { webSuite } from '../testing/web-suite.ts';
import { startWeb, type TestWeb } from '../testing/web.ts';

/* oxlint-disable typescript/no-explicit-any -- functions handed to a page run in the browser; the DOM's types are no part of this project */
declare const document: any;
declare const window: any;

// The Overview in a real browser, on the real server and a real database. Only commands and encodes are played.

const house = webSuite();

type T = Parameters<TestBrowser['open']>[0];
const serve = (t: T, answer?: (name: string, args: unknown[]) => unknown, port = 0): Promise<TestWeb> =>
  startWeb({ after: (fn) => t.after(fn) }, { db: house.db, port, ...(answer ? { answer } : {}) });

describe('accessibility and layout', () => {
  for (const theme of ['light', 'dark'] as const) {
    for (const width of [1440, 390]) {
      test(`nothing for axe to say, ${theme}, ${width} pixels wide`, { skip: pairForAll(theme, width) }, async (t) => {
        const web = await serve(t);
        const page = await house.browser.open(t, { theme, width, height: width < 500 ? 844 : 900, allow: /404/ });
        for (const path of ['/', '/nodes', '/no-such-page']) {
          await page.goto(web.url + path);
          if (path !== '/no-such-page') await waitLive(page);
          assert.deepEqual(await accessibilityProblems(page), [], path);
        }
      });
    }
  }

  test('nothing sticks out between 320 and 2560 pixels', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { allow: /404/ });
    for (const path of ['/', '/nodes', '/no-such-page']) {
      await page.goto(web.url + path);
      for (const width of [320, 390, 560, 759, 760, 900, 1099, 1100, 1440, 2560]) {
        await page.setViewportSize({ width, height: 800 });
        const found = await overflow(page);
        assert.ok(found.pixels <= 0, `${path} at ${width}: ${found.pixels} pixels too wide: ${found.elements.join(', ')}`);
      }
    }
  });
});

describe('live', () => {
  test('numbers of running jobs arrive without loading the page, and the row stays the same element', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    await waitLive(page);
    const job = house.sample.running[0]!;
    await page.evaluate((id: string) => (document.getElementById(id).mine = true), `job-${job}`);
    sampleProgress(web.events, house.sample);
    await page.waitForFunction((id: string) => document.getElementById(id)?.textContent?.includes('63.4'), `job-${job}-now`);
    assert.match(await page.locator(`#job-${job}-rate`).innerText(), /148\sfps · 6\.2×/);
    assert.equal(await page.locator(`#job-${job}-bar [role=progressbar]`).getAttribute('aria-valuenow'), '63');
    assert.ok(
      await page.evaluate((id: string) => document.getElementById(id).mine, `job-${job}`),
      'the row was replaced instead of morphed',
    );
    assert.match(await page.locator('#together').innerText(), /681\sfps together/);
  });

  test('an open menu and the focus in it survive new numbers and a whole new list', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    await waitLive(page);
    const row = page.locator(`#job-${house.sample.running[1]!}`);
    await row.locator('summary').click();
    await row.getByRole('button', { name: 'Pause' }).focus();
    sampleProgress(web.events, house.sample);
    await page.waitForFunction(
      (id: string) => document.getElementById(id)?.textContent?.includes('28.1'),
      `job-${house.sample.running[1]!}-now`,
    );
    await house.leader.query(`update jobs set paused = true where id = $1`, [house.sample.running[0]!]);
    web.events.emit('job.changed', { jobId: house.sample.running[0]!, fileId: null, libraryId: null });
    await page.waitForFunction(
      (id: string) => document.getElementById(id)?.textContent?.includes('Paused'),
      `job-${house.sample.running[0]!}-now`,
    );
    assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), 'Pause');
    assert.ok(await row.locator('details').evaluate((d) => (d as unknown as { open: boolean }).open));
    await house.leader.query(`update jobs set paused = false where id = $1`, [house.sample.running[0]!]);
  });

  test('the words in the search field stay while the page changes around them', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    await waitLive(page);
    await page.keyboard.press('/');
    await page.keyboard.type('metro');
    web.events.emit('settings.changed', { keys: ['queue.paused'] });
    web.settings['queue.paused'] = true;
    await page.locator('#banner').getByText('Paused').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.value), 'metro');
  });

  test('the page says that it lost the server, and is live again after it restarted', async (t) => {
    const web = await serve(t, undefined, await freePorts(1));
    const page = await house.browser.open(t, { allow: /ERR_|Failed to load/ });
    await page.goto(web.url);
    await waitLive(page);
    await web.stop();
    await page.waitForFunction(() => document.documentElement.dataset['live'] === 'retry');
    assert.equal(await page.locator('#pill').innerText(), 'Reconnecting');
    await house.leader.query(`update media_files set title = 'The General, restored' where title = 'The General'`);
    await web.start();
    await waitLive(page);
    await page.getByText('The General, restored').waitFor();
    await house.leader.query(`update media_files set title = 'The General' where title = 'The General, restored'`);
  });

  test('a page that was made by an older version loads itself again', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    let loads = 0;
    await page.route(`${web.url}/`, async (route) => {
      const answer = await route.fetch().catch(() => null);
      if (!answer) return route.abort();
      const body = await answer.text();
      await route.fulfill({ response: answer, body: loads++ === 0 ? body.replace(/data-build="\w+"/, 'data-build="older"') : body });
    });
    await page.goto(`${web.url}/`);
    await page.waitForFunction(
      () => document.querySelector('#live')?.dataset.build !== 'older' && document.documentElement.dataset['live'] === 'live',
    );
    assert.equal(loads, 2);
  });

  test('a first connect that fails is tried again', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { allow: /503/ });
    let refused = 0;
    await page.route('**/events?**', (route) => (refused++ < 2 ? route.fulfill({ status: 503, body: 'no' }) : route.continue()));
    await page.goto(web.url);
    await waitLive(page);
    assert.ok(refused >= 3);
  });
});

describe('actions', () => {
  test('pause all shows the banner, changes the button, and resume undoes it, without loading the page', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    await waitLive(page);
    await page.evaluate(() => (window.mine = true));
    await page.locator('#run-actions').getByRole('button', { name: 'Pause all' }).click();
    await page.locator('#toasts').getByText('Paused. Running jobs finish, no new one begins.').waitFor();
    await page.locator('#banner').getByText('Paused').waitFor();
    await page.locator('#run-actions').getByRole('button', { name: 'Resume' }).click();
    await page.waitForFunction(() => document.querySelector('#banner')?.textContent?.trim() === '');
    assert.deepEqual(
      web.asked.map((a) => a.name),
      ['pauseAll', 'resumeAll'],
    );
    assert.deepEqual(web.asked[0]!.by, { name: 'the dashboard', via: 'page' });
    assert.ok(await page.evaluate(() => window.mine));
  });

  test('a button that arrived through the stream carries the form token of this visitor', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    await waitLive(page);
    web.settings['queue.paused'] = true;
    web.events.emit('settings.changed', { keys: ['queue.paused'] });
    await page.locator('#banner').getByRole('button', { name: 'Resume' }).click();
    await page.locator('#toasts').getByText('Going on.').waitFor();
    assert.equal(web.asked[0]?.name, 'resumeAll');
  });

  test('without JavaScript the same buttons work, and the page says what happened', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { javaScript: false });
    await page.goto(`${web.url}/nodes`);
    await page.getByRole('button', { name: 'Pause all' }).click();
    await page.waitForLoadState();
    assert.equal(new URL(page.url()).pathname, '/nodes', 'back to where the person was');
    await page.locator('#toasts').getByText('Paused. Running jobs finish').waitFor();
    await page.goto(`${web.url}/nodes`);
    assert.equal(await page.locator('#toasts .toast').count(), 0, 'the sentence is shown once');
    await page.locator('#run-actions').getByRole('button', { name: 'Resume' }).click();
    assert.deepEqual(
      web.asked.map((a) => a.name),
      ['pauseAll', 'resumeAll'],
    );
  });

  test('what a command refuses is told in its own words', async (t) => {
    const { PlainError } = await import('../errors.ts');
    const web = await serve(t, () => {
      throw new PlainError('Films is being scanned already.');
    });
    const page = await house.browser.open(t, { allow: /409/ });
    await page.goto(web.url);
    await page.getByRole('button', { name: 'Scan now' }).click();
    await page.locator('#toasts [role=alert]').getByText('Films is being scanned already.').waitFor();
  });

  test('cancel asks first; Esc leaves everything as it was and gives the focus back', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    await waitLive(page);
    const row = page.locator(`#job-${house.sample.running[0]!}`);
    await row.locator('summary').click();
    await row.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('dialog#confirm[open]').waitFor();
    assert.match(await page.locator('#confirm-text').innerText(), /Stop this job/);
    await page.keyboard.press('Escape');
    await page.locator('dialog#confirm').waitFor({ state: 'hidden' });
    assert.deepEqual(web.asked, []);
    // the focus comes back a moment after the dialog is gone
    await page.waitForFunction(() => document.activeElement?.textContent?.includes('Cancel'));
  });

  test('the theme is chosen without loading the page and is there from the first byte of the next', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    const saved = page.waitForResponse('**/theme');
    await page.locator('.side').getByRole('button', { name: 'Dark' }).click();
    await saved;
    assert.equal(await page.evaluate(() => document.documentElement.dataset['theme']), 'dark');
    const response = await page.goto(`${web.url}/nodes`);
    assert.match((await response?.text()) ?? '', /<html lang="en" data-theme="dark">/);
  });

  test('everything can be reached and used with the keyboard', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
    await page.keyboard.press('?');
    await page.locator('dialog#keys[open]').waitFor();
    await page.keyboard.press('Escape');
    // two keys after one another, however slow the machine is that presses them
    await page.clock.setFixedTime(new Date());
    await page.keyboard.press('g');
    await page.keyboard.press('n');
    await page.waitForURL('**/nodes');
    assert.equal(await page.locator('h1').innerText(), 'Nodes');
  });
});

describe('hostile names', () => {
  test('markup in names of files, libraries and nodes is only text, on the page and through the stream', async (t) => {
    const web = await serve(t);
    const evil = `<img src=x onerror="document.title='pwned'"></bdi><hx-partial hx-target="#banner" hx-swap="innerHTML"><b id=pwned>x</b></hx-partial>\r\ndata: <i id=pwned>\n\n<script>document.title='pwned'</script>'"`;
    const job = house.sample.running[2]!;
    const [before] = await house.leader.query<{ title: string; detail: string }>(
      `select f.title, f.detail from media_files f join jobs j on j.file_id = f.id where j.id = $1`,
      [job],
    );
    const set = (title: string, detail: string) =>
      house.leader.query(`update media_files set title = $2, detail = $3 where id = (select file_id from jobs where id = $1)`, [
        job,
        title,
        detail,
      ]);
    await set(evil, evil);
    await house.leader.query(`update libraries set name = $1 where name = 'Films'`, [evil.slice(0, 200)]);
    const page = await house.browser.open(t);
    await page.goto(web.url);
    await waitLive(page);
    sampleProgress(web.events, house.sample);
    await page.waitForFunction((id: string) => document.getElementById(id)?.textContent?.includes('81.7'), `job-${job}-now`);
    web.events.emit('job.changed', { jobId: job, fileId: null, libraryId: null });
    await set(`${evil} again`, evil);
    web.events.emit('job.changed', { jobId: job, fileId: null, libraryId: null });
    await page.waitForFunction((id: string) => document.getElementById(id)?.textContent?.includes(' again'), `job-${job}`);
    assert.equal(await page.locator('#pwned, main img, main script').count(), 0);
    assert.equal(await page.title(), 'Overview · CodecShift');
    assert.equal(
      await page
        .locator(`#job-${job} bdi`)
        .first()
        .evaluate((e) => (e as unknown as { textContent: string }).textContent),
      `${evil} again`.replace(/\r\n/g, '\n'),
    );
    await set(before!.title, before!.detail);
    await house.leader.query(`update libraries set name = 'Films' where name = $1`, [evil.slice(0, 200)]);
  });
});

test('the first page without a library says what to do and adds one', async (t) => {
  const empty = await freshDatabase(
    {
      after: (fn) =>
        t.after(async () => {
          await fn();
        }),
    },
    havePostgres() ? 'postgres' : 'embedded',
  );
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db: empty });
  // the library that the played command answers with does not exist, so the page after it is a 404
  const page = await house.browser.open(t, { allow: /404/ });
  await page.goto(web.url);
  await page.getByRole('heading', { name: 'Where are your films?' }).waitFor();
  assert.deepEqual(await accessibilityProblems(page), []);
  await page.getByLabel('Folder').fill('/srv/films');
  await page.getByRole('button', { name: 'Add this folder' }).click();
  await page.waitForLoadState();
  assert.deepEqual(
    web.asked.map((a) => [a.name, (a.args[0] as { path: string }).path]),
    [['addLibrary', '/srv/films']],
  );
});

test('a first visit asks for five things at most, and for nothing from elsewhere', async (t) => {
  const web = await serve(t);
  const page = await house.browser.open(t);
  const asked: string[] = [];
  // No question back to the browser here: one that is still open when the page closes fails the whole file.
  page.on('request', (request) => void (new URL(request.url()).pathname === '/events' || asked.push(request.url())));
  await page.goto(web.url, { waitUntil: 'load' });
  await waitLive(page);
  await page.waitForFunction(() => performance.getEntriesByType('resource').length >= 3);
  assert.ok(asked.length >= 3 && asked.length <= 5, asked.join(' '));
  assert.deepEqual(
    asked.filter((url) => new URL(url).origin !== new URL(web.url).origin),
    [],
  );
});
