/// <reference lib="dom" />
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test, type TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { effectiveSettings } from '../config/load.ts';
import { PlainError } from '../errors.ts';
import { accessibilityProblems, overflow, waitLive } from '../testing/browser.ts';
import { fillPageSample } from '../testing/page-sample.ts';
import { sampleProgress } from '../testing/sample.ts';
import { requireTool } from '../testing/tools.ts';
import { webSuite } from '../testing/web-suite.ts';
import { startWeb, type TestWeb } from '../testing/web.ts';

// Frames to compare and painted bars in a real browser; the originals are red here, what was made of them is blue.

const house = webSuite({
  async fill(leader, sample) {
    const more = await fillPageSample(leader, sample);
    const [row] = await leader.query<{ id: number }>(`select id from attempts where job_id = $1 and state = 'succeeded'`, [
      more.replacedJob,
    ]);
    return { ...more, attempt: row!.id };
  },
});
const strip = Buffer.from(Array.from({ length: 60 }, (_, n) => [n < 30 ? 250 : 20, 40, n < 30 ? 20 : 250]).flat()).toString('base64');
const picture = (colour: string): Buffer =>
  execFileSync(requireTool('ffmpeg'), [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    `color=${colour}:s=1280x720`,
    '-frames:v',
    '1',
    '-f',
    'mjpeg',
    '-',
  ]);
const jpegs: Record<string, Buffer> = { before: picture('red'), after: picture('blue') };

const times = [540_000, 1_620_000, 2_700_000, 3_780_000, 4_860_000];
const taken = (pairs: number): Promise<unknown> =>
  house.leader.query(
    `update attempts set pictures = $2, pictures_node = $3, barcode = $4, stats = stats || jsonb_build_object('pictureMs', $5::jsonb) where id = $1`,
    [house.more.attempt, pairs, house.sample.nodeId, strip, JSON.stringify(times)],
  );

async function serve(t: TestContext, answer: () => void = () => {}): Promise<TestWeb> {
  const web = await startWeb(
    { after: (fn) => t.after(fn) },
    {
      db: house.db,
      answer(name, [wish]) {
        if (name !== 'readPicture') return undefined;
        answer();
        return jpegs[(wish as { side: string }).side];
      },
    },
  );
  Object.assign(web.settings, effectiveSettings(new Map(), {}));
  return web;
}

/** The colour of the page at a point of the picture, in shares of its width and height. */
async function colourAt(page: Page, x: number, y = 0.75): Promise<'red' | 'blue' | 'other'> {
  const box = (await page.locator('.screen').boundingBox())!;
  const clip = { x: box.x + box.width * x - 2, y: box.y + box.height * y - 2, width: 4, height: 4 };
  const png = await page.screenshot({ clip });
  const args = ['-v', 'error', '-f', 'png_pipe', '-i', '-', '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-'];
  const [r, , b] = execFileSync(requireTool('ffmpeg'), args, { input: png }) as unknown as [number, number, number];
  return r > 150 && b < 90 ? 'red' : b > 150 && r < 90 ? 'blue' : 'other';
}

async function openJob(t: TestContext, web: TestWeb, options: Parameters<typeof house.browser.open>[1] = {}): Promise<Page> {
  const page = await house.browser.open(t, options);
  await page.goto(`${web.url}/jobs/${house.more.replacedJob}`);
  await page.locator('.compare').scrollIntoViewIfNeeded();
  await loaded(page);
  return page;
}

async function loaded(page: Page): Promise<void> {
  for (const img of await page.locator('.pair:visible img').all()) {
    await img.scrollIntoViewIfNeeded();
    await img.evaluate((e) => (e as HTMLImageElement).decode());
  }
}

