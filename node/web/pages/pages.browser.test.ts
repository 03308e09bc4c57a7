/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { effectiveSettings } from '../../config/load.ts';
import { PlainError } from '../../errors.ts';
import { accessibilityProblems, overflow, pairForAll, waitLive } from '../../testing/browser.ts';
import { attempt, file, fillPageSample, job, probe } from '../../testing/page-sample.ts';
import { sampleProgress } from '../../testing/sample.ts';
import { webSuite } from '../../testing/web-suite.ts';
import { startWeb, type TestWeb } from '../../testing/web.ts';

// Queue, job, library, file, history and settings in a real browser, on the real server and a real database.
// Only the commands are written down instead of carried out.

const house = webSuite({ fill: fillPageSample });

async function serve(t: TestContext, answer?: (name: string, args: unknown[]) => unknown): Promise<TestWeb> {
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db: house.db, ...(answer ? { answer } : {}) });
  Object.assign(web.settings, effectiveSettings(new Map([['jobs.maxFailures', 5]]), {}));
  return web;
}

const paths = (): string[] => [
  '/queue',
  '/queue?state=running',
  '/queue?state=failed',
  '/queue?state=skipped',
  '/queue?state=held',
  '/queue?state=cancelled&q=nothing',
  '/queue/clear',
  `/jobs/${house.more.replacedJob}`,
  `/jobs/${house.more.failedJob}`,
  `/jobs/${house.sample.running[0]}`,
  `/jobs/${house.more.heldJob}`,
  '/library',
  `/library/${house.sample.libraries.films}`,
  `/library/${house.sample.libraries.shorts}`,
  `/library/${house.sample.libraries.films}/forecast`,
  `/library/${house.sample.libraries.films}/plan`,
  `/library/${house.sample.libraries.films}/rules`,
  `/library/${house.sample.libraries.films}/remove`,
  `/files/${house.more.replacedFile}`,
  `/files/${house.more.failedFile}`,
  '/files?q=the',
  '/history',
  '/history?state=kept',
  '/history/audit',
  '/settings/general',
  '/settings/jobs',
];

describe('accessibility and layout', () => {
  for (const theme of ['light', 'dark'] as const) {
    for (const width of [1440, 390]) {
      test(`nothing for axe to say, nothing sticks out, ${theme}, ${width} pixels wide`, { skip: pairForAll(theme, width) }, async (t) => {
        const web = await serve(t);
        const page = await house.browser.open(t, { theme, width, height: width < 500 ? 844 : 900 });
        for (const path of paths()) {
          assert.equal((await page.goto(web.url + path))?.status(), 200, path);
          assert.deepEqual(await accessibilityProblems(page), [], path);
          const found = await overflow(page);
          assert.ok(found.pixels <= 0, `${path}: ${found.pixels} pixels too wide: ${found.elements.join(', ')}`);
        }
        assert.deepEqual(web.complaints, []);
      });
    }
  }

  test('a page is usable at 320 pixels', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { width: 320, height: 700 });
    for (const path of paths()) {
      await page.goto(web.url + path);
      const found = await overflow(page);
      assert.ok(found.pixels <= 0, `${path}: ${found.pixels} pixels too wide: ${found.elements.join(', ')}`);
    }
  });
});

