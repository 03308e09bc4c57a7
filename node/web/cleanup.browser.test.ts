/// <reference lib="dom" />
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { accessibilityProblems, launchBrowser, overflow, waitLive, type TestBrowser } from '../testing/browser.ts';
import { temporaryDirectory } from '../testing/database.ts';
import { clip } from '../testing/media.ts';
import { idle, startProgram, until, type Program } from '../testing/program.ts';
import { repository } from '../testing/tools.ts';

// What a person does about leftovers and the trash, in a browser, with the real program and real files.

let browser: TestBrowser;
before(async () => void (browser = await launchBrowser()));
after(() => browser.close());

interface House {
  program: Program;
  films: string;
  dataDir: string;
}

/** A program that converted a film, and what another process left beside it when it was killed. */
async function house(t: TestContext): Promise<House> {
  const [films, work, dataDir] = [temporaryDirectory(t), temporaryDirectory(t), temporaryDirectory(t)];
  await copyFile(await clip('film'), join(films, 'Film.mkv'));
  // on its own database: a machine that stands still for longer than the lease on a server shows "nobody coordinates" for a moment
  const program = await startProgram({ dataDir, libraries: [films] });
  t.after(() => program.stop());
  await idle(program);
  const { node } = await program.api<{ node: { id: string } }>('/status');
  const words = [join(repository, 'scripts', 'node.cjs'), join(repository, 'node', 'testing', 'killed.child.ts'), films, work, node.id];
  const killed = await new Promise((resolve) => execFile(process.execPath, words, (error) => resolve(error?.signal ?? error?.code)));
  assert.ok(existsSync(join(films, 'Film.mkv.lock')), `the killed process ended with ${String(killed)}`);
  return { program, films, dataDir };
}

test('a look, its list, a choice and a deletion; then the trash: everything goes as a person was told', { timeout: 300_000 }, async (t) => {
  const { program, films, dataDir } = await house(t);
  const left = readdirSync(films).filter((name) => name.startsWith('.tmp_'));
  assert.deepEqual(left, ['.tmp_4711_Film.mkv'], 'the killed process left its output');
  mkdirSync(join(films, 'Old'));
  const evil = `<img src=x onerror=alert(1)>\u202e\n${'x'.repeat(150)}.lock`;
  for (const name of ['.tmp_of an older tool.mkv', 'yarn.lock', evil]) writeFileSync(join(films, 'Old', name), 'foreign');

  const page = await browser.open(t, { javaScript: true });
  await page.goto(`${program.url}/settings`);
  await page.getByRole('link', { name: 'Clean-up' }).click();
  await waitLive(page);
  await page.getByText('Never looked for').waitFor();
  await page.getByRole('button', { name: /Look for leftovers/ }).click();
  await page.getByText('1 file of ours that is over').waitFor();
  assert.deepEqual(await accessibilityProblems(page), []);
  assert.ok(existsSync(join(films, 'Film.mkv.lock')), 'a look deletes nothing');

  await page.getByRole('link', { name: 'Look through the list' }).click();
  await page.getByRole('link', { name: /Delete 1 file/ }).waitFor();
  await page.waitForLoadState();
  assert.deepEqual(await page.getByRole('checkbox').evaluateAll((all: HTMLInputElement[]) => all.map((box) => box.checked)), [true]);
  await page.getByRole('link', { name: /Not provably ours/ }).click();
  await page.getByRole('checkbox').nth(3).waitFor();
  assert.equal(await page.getByRole('checkbox').count(), 4);
  assert.equal(await page.locator('main img').count(), 0, 'a name is never markup');
  assert.ok((await page.locator('main').innerText()).includes('\\u{202e}\\n'), 'what would hide is written out');
  for (const width of [320, 760, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    const found = await overflow(page);
    assert.ok(found.pixels <= 0, `at ${width}: ${found.elements.join(', ')}`);
  }
  assert.deepEqual(await accessibilityProblems(page), []);

  await page.getByRole('button', { name: /All in this folder.*Old/ }).click();
  await page.getByText('4 files chosen').waitFor();
  await page.getByLabel('yarn.lock').uncheck();
  await page.getByLabel(left[0]!).check();
  await page.getByRole('button', { name: 'Delete the chosen…' }).click();
  await page.getByRole('heading', { name: /^Delete 4 files/ }).waitFor();
  assert.deepEqual(await accessibilityProblems(page), []);
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: /^Delete 4 files/ }).click();
  await page.getByText('4 files deleted').waitFor();
  assert.deepEqual(readdirSync(join(films, 'Old')), ['yarn.lock']);
  assert.deepEqual(readdirSync(films).sort(), ['.codecshift', 'Film.mkv', 'Old']);

  await page.goto(`${program.url}/history/audit`);
  await page.getByText('were cleaned up: 4 files deleted').waitFor();

  const cli = await promisify(execFile)(
    process.execPath,
    [join(repository, 'scripts', 'node.cjs'), join(repository, 'node', 'main.ts'), 'cleanup', '--data-dir', dataDir],
    { cwd: dataDir },
  );
  assert.match(cli.stdout, /0 of ours and over \(0 B\), 1 not provably ours/);
  assert.match(cli.stdout, /\? Old\/yarn\.lock/);
  assert.ok(existsSync(join(films, 'Old', 'yarn.lock')), 'the command lists and deletes nothing');

  const trashed = (): string[] => globSync('.codecshift/trash/*/*/*.mkv', { cwd: films });
  assert.equal(trashed().length, 1);
  await page.goto(`${program.url}/settings/clean-up`);
  await page.getByText(/1 original, /).waitFor();
  await page.getByRole('link', { name: /Empty it now/ }).click();
  await page.getByText('That cannot be undone').waitFor();
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: /^Delete 1 original, .* for good$/ }).click();
  await until('the trash to be empty', () => trashed().length === 0);
  await page.getByText('Empty', { exact: true }).waitFor();
  const { items } = await program.api<{ items: { id: number }[] }>('/files?status=done');
  await page.goto(`${program.url}/files/${items[0]!.id}`);
  assert.equal(await page.getByRole('button', { name: 'Put it back' }).count(), 0);
});

