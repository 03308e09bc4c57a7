import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { decodesCleanly, differences } from '../compare.ts';
import { eachDatabase, emptyUrl, temporaryDirectory } from '../database.ts';
import type { DatabaseKind } from '../database.ts';
import { clip, makeLibrary } from '../media.ts';
import { findPostgres, startPostgres } from '../postgres.ts';
import { idle, runProgram, startProgram, until } from '../program.ts';
import type { Program, ProgramOptions } from '../program.ts';
import { unlessAll } from '../thorough.ts';

/** How the program behaves as a process: starting, refusing, stopping, dying, and giving an original back. */

eachDatabase((kind) => {
  // on PostgreSQL the programs of most other stories run
  const skip = kind === 'postgres' ? unlessAll : false;

  test('a library is converted, survives a kill in the middle of an encode, and an original can be put back', { skip }, async (t) => {
    const [folder, dataDir] = [temporaryDirectory(t), temporaryDirectory(t)];
    const [film] = await makeLibrary(folder, ['film', 'hevc', 'text']);
    const database = await databaseOf(t, kind);
    const slow = { ...database, CODECSHIFT_SPEED: 'slow' };

    // on one engine as where nobody ever ran it, with what the machine has
    const fresh = kind === 'embedded';
    const first = await start(t, { dataDir, libraries: [folder], env: slow, fresh });
    await until('a running encode', async () => (await first.api<{ running: unknown[] }>('/status')).running.length > 0);
    await first.kill();
    assert.equal(hash(film!.path), hash(await clip('film')), 'the original changed while nothing was finished');

    const second = await start(t, { dataDir, libraries: [folder], env: { ...database, CODECSHIFT_LEASE: '10' }, fresh });
    const status = await idle(second);
    assert.deepEqual([status.jobs.finished, status.jobs.failed, status.replaced], [1, 0, 1]);
    assert.ok(status.reclaimedBytes > 0);
    const wrong = (await differences(await clip('film'), film!.path)).filter(({ what }) => what !== 'film.codec');
    assert.deepEqual(wrong, []);

    const { items } = await second.api<{ items: { id: number }[] }>('/jobs?state=finished');
    await until('somebody to coordinate who puts it back', async () => {
      const answer = await second.request(`/jobs/${items[0]!.id}/restore`, { method: 'POST', redirect: 'manual' });
      assert.ok(answer.status < 400 || answer.status === 503, `restore answered ${answer.status}: ${await answer.text()}`);
      return answer.status < 400;
    });
    await until('the original back under its name', () => sameAs(film!.path, 'film'));
    await scanAll(second);
    const after = await idle(second);
    assert.deepEqual([after.jobs.waiting, after.jobs.running], [0, 0], 'a restored file was queued again by itself');
    assert.ok(await sameAs(film!.path, 'film'));

    const end = await second.stop();
    assert.deepEqual([end.code, end.signal], [0, null], end.output);
  });

  test('SIGTERM in the middle of an encode ends cleanly, leaves the original, and the next start goes on', { skip }, async (t) => {
    const [folder, dataDir] = [temporaryDirectory(t), temporaryDirectory(t)];
    const [film] = await makeLibrary(folder, ['everything']);
    const database = await databaseOf(t, kind);
    const first = await start(t, { dataDir, libraries: [folder], env: { ...database, CODECSHIFT_SPEED: 'slow' } });
    await until('a running encode', async () => (await first.api<{ running: unknown[] }>('/status')).running.length > 0);
    const end = await first.stop();
    assert.deepEqual([end.code, end.signal], [0, null], end.output);
    assert.ok(await sameAs(film!.path, 'everything'));
    assert.ok(!existsSync(join(dataDir, 'running.json')), 'the command line would still look for it');

    const second = await start(t, { dataDir, env: database });
    const status = await idle(second);
    assert.deepEqual([status.jobs.finished, status.jobs.failed], [1, 0]);
    assert.ok(await decodesCleanly(film!.path));
    await second.stop();
  });

  test('a second program on the same data directory is refused in one sentence', { skip }, async (t) => {
    const dataDir = temporaryDirectory(t);
    const env = await databaseOf(t, kind);
    const first = await start(t, { dataDir, env });
    const second = await runProgram({ dataDir, env });
    assert.equal(second.code, 1);
    assert.match(second.output, /Another CodecShift is running/);
    oneSentence(second.output);
    await until('its coordination', async () => (await first.api<{ reached: boolean }>('/node')).reached);
    await first.page('/'); // the first one does not suffer from it
    await first.stop();
  });

  test('a folder whose disk is away is not read as "everything was deleted"', { skip }, async (t) => {
    const [parent, dataDir] = [temporaryDirectory(t), temporaryDirectory(t)];
    const folder = join(parent, 'disk');
    await makeLibrary(folder, ['hevc', 'vp9', 'text']);
    const program = await start(t, { dataDir, libraries: [folder], env: await databaseOf(t, kind) });
    await idle(program);
    const before = await filesOf(program);
    renameSync(folder, `${folder} away`);
    await scanAll(program);
    assert.equal(await filesOf(program), before, 'files were forgotten while the disk was away');
    renameSync(`${folder} away`, folder);
    await scanAll(program);
    assert.equal(await filesOf(program), before);
    await program.stop();
  });
});