describe('names from disks', () => {
  test('7: hostile names are only text on every page', async (t) => {
    const web = await serve(t);
    const evil = [
      '<script>window.pwned=1</script>',
      `"><img src=x onerror="window.pwned=1">`,
      `' autofocus onfocus='window.pwned=1`,
      '<hx-partial hx-target="body">gone</hx-partial>',
      '<button hx-get="/queue/clear" hx-trigger="load">x</button>',
      '<%= it.secret %>',
      '\u202egpj.elif\u2066',
      '🎬🍿'.repeat(20),
      'x'.repeat(10_000),
      'a/../../etc/passwd',
      '&lt;b&gt;',
      '{{7*7}}${7*7}',
      '',
    ];
    const { films } = house.sample.libraries;
    const made: { path: string; name: string }[] = [];
    for (const [i, name] of evil.entries()) {
      const fileId = await file(
        house.leader,
        films,
        name,
        name.slice(0, 500),
        i % 2 ? null : name.slice(0, 60),
        1e9,
        'failed',
        { code: 'ffmpeg-failed', params: { exit: name, message: name.slice(0, 400) } },
        {
          path: `evil-${i}/${name || 'empty'}`.slice(0, 4000),
          probe: probe(name.slice(0, 50), 8, 1e9, { warnings: [name], tags: { title: name } }),
        },
      );
      const jobId = await job(house.leader, fileId, films, 1e9, {
        state: 'failed',
        failures: 3,
        reason: { code: name || 'none', params: { message: name } },
      });
      await attempt(
        house.leader,
        jobId,
        house.sample.nodeId,
        1,
        'failed',
        { code: 'ffmpeg-failed', params: { message: name } },
        {
          command: ['-i', name],
          stderr: name,
          verdict: { accepted: false, reason: { code: name }, checks: [{ name: 'audio', original: name, output: name, passed: false }] },
        },
      );
      await house.leader.query(
        `insert into activity (kind, severity, job_id, file_id, library_id, by, params) values ($1, 1, $2, $3, $4, $1, $5)`,
        [name.slice(0, 200), jobId, fileId, films, JSON.stringify({ title: name, reason: { code: name, params: {} } })],
      );
      made.push({ path: `/jobs/${jobId}`, name }, { path: `/files/${fileId}`, name });
    }
    const page = await house.browser.open(t);
    for (const { path, name } of [
      ...made,
      ...['/queue?state=failed', '/history', '/history/audit', '/files', `/library/${films}`].map((path) => ({ path, name: '' })),
    ]) {
      const answer = await page.goto(web.url + path);
      assert.equal(answer?.status(), 200, `${path} of ${name.slice(0, 60)}`);
      const strange = await page.evaluate(() => ({
        pwned: 'pwned' in window,
        handlers: [...document.querySelectorAll('*')].flatMap((e) =>
          [...e.attributes].filter((a) => a.name.startsWith('on')).map((a) => a.name),
        ),
        elements: [
          ...document.querySelectorAll('main img, main script, main iframe, main hx-partial, main [hx-trigger="load"], main [autofocus]'),
        ].map((e) => e.outerHTML.slice(0, 80)),
      }));
      assert.deepEqual(strange, { pwned: false, handlers: [], elements: [] }, path);
      const wide = await overflow(page);
      assert.ok(wide.pixels <= 0, `${path} of ${name.slice(0, 60)}: ${wide.pixels} pixels too wide: ${wide.elements.join(', ')}`);
    }
    assert.deepEqual(web.complaints, []);
    await house.leader.query(`update jobs set attempt_id = null where file_id in (select id from media_files where path like 'evil-%')`);
    await house.leader.query(`delete from media_files where path like 'evil-%'`);
  });
});