test(
  'originals of a time that the books do not know are shown with their reasons, and one is put back',
  { timeout: 300_000 },
  async (t) => {
    const films = temporaryDirectory(t);
    const original = await clip('film');
    await copyFile(original, join(films, 'Film.mkv'));
    const begin = async (): Promise<Program> => {
      const program = await startProgram({ dataDir: temporaryDirectory(t), libraries: [films] });
      t.after(() => program.stop());
      await idle(program);
      return program;
    };
    const lost = await begin();
    await lost.stop();
    const converted = await readFile(join(films, 'Film.mkv'));
    mkdirSync(join(films, '.codecshift', 'trash', '2020-01-01', '7'), { recursive: true });
    writeFileSync(join(films, '.codecshift', 'trash', '2020-01-01', '7', 'Nobody.mkv'), 'nobody knows');

    // other books, on a machine with another name, over the same disk
    const program = await begin();
    const page = await browser.open(t, { javaScript: true });
    await page.goto(`${program.url}/settings/clean-up`);
    await waitLive(page);
    await page.getByText('1 original that the books had not known and 1 file that nothing is known of lie in this trash.').waitFor();
    await page.getByRole('link', { name: /Look at what was found/ }).click();
    await page.getByText('A machine that does not belong to this house put it there').waitFor();
    await page.getByText('Nothing beside it says where it belongs.').waitFor();
    for (const width of [320, 760, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      const found = await overflow(page);
      assert.ok(found.pixels <= 0, `at ${width}: ${found.elements.join(', ')}`);
    }
    assert.deepEqual(await accessibilityProblems(page), []);
    await page.getByRole('button', { name: /Put it back/ }).click();
    await page.getByText('The original is being put back.').waitFor();
    const whole = await readFile(original);
    await until('the original under its name', async () => (await readFile(join(films, 'Film.mkv')).catch(() => null))?.equals(whole));
    assert.notDeepEqual(await readFile(join(films, 'Film.mkv')), converted);
    assert.ok(existsSync(join(films, '.codecshift', 'trash', '2020-01-01', '7', 'Nobody.mkv')));
    await idle(program);
    assert.deepEqual(
      await readFile(join(films, 'Film.mkv')),
      await readFile(original),
      'what was put back is not converted again by itself',
    );
  },
);