suite('what is wrong is said in one sentence, with exit code 1', () => {
  test('a port that is taken', async (t) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    t.after(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const end = await runProgram({ dataDir: temporaryDirectory(t), port });
    assert.equal(end.code, 1, end.output);
    assert.match(end.output, new RegExp(`Port ${port} is already in use`));
    oneSentence(end.output);
  });

  test('a library that is not there', async (t) => {
    const end = await runProgram({ dataDir: temporaryDirectory(t), libraries: [join(temporaryDirectory(t), 'nowhere')] });
    assert.equal(end.code, 1, end.output);
    assert.match(end.output, /nowhere is not there/);
    oneSentence(end.output);
  });

  test('an address of another machine that is none', async (t) => {
    const end = await runProgram({ dataDir: temporaryDirectory(t), args: ['--peer', 'nas:port'] });
    assert.equal(end.code, 1, end.output);
    assert.match(end.output, /"nas:port" is no address of another machine/);
    oneSentence(end.output);
  });

  test('a data directory that is a file', async (t) => {
    const dataDir = join(temporaryDirectory(t), 'file');
    writeFileSync(dataDir, '');
    const end = await runProgram({ dataDir });
    assert.equal(end.code, 1, end.output);
    assert.match(end.output, /data directory .* cannot be used/);
    oneSentence(end.output);
  });

  test('an ffmpeg that is none', async (t) => {
    const end = await runProgram({ dataDir: temporaryDirectory(t), args: ['--ffmpeg', process.execPath] });
    assert.equal(end.code, 1, end.output);
    assert.match(end.output, /ffmpeg/);
    oneSentence(end.output);
  });

  test('a database that does not answer', async (t) => {
    const end = await runProgram({
      dataDir: temporaryDirectory(t),
      env: { DATABASE_URL: 'postgres://nobody:secret-word@127.0.0.1:9/nothing' },
    });
    assert.equal(end.code, 1, end.output);
    assert.match(end.output, /database|PostgreSQL/i);
    assert.doesNotMatch(end.output, /secret-word/, 'the password is in the output');
    oneSentence(end.output);
  });

  test('a folder inside another one, found out when everything runs already: nothing of it keeps the process alive', async (t) => {
    const library = temporaryDirectory(t);
    mkdirSync(join(library, 'inside'));
    const end = await runProgram({ dataDir: temporaryDirectory(t), libraries: [library, join(library, 'inside')] });
    assert.notEqual(end.code, 0);
    assert.match(end.output, /overlaps/);
    oneSentence(end.output);
  });

  test('an option that does not exist', async (t) => {
    const end = await runProgram({ dataDir: temporaryDirectory(t), args: ['--libary', '/films'] });
    assert.equal(end.code, 2, end.output);
    assert.match(end.output, /libary/);
  });
});

test('a member whose database is away while it starts says so on its page, waits, and coordinates when it is back', async (t) => {
  if (findPostgres() === null) return t.skip('no PostgreSQL on this machine');
  const server = await startPostgres();
  t.after(() => server.stop());
  const dataDir = temporaryDirectory(t);
  const env = { DATABASE_URL: server.url };
  const first = await start(t, { dataDir, env });
  await until('its coordination', async () => (await first.api<{ reached: boolean }>('/node')).reached);
  await first.stop();
  await server.halt('immediate');

  const second = await start(t, { dataDir, env });
  const page = await second.request('/');
  assert.equal(page.status, 503);
  assert.match(await page.text(), /cannot be reached .* This machine waits for it\./s);
  await server.resume();
  await until('its coordination after the return', async () => (await second.api<{ reached: boolean }>('/node')).reached);
  await second.page('/');
  const end = await second.stop();
  assert.deepEqual([end.code, end.signal], [0, null], end.output);
});

test('without a library the program opens with a page that says what to do', async (t) => {
  const program = await start(t, { dataDir: temporaryDirectory(t) });
  assert.match(await program.page('/'), /folder|library/i);
  const library = temporaryDirectory(t);
  await makeLibrary(library, ['film']);
  await program.api('/libraries', { path: library, name: 'Added on the page' });
  const status = await idle(program);
  assert.equal(status.replaced, 1);
  await program.stop();
});

async function start(t: Cleanup, options: ProgramOptions): Promise<Program> {
  const program = await startProgram(options);
  t.after(async () => void (await program.kill()));
  return program;
}

interface Cleanup {
  after(fn: () => Promise<void> | void): void;
}

async function databaseOf(t: Cleanup, kind: DatabaseKind): Promise<Record<string, string>> {
  return kind === 'postgres' ? { DATABASE_URL: await emptyUrl(t) } : {};
}

async function filesOf(program: Program): Promise<number> {
  const { items } = await program.api<{ items: { files: number }[] }>('/libraries');
  return items.reduce((sum, { files }) => sum + files, 0);
}

/** Asks for a scan and waits for the end of one that began afterwards. */
async function scanAll(program: Program): Promise<void> {
  const lastScan = async (): Promise<{ id: number; state: string } | null> =>
    (await program.api<{ items: { scan: { id: number; state: string } | null }[] }>('/libraries')).items[0]?.scan ?? null;
  const before = (await lastScan())?.id ?? 0;
  // one that runs already may have begun before, and is none
  await until('a scan to begin', async () => (await program.api<{ started: number }>('/scan', {})).started > 0);
  await until('the end of a new scan', async () => {
    const scan = await lastScan();
    return scan !== null && scan.id > before && scan.state !== 'running';
  });
}

/** A person reads one or two lines, no stack and no JSON. */
function oneSentence(output: string): void {
  const lines = output
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('{'));
  assert.ok(lines.length <= 2, `not one sentence:\n${output}`);
  assert.doesNotMatch(output, /\n\s+at /, 'a stack trace reached a person');
}

async function sameAs(path: string, name: Parameters<typeof clip>[0]): Promise<boolean> {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true && hash(path) === hash(await clip(name));
}

function hash(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