describe('the queue', () => {
  test('pages forwards and backwards show every waiting file once, in order', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { javaScript: false });
    await page.goto(`${web.url}/queue`);
    const rows = () => page.locator('tbody tr').evaluateAll((list) => list.map((row) => row.id));
    const forward: string[][] = [await rows()];
    while (await page.locator('a[rel=next]').count()) {
      await page.locator('a[rel=next]').click();
      await page.waitForLoadState();
      forward.push(await rows());
    }
    const expected = await house.db.query<{ id: number }>(`select id from jobs where state = 'available' order by priority, rank, id`);
    assert.deepEqual(
      forward.flat(),
      expected.map((r) => `row-j${r.id}`),
    );
    const backward: string[][] = [];
    while (await page.locator('a[rel=prev]').count()) {
      await page.locator('a[rel=prev]').click();
      await page.waitForLoadState();
      backward.unshift(await rows());
    }
    assert.deepEqual(backward, forward.slice(0, -1));
    assert.equal(await page.locator('a[rel=prev]').count(), 0);
  });

  test('a filter narrows the list while typing, keeps the focus, lives in the URL and comes back with Back', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/queue`);
    await page.locator('.filters input[type=search]').fill('gener');
    await page.waitForFunction(() => document.querySelectorAll('#queue-list tbody tr').length === 1);
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'q');
    await page.waitForURL(/q=gener/);
    assert.equal(await page.locator('#queue-list tbody th a').first().textContent(), 'The General');
    await page.goto(`${web.url}/history`);
    await page.goBack();
    await page.waitForFunction(() => document.querySelectorAll('#queue-list tbody tr').length === 1);
    assert.equal(await page.locator('.filters input[type=search]').inputValue(), 'gener');
  });

  test('the order does not jump: the page says how many rows changed and shows them when asked', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/queue`);
    await waitLive(page);
    const first = await page.locator('tbody tr').first().getAttribute('id');
    const last = house.sample.waiting[3]!;
    await house.leader.query(`update jobs set rank = -1e15 where id = $1`, [last]);
    web.events.emit('queue.changed', { why: 'test' });
    await page.locator('#queue-changes a').waitFor();
    assert.equal(await page.locator('#queue-changes a').textContent(), '1 change, show');
    assert.equal(await page.locator('tbody tr').first().getAttribute('id'), first, 'nothing moved by itself');
    await page.locator('#queue-changes a').click();
    await page.waitForFunction((id) => document.querySelector('tbody tr')?.id === id, `row-j${last}`);
    await house.leader.query(`update jobs set rank = -(input_bytes - expected_bytes) where id = $1`, [last]);
  });

  test('after a filter the page counts changes of what it shows now', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/queue`);
    await waitLive(page);
    await page.locator('.filters input[type=search]').fill('charade');
    await page.waitForFunction(() => document.querySelectorAll('#queue-list tbody tr').length === 1);
    await page.waitForURL(`${web.url}/queue?q=charade`);
    const [general, charade] = house.sample.waiting as [number, number];
    await house.leader.query(`update jobs set priority = 0 where id = $1`, [general]);
    await house.leader.query(`update jobs set state = 'held', reason = '{"code":"target-exists"}' where id = $1`, [charade]);
    web.events.emit('queue.changed', { why: 'test' });
    await page.locator('#queue-changes a').waitFor();
    assert.equal(await page.locator('#queue-changes a').textContent(), '1 change, show');
    assert.equal(await page.locator('#queue-changes a').getAttribute('href'), '/queue?q=charade');
    await house.leader.query(`update jobs set state = 'available', reason = null, priority = 1 where id = any($1)`, [[general, charade]]);
  });

  test('running rows move their numbers in place', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/queue?state=running`);
    await waitLive(page);
    await page
      .locator('tbody tr')
      .first()
      .evaluate((row) => row.setAttribute('data-mark', 'same'));
    sampleProgress(web.events, house.sample);
    await page.waitForFunction((id) => document.querySelector(`#job-${id}-live`)?.textContent?.includes('63.4'), house.sample.running[0]);
    assert.equal(await page.locator('tbody tr[data-mark=same]').count(), 1);
  });

  test('bulk without JavaScript: chosen files, then everything that the filter matches, asked first with its number', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { javaScript: false });
    await page.goto(`${web.url}/queue`);
    await page.locator('tbody input[type=checkbox]').nth(0).check();
    await page.locator('tbody input[type=checkbox]').nth(2).check();
    await page.getByRole('button', { name: 'To the end' }).last().click();
    assert.deepEqual(
      web.asked.map((a) => [a.name, a.args]),
      [['moveJobs', [{ ids: [house.sample.waiting[0], house.sample.waiting[2]] }, 'end']]],
    );
    assert.match(await page.locator('#toasts').innerText(), /moved to the end/);

    web.asked.length = 0;
    await page.goto(`${web.url}/queue?lib=${house.sample.libraries.films}&q=ha`);
    await page.getByText('All that match').click();
    await page.getByRole('button', { name: 'Remove…' }).click();
    assert.equal(web.asked.length, 0, 'nothing happens before the question is answered');
    assert.match(await page.locator('h2').first().innerText(), /Take 1 waiting file in Films, that match “ha” out of the queue\?/);
    await page.getByRole('button', { name: 'Remove 1' }).click();
    assert.deepEqual(
      web.asked.map((a) => [a.name, a.args]),
      [['removeJobs', [{ filter: { libraryId: house.sample.libraries.films, search: 'ha', codec: null, priority: null } }, false]]],
    );
    assert.equal(new URL(page.url()).search, `?q=ha&lib=${house.sample.libraries.films}`);
  });

  test('the row menu acts on its row only, and a dangerous entry asks first', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/queue`);
    await page.locator('tbody input[type=checkbox]').nth(1).check();
    await page.locator('tbody tr').first().locator('summary').click();
    await page.locator('tbody tr').first().getByRole('button', { name: 'High priority' }).click();
    await page.locator('#toasts .toast').waitFor();
    await page.waitForLoadState(); // the page came anew, and what asks first is its script
    assert.deepEqual(
      web.asked.map((a) => [a.name, a.args]),
      [['prioritise', [{ ids: [house.sample.waiting[0]] }, 'high']]],
    );
    web.asked.length = 0;
    await page.locator('tbody tr').first().locator('summary').click();
    await page.locator('tbody tr').first().getByRole('button', { name: 'Cancel' }).click();
    await page.locator('#confirm[open]').waitFor();
    await page.keyboard.press('Escape');
    assert.equal(web.asked.length, 0);
    await page.locator('tbody tr').first().locator('summary').click();
    await page.locator('tbody tr').first().getByRole('button', { name: 'Cancel' }).click();
    // the toast of before may still be there: what tells is the answer
    const answered = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.locator('#confirm-yes').click();
    await answered;
    assert.deepEqual(
      web.asked.map((a) => [a.name, a.args]),
      [['cancelJob', [house.sample.waiting[0]]]],
    );
  });

  test('clearing the queue names the number', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { javaScript: false });
    await page.goto(`${web.url}/queue`);
    await page.getByRole('link', { name: 'Clear queue…' }).click();
    const [counted] = await house.db.query<{ n: number }>(`select count(*) as n from jobs where state = 'available'`);
    assert.match(await page.locator('h2').first().innerText(), new RegExp(`all ${counted!.n} waiting files`));
    await page.getByRole('button', { name: `Clear ${counted!.n}` }).click();
    assert.deepEqual(
      web.asked.map((a) => a.name),
      ['clearQueue'],
    );
  });
});

describe('a job', () => {
  test('changes its words and actions while the page is open', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    const id = house.sample.waiting[1]!;
    await page.goto(`${web.url}/jobs/${id}`);
    await waitLive(page);
    assert.equal(await page.locator('.now-word').innerText(), 'Waiting');
    await house.leader.query(
      `update jobs set state = 'held', reason = '{"code":"target-exists","params":{"name":"x.mkv"}}' where id = $1`,
      [id],
    );
    web.events.emit('job.changed', { jobId: id, fileId: null, libraryId: null });
    await page.waitForFunction(() => document.querySelector('.now-word')?.textContent?.includes('Held'));
    assert.match(await page.locator('.now-next').innerText(), /x\.mkv.*until you decide/);
    await house.leader.query(`insert into activity (kind, job_id, by) values ('job-retried', $1, 'Ada')`, [id]);
    web.events.emit('job.changed', { jobId: id, fileId: null, libraryId: null });
    await page.locator('#job-side').getByText('was asked for again').waitFor();
    await house.leader.query(`update jobs set state = 'available', reason = null where id = $1`, [id]);
  });

  test('undo puts back the original of this job, and never that of another one', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { javaScript: false, allow: /404/ });
    await page.goto(`${web.url}/jobs/${house.more.replacedJob}`);
    await page.getByRole('button', { name: /Undo/ }).click();
    assert.deepEqual(
      web.asked.map((a) => [a.name, a.args]),
      [['restore', [house.more.original]]],
    );
    web.asked.length = 0;
    await page.goto(`${web.url}/jobs/${house.more.replacedJob}`);
    await page
      .locator('form[action$="/restore"]')
      .evaluate((form, other) => form.setAttribute('action', `/jobs/${other}/restore`), house.more.keptJob);
    await page.getByRole('button', { name: /Undo/ }).click();
    assert.equal(web.asked.length, 0);
  });

  test('an address that belongs to nothing is a page that says so', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { allow: /404/ });
    for (const path of [
      '/jobs/99999999',
      '/jobs/abc',
      '/files/99999999',
      '/library/99999',
      '/library/999999999999',
      '/settings/nothing',
      '/settings/node',
    ]) {
      assert.equal((await page.goto(web.url + path))?.status(), 404, path);
    }
  });
});

describe('libraries', () => {
  test('a folder that cannot be added comes back with what was typed and why, without JavaScript too', async (t) => {
    const web = await serve(t, (name) => {
      if (name === 'addLibrary') throw new PlainError('There is no folder /mnt/<films> on this machine.');
      return 1;
    });
    const page = await house.browser.open(t, { javaScript: false, allow: /422/ });
    await page.goto(`${web.url}/library`);
    await page.getByLabel('Folder on this machine').fill('/mnt/<films>');
    const [answer] = await Promise.all([
      page.waitForResponse((r) => r.request().method() === 'POST'),
      page.getByRole('button', { name: 'Add and scan' }).click(),
    ]);
    assert.equal(answer.status(), 422);
    assert.match(await page.locator('#add-problem').innerText(), /no folder \/mnt\/<films>/);
    assert.equal(await page.getByLabel('Folder on this machine').inputValue(), '/mnt/<films>');
  });

  test('rules: mistakes are named at the field and in a summary; then the whole profile is saved', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { javaScript: false, allow: /422/ });
    await page.goto(`${web.url}/library/${house.sample.libraries.films}/rules`);
    await page.getByLabel('Quality').fill('99');
    await page.getByRole('button', { name: 'Save rules' }).click();
    assert.match(await page.getByRole('alert').innerText(), /Quality must be 34 or less/);
    assert.equal(await page.getByLabel('Quality').getAttribute('aria-invalid'), 'true');
    assert.equal(web.asked.length, 0);
    await page.getByLabel('Quality').fill('20');
    await page.getByLabel('AV1').uncheck();
    await page.getByLabel('Leave alone', { exact: true }).fill('Extras/**\n\n  *sample*  ');
    await page.getByRole('button', { name: 'Save rules' }).click();
    const [, change] = web.asked[0]!.args as [number, { profile: Record<string, unknown> }];
    assert.deepEqual(
      [change.profile['quality'], change.profile['alsoEfficient'], change.profile['exclude']],
      [20, ['vp9', 'vvc'], ['Extras/**', '*sample*']],
    );
  });

  test('a library goes only when its name is typed', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t, { javaScript: false, allow: /422/ });
    await page.goto(`${web.url}/library/${house.sample.libraries.tv}/remove`);
    await page.getByRole('textbox', { name: /Type/ }).fill('Films');
    await page.getByRole('button', { name: 'Remove this library' }).click();
    assert.equal(web.asked.length, 0);
    await page.getByRole('textbox', { name: /Type/ }).fill('TV');
    await page.getByRole('button', { name: 'Remove this library' }).click();
    assert.deepEqual(
      web.asked.map((a) => [a.name, a.args]),
      [['removeLibrary', [house.sample.libraries.tv]]],
    );
  });

  test('files follow what happens to them, until a filter is set', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/library/${house.sample.libraries.films}`);
    await waitLive(page);
    const [shown] = await house.leader.query<{ id: number; status: string }>(
      `select id, status from media_files where library_id = $1 order by id desc limit 1`,
      [house.sample.libraries.films],
    );
    const word = (): Promise<string> => page.locator('#files-live tbody tr').first().locator('.c-state').innerText();
    const was = await word();
    await house.leader.query(`update media_files set status = 'missing' where id = $1`, [shown!.id]);
    web.events.emit('job.changed', { jobId: 1, fileId: null, libraryId: null });
    await page.waitForFunction(() => document.querySelector('#files-live tbody .c-state')?.textContent === 'Missing');
    await house.leader.query(`update media_files set status = $2 where id = $1`, [shown!.id, shown!.status]);
    web.events.emit('library.changed', { libraryId: house.sample.libraries.films });
    await page.waitForFunction((w) => document.querySelector('#files-live tbody .c-state')?.textContent === w, was);
    await page.locator('#files .filters select[name=status]').selectOption('skipped');
    await page.locator('#files-still').waitFor();
    assert.equal(await page.locator('#files-live').count(), 0, 'a filtered list stays as it was read');
  });

  test('a scan shows its numbers while it runs', async (t) => {
    const web = await serve(t);
    const page = await house.browser.open(t);
    await page.goto(`${web.url}/library`);
    await waitLive(page);
    await house.leader.query(`update scans set seen = 5123 where library_id = $1 and state = 'running'`, [house.sample.libraries.tv]);
    web.events.emit('scan.progressed', { libraryId: house.sample.libraries.tv, seen: 5123, inspected: 0, done: false });
    await page.getByText('5,123 files seen').waitFor();
  });
});