describe('the same frame on both sides of a slider', () => {
  for (const [theme, width] of [
    ['light', 1440],
    ['dark', 390],
  ] as const) {
    test(`is left the original, right the encoded, moves with the keys, and fits the page, ${theme}, ${width} pixels wide`, async (t) => {
      await taken(5);
      const web = await serve(t);
      const page = await openJob(t, web, { theme, width, height: width < 500 ? 844 : 900 });
      assert.deepEqual([await colourAt(page, 0.25), await colourAt(page, 0.75)], ['red', 'blue']);
      const slider = page.getByRole('slider', { name: /How much of the original/ });
      await slider.focus();
      await page.keyboard.press('End');
      assert.deepEqual([await colourAt(page, 0.25), await colourAt(page, 0.75)], ['red', 'red']);
      await page.keyboard.press('Home');
      assert.deepEqual([await colourAt(page, 0.25), await colourAt(page, 0.75)], ['blue', 'blue']);
      assert.deepEqual(await accessibilityProblems(page), []);
      assert.ok((await overflow(page)).pixels <= 0);
      assert.deepEqual(web.complaints, []);
    });
  }

  test('another frame is chosen with the keys; the pictures are seen at their own size after a click', async (t) => {
    await taken(5);
    const web = await serve(t);
    const page = await openJob(t, web, { width: 1100 });
    await page.getByRole('radio', { name: /9:00/ }).focus();
    await page.keyboard.press('ArrowRight');
    await loaded(page);
    assert.equal(await page.locator('.pair:visible img').first().getAttribute('alt'), 'Encoded, at 27:00');
    assert.equal(await page.locator('.pair:visible').count(), 1);
    assert.ok((await page.locator('.screen').boundingBox())!.width < 1280);
    await page.getByText('100 %').click();
    assert.equal(Math.round((await page.locator('.screen').boundingBox())!.width), 1280);
    assert.ok((await overflow(page)).pixels <= 0);
  });

  test('appears on the open page as soon as it is there, and keeps what a person did with it', async (t) => {
    await house.leader.query(`update attempts set pictures = 0, stats = stats - 'pictureMs' where id = $1`, [house.more.attempt]);
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/jobs/${house.more.replacedJob}`);
    await waitLive(page);
    assert.equal(await page.locator('.compare').count(), 0);
    await taken(3);
    const changed = { jobId: house.more.replacedJob, fileId: null, libraryId: null };
    web.events.emit('job.changed', changed);
    await page.locator('.compare').waitFor();
    await page.getByText('Only 3 of 5 frames could be taken.').waitFor();
    await page.getByRole('slider').focus();
    await page.keyboard.press('End');
    await taken(5);
    web.events.emit('job.changed', changed);
    await page.waitForFunction(() => document.querySelectorAll('.shot').length === 5);
    await loaded(page);
    assert.equal(await colourAt(page, 0.75), 'red', 'the slider went back');
  });

  test('without JavaScript both lie beside each other', async (t) => {
    await taken(5);
    const web = await serve(t);
    const page = await openJob(t, web, { javaScript: false });
    assert.deepEqual([await colourAt(page, 0.25, 0.5), await colourAt(page, 0.75, 0.5)], ['red', 'blue']);
    assert.equal(await page.getByRole('slider').count(), 0);
  });

  test('its machine is away: the page says so instead of showing torn pictures', async (t) => {
    await taken(5);
    const web = await serve(t, () => {
      throw new PlainError('The node cannot be reached.', { retry: true });
    });
    const page = await house.browser.open(t, { allow: /404/ });
    // a refusal may be there before our script, on a slow machine or over a slow line
    const script = Promise.withResolvers<void>();
    await page.route(/\.js(\?|$)/, (route) => script.promise.then(() => route.continue()));
    const refused = page.waitForResponse((response) => response.url().includes('/pictures/') && response.status() === 404);
    await page.goto(`${web.url}/jobs/${house.more.replacedJob}`, { waitUntil: 'commit' });
    await page.locator('#h-frames').scrollIntoViewIfNeeded();
    await refused;
    assert.equal(await page.locator('.sight').isVisible(), true, 'without a script nobody can tell');
    script.resolve();
    await page.getByText('The pictures lie on atlas, which does not answer now').waitFor();
    assert.equal(await page.locator('.sight').isVisible(), false);
    const answer = await page.request.get(`${web.url}/jobs/${house.more.replacedJob}/pictures/${house.more.attempt}/1/before`);
    assert.equal(answer.status(), 404);
    assert.match(await answer.text(), /The node cannot be reached/);
  });
});

test('the bar of a running film is painted in its colours, the rest dimmed, and plain where they are not known', async (t) => {
  const [first, second] = house.sample.running as [number, number];
  await house.leader.query(`update attempts set barcode = $2 where job_id = $1`, [first, strip]);
  const web = await serve(t);
  const page = await house.browser.open(t, { theme: 'dark' });
  await page.goto(web.url);
  await waitLive(page);
  sampleProgress(web.events, house.sample);
  const bar = page.locator(`#job-${first}-bar`);
  await bar.locator('image').waitFor({ state: 'attached' });
  await page.waitForFunction((id) => document.getElementById(id)?.querySelector('[aria-valuenow="63"]'), `job-${first}-bar`);
  const href = (await bar.locator('image').getAttribute('href'))!;
  const answer = await page.request.get(web.url + href);
  assert.deepEqual(
    [answer.headers()['content-type'], answer.headers()['cache-control']],
    ['image/png', 'private, max-age=31536000, immutable'],
  );
  assert.equal(await page.locator(`#job-${second}-bar image`).count(), 0);
  assert.equal(await page.locator(`#job-${second}-bar .bar-fill`).count(), 1);
  const box = (await bar.locator('.bar-o').boundingBox())!;
  const png = await page.screenshot({ clip: { x: box.x + box.width * 0.2, y: box.y + box.height / 2 - 1, width: 3, height: 2 } });
  const args = ['-v', 'error', '-f', 'png_pipe', '-i', '-', '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-'];
  const [r, g] = execFileSync(requireTool('ffmpeg'), args, { input: png }) as unknown as [number, number];
  assert.ok(r > 200 && g < 90, `not the film’s colour: ${r} ${g}`);
});
