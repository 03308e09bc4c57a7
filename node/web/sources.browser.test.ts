/// <reference lib="dom" />
import assert from 'node:assert/strict';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { accessibilityProblems, launchBrowser, overflow, type TestBrowser } from '../testing/browser.ts';
import { temporaryDirectory } from '../testing/database.ts';
import { clip } from '../testing/media.ts';
import { startPlexServer, type TestPlexServer } from '../testing/plex-server.ts';
import { startProgram, until, type Program } from '../testing/program.ts';
import { emptyBooks, startWeb } from '../testing/web.ts';

// From an empty house to a replaced film that Plex shows, as a person goes: in a browser, with the real program, real files
// and a stand-in for the Plex server.

let browser: TestBrowser;
before(async () => void (browser = await launchBrowser()));
after(() => browser.close());

const token = 'a-plex-token-that-must-not-be-seen';

interface House {
  program: Program;
  plex: TestPlexServer;
  films: string;
}

/** The server calls the folder of films /data/movies. */
async function house(t: TestContext): Promise<House> {
  const [films, dataDir] = [temporaryDirectory(t), temporaryDirectory(t)];
  await mkdir(join(films, 'Metropolis (1927)'));
  await copyFile(await clip('film'), join(films, 'Metropolis (1927)', 'Metropolis (1927).mkv'));
  const plex = await startPlexServer(t, { token });
  plex.library.mount('/data/movies', films);
  plex.library.codecOf = () => 'hevc';
  const section = plex.library.addSection({ title: 'Movies', folders: ['/data/movies'] });
  plex.library.add(section, { title: 'Metropolis', year: 1927, file: '/data/movies/Metropolis (1927)/Metropolis (1927).mkv' });
  // on its own database: a machine that stands still for longer than the lease on a server shows "nobody coordinates" for a moment
  const program = await startProgram({ dataDir });
  t.after(() => program.stop());
  return { program, plex, films };
}

/** Nothing sticks out, in the day on a desk and at night on a phone, and nobody reads the token. */
async function looksRight(page: Page, where: string): Promise<void> {
  for (const [width, colorScheme] of [
    [390, 'dark'],
    [1440, 'light'],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    const out = await overflow(page);
    assert.ok(out.pixels <= 0, `${where} at ${width}: ${out.elements.join(', ')}`);
    assert.deepEqual(await accessibilityProblems(page), [], `${where} at ${width}`);
  }
  assert.ok(!(await page.content()).includes(token) && !page.url().includes(token), where);
}

test(
  'a library of Plex is chosen, found on the disk, watched and converted, and Plex shows the new film',
  { timeout: 300_000 },
  async (t) => {
    const { program, plex, films } = await house(t);
    const page = await browser.open(t, { javaScript: true });
    await page.goto(program.url);
    await page.getByRole('link', { name: 'Plex', exact: true }).click();
    await page.getByRole('textbox', { name: 'Address' }).fill(plex.url);
    await page.getByLabel('Token', { exact: true }).fill(token);
    await looksRight(page, 'adding a server');
    await page.getByRole('button', { name: 'Test' }).click();
    await page.getByText('It answers').waitFor();
    await looksRight(page, 'a server that answered');
    await page.getByRole('button', { name: 'Keep it' }).click();

    await page.getByRole('checkbox', { name: /Movies/ }).check();
    await looksRight(page, 'a server');
    await page.getByRole('button', { name: 'Watch the ticked ones' }).click();
    await page.getByRole('heading', { name: 'Which folder is which' }).waitFor();
    await page.getByPlaceholder('/mnt/films').fill(films);
    await page.getByRole('button', { name: 'Add the folder' }).click();
    // what is guessed rests on files that were seen
    await until('the folder to be looked through', async () => {
      await page.getByRole('link', { name: 'Guess again' }).click();
      return (await page.getByText('1 of 1 sample file points there').count()) === 1;
    });
    assert.equal(await page.getByLabel('The server says').first().inputValue(), '/data/movies');
    await page.getByRole('button', { name: 'Look for sample files' }).click();
    await page.getByText('Every row is proved.').waitFor();
    await looksRight(page, 'the paths of a server');
    await page.getByRole('button', { name: 'Save and watch' }).click();
    await page.getByText('The library is watched.').waitFor();

    const { items } = await until('the film to be replaced', async () => {
      const done = await program.api<{ items: { id: number }[] }>('/jobs?state=finished');
      return done.items.length === 1 && done;
    });
    await page.goto(`${program.url}/jobs/${items[0]!.id}`);
    // the server is read again after 5, 15 and 45 s
    await page.getByText('shows the new file.').waitFor({ timeout: 180_000 });
    await looksRight(page, 'a job');
    const asked = plex.heard.map(({ method, path, query }) => `${method} ${path} ${query['path'] ?? ''}`);
    assert.ok(asked.includes('GET /library/sections/1/refresh /data/movies/Metropolis (1927)'), asked.join('\n'));
    assert.ok(!asked.some((line) => /emptyTrash|^DELETE|^PUT .*refresh/.test(line)), 'nothing is deleted through a server');
    assert.ok(
      plex.heard.every(({ path, query }) => !JSON.stringify([path, query]).includes(token)),
      'a token is in no address',
    );

    await page.goto(`${program.url}/library`);
    await page.getByText('Plex', { exact: true }).first().waitFor();
    await looksRight(page, 'the libraries');
    await page.getByRole('link', { name: 'Movies', exact: true }).click();
    await page.getByText('Where it comes from').waitFor();
    await looksRight(page, 'a library');
    assert.ok(!program.output().includes(token), 'the log has no token');
  },
);

test('after a sign-in at plex.tv the servers appear by themselves, in the tab that was left open', async (t) => {
  let state: object = { state: 'waiting' };
  const web = await startWeb(
    { after: (fn) => t.after(fn) },
    {
      db: emptyBooks,
      answer: (name) => {
        if (name === 'beginPlexSignIn')
          return { signIn: 'pin-1', url: 'https://app.plex.tv/auth#?code=x', code: 'W7QK', expiresAt: Date.now() + 900_000 };
        return name === 'askPlexSignIn' ? state : undefined;
      },
    },
  );
  const page = await browser.open(t, { javaScript: true });
  await page.goto(`${web.url}/sources/add/plex`);
  await page.getByRole('button', { name: 'Sign in at plex.tv' }).click();
  await page.getByText('Waiting for plex.tv').waitFor();
  await looksRight(page, 'a sign-in');
  state = {
    state: 'signed-in',
    account: 'ada',
    servers: [{ id: 's', name: 'Den', version: '1.43', owned: true, addresses: ['http://nas:32400'] }],
  };
  await page.getByRole('button', { name: /Use this server/ }).waitFor();
  await looksRight(page, 'the servers of an account');
  assert.deepEqual(web.complaints, []);
});