describe('settings', () => {
  test('saving asks for what changed; a mistake is a 422 with the field; reset goes back to the default', async (t) => {
    const web = await serve(t, (name, args) => {
      const [changes] = args as [{ key: string; value: unknown }[]];
      return name === 'saveSettings' && changes.some((c) => c.value === 99)
        ? [{ key: 'jobs.maxFailures', problem: 'must be 10 or less, not 99' }]
        : undefined;
    });
    const page = await house.browser.open(t, { javaScript: false, allow: /422/ });
    await page.goto(`${web.url}/settings/jobs`);
    await page.getByLabel('Tries per file', { exact: true }).fill('99');
    await page.getByRole('button', { name: 'Save', exact: true }).last().click();
    assert.match(await page.getByRole('alert').innerText(), /Tries per file must be 10 or less/);
    assert.equal(await page.getByLabel('Tries per file', { exact: true }).inputValue(), '99');
    web.asked.length = 0;
    await page.getByLabel('Tries per file', { exact: true }).fill('4');
    // Enter must save, not press the first button that stands in the form
    await page.getByLabel('Tries per file', { exact: true }).press('Enter');
    await page.getByText('Saved. It applies at once.').waitFor();
    assert.deepEqual(
      web.asked.map((a) => a.args),
      [[[{ key: 'jobs.maxFailures', value: 4, version: 2 }]]],
    );
    web.asked.length = 0;
    await page.getByRole('button', { name: /Reset to default for Tries per file/ }).click();
    assert.deepEqual(
      web.asked.map((a) => a.args),
      [[[{ key: 'jobs.maxFailures', value: null, version: 2 }]]],
    );
  });

  test('when somebody else was faster both values are shown, and saving again takes mine', async (t) => {
    let first = true;
    const web = await serve(t, (name) => {
      if (name !== 'saveSettings' || !first) return undefined;
      first = false;
      return [{ key: 'jobs.maxFailures', problem: 'was changed by somebody else', current: 5 }];
    });
    const page = await house.browser.open(t, { javaScript: false, allow: /409/ });
    await page.goto(`${web.url}/settings/jobs`);
    await page.getByLabel('Tries per file', { exact: true }).fill('8');
    await page.getByRole('button', { name: 'Save', exact: true }).last().click();
    assert.match(await page.locator('#p-s-jobs-maxFailures').innerText(), /Now in force: 5.*You typed: 8/);
    await page.getByRole('button', { name: 'Save', exact: true }).last().click();
    await page.getByText('Saved. It applies at once.').waitFor();
    assert.deepEqual(web.asked.at(-1)!.args, [[{ key: 'jobs.maxFailures', value: 8, version: 2 }]]);
  });
});

describe('refused forms', () => {
  test('a page with mistakes has nothing for axe to say', async (t) => {
    const web = await serve(t, (name) => {
      if (name === 'addLibrary') throw new PlainError('There is no folder /mnt/films on this machine.');
      return name === 'saveSettings' ? [{ key: 'jobs.maxFailures', problem: 'must be 10 or less, not 99' }] : 1;
    });
    const page = await house.browser.open(t, { allow: /422/ });
    await page.goto(`${web.url}/library`);
    await page.getByLabel('Folder on this machine').fill('/mnt/films');
    await page.getByRole('button', { name: 'Add and scan' }).click();
    await page.locator('#add-problem').waitFor();
    assert.deepEqual(await accessibilityProblems(page), []);
    await page.goto(`${web.url}/settings/jobs`);
    await page.getByLabel('Tries per file', { exact: true }).fill('99');
    await page.getByRole('button', { name: 'Save', exact: true }).last().click();
    await page.locator('#p-s-jobs-maxFailures').waitFor();
    assert.deepEqual(await accessibilityProblems(page), []);
  });
});

describe('history', () => {
  test('the CSV holds every result, page by page, and no formula', async (t) => {
    const web = await serve(t);
    const made: number[] = [];
    for (let i = 0; i < 230; i++) {
      const fileId = await file(
        house.leader,
        house.sample.libraries.shorts,
        i === 0 ? '=HYPERLINK("http://evil")' : `Result ${i}`,
        '',
        'h264',
        1e8,
        'skipped',
        null,
        { path: `csv-${i}` },
      );
      made.push(await job(house.leader, fileId, house.sample.libraries.shorts, 1e8, { state: 'cancelled' }));
    }
    const response = await fetch(`${web.url}/history/export.csv?state=cancelled`);
    const lines = (await response.text()).trimEnd().split('\r\n');
    assert.match(response.headers.get('content-disposition') ?? '', /attachment; filename="codecshift-history-\d{4}-\d\d-\d\d\.csv"/);
    assert.equal(lines.length, 1 + made.length + 1, 'a head, these and the cancelled job of the sample');
    assert.equal(new Set(lines.map((line) => line.split(',')[0])).size, lines.length);
    assert.ok(lines.some((line) => line.includes(`"'=HYPERLINK(""http://evil"")"`)));
    await house.leader.query(`delete from media_files where path like 'csv-%'`);
  });
});
