import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openBooks } from '../books.ts';
import { emptyUrl, havePostgres, temporaryDirectory } from '../database.ts';
import { clip, makeLibrary } from '../media.ts';
import { idle, startProgram, until, type Program } from '../program.ts';

/**
 * A house with a history, as a person takes care of it: backed up, burnt down and put back; put back from the page while it
 * runs; moved to an external database and back. The original of a film converted before can be put back after all of it.
 */
const main = path.join(import.meta.dirname, '..', '..', 'main.ts');
const run = promisify(execFile);

test(
  'a house is backed up, burnt down, put back, moved to an external database and home again, and its original is still there',
  { timeout: 900_000 },
  async (t) => {
    const [folder, dataDir, elsewhere] = [temporaryDirectory(t), temporaryDirectory(t), temporaryDirectory(t)];
    const [film] = await makeLibrary(folder, ['film']);
    const original = hash(await clip('film'));
    const passFile = path.join(elsewhere, 'passphrase');
    writeFileSync(passFile, 'four horses on a roof\n');
    const words = ['--data-dir', dataDir, '--json'];

    let program = await start({ dataDir, libraries: [folder] });
    assert.equal((await idle(program)).replaced, 1);
    assert.notEqual(hash(film!.path), original);
    const file = path.join(elsewhere, 'house.tar.gz.enc');
    const made = await codecshift(['backup', '--out', file, '--passphrase-file', passFile, ...words]);
    assert.deepEqual([made['encrypted'], made['keys']], [true, true]);
    assert.equal((await codecshift(['backup', 'verify', file, '--passphrase-file', passFile, '--json']))['good'], true);
    const before = await statusOf(program);
    await program.kill();

    // burnt down: nothing of the data directory is left
    const identity = readFileSync(path.join(dataDir, 'node.key'));
    rmSync(dataDir, { recursive: true });
    mkdirSync(dataDir);
    await codecshift(['restore', file, '--passphrase-file', passFile, '--yes', ...words]);
    assert.deepEqual(readFileSync(path.join(dataDir, 'node.key')), identity, 'the machine is itself again');
    await assert.rejects(codecshift(['restore', file, '--passphrase-file', passFile, '--yes', ...words]), /say --replace/);
    program = await start({ dataDir });
    assert.deepEqual(await statusOf(program), before);
    assert.deepEqual(await incarnationAndLibrary(program), ['Backed up and put back', 1]);

    // put back from the page, while it runs
    const { items } = await program.api<{ items: { name: string }[] }>('/backups');
    assert.deepEqual(items, []);
    await program.api('/backups', { keys: true });
    await until('a backup', async () => (await backups(program)).last?.good);
    await program.api('/pause', {});
    const { name } = (await backups(program)).items[0]!;
    await program.api(`/backups/${name}/restore`, { confirm: true });
    const restored = await until('the restore', async () => {
      const state = await backups(program).catch(() => null);
      return state?.last?.what === 'restore' && state.now === null ? state : null;
    });
    assert.equal(restored.last!.good, true, restored.last!.says.join(' '));
    assert.ok(restored.items.some(({ label }) => label === 'before-restore'));
    assert.equal((await program.api<{ paused: boolean }>('/status')).paused, false, 'what came after the backup is forgotten');
    assert.ok(readdirSync(dataDir).some((each) => each.startsWith('database.before-restore-')));
    if (!havePostgres()) return void (await program.stop());

    // moved out, and home again
    const url = await emptyUrl(t);
    await assert.rejects(codecshift(['database', 'move', '--to', url, '--yes', ...words]), /Another CodecShift is running/);
    await program.stop();
    const moved = await codecshift(['database', 'move', '--to', url, '--yes', ...words]);
    assert.equal(existsSync(path.join(dataDir, 'database')), false);
    program = await start({ dataDir });
    assert.deepEqual(await statusOf(program), before);
    const books = openBooks(url);
    assert.equal((await books.files())[0]?.codec, 'hevc');
    await books.close();
    await program.stop();
    const home = await codecshift(['database', 'move', '--to', 'embedded', '--yes', ...words]);
    assert.ok(rowsOf(home) >= rowsOf(moved));
    await assert.rejects(
      run(process.execPath, [
        main,
        'run',
        '--data-dir',
        elsewhere,
        '--database-url',
        url,
        '--port',
        '0',
        '--mesh-port',
        '0',
        '--cluster',
        'new',
      ]),
      /everything is in the built-in database of/,
    );

    program = await start({ dataDir });
    const jobs = await program.api<{ items: { id: number }[] }>('/jobs?state=finished');
    const answer = await program.request(`/jobs/${jobs.items[0]!.id}/restore`, { method: 'POST', redirect: 'manual' });
    assert.ok(answer.status < 400, await answer.text());
    await until('the original under its name', () => hash(film!.path) === original);
    await program.stop();

    async function start(options: Parameters<typeof startProgram>[0]): Promise<Program> {
      // the nightly one, at three, would be a backup that nobody here made
      const started = await startProgram({ ...options, env: { CODECSHIFT_BACKUP_NIGHTLY: 'false', ...options.env } });
      t.after(() => started.kill().catch(() => undefined));
      return started;
    }
  },
);

interface State {
  items: { name: string; label: string }[];
  now: unknown;
  last: { what: string; good: boolean; says: string[] } | null;
}

function backups(program: Program): Promise<State> {
  return program.api<State>('/backups');
}

async function statusOf(program: Program): Promise<unknown> {
  return until('a settled status', async () => {
    const { jobs, replaced, reclaimedBytes } = await program
      .api<{ jobs: Record<string, number>; replaced: number; reclaimedBytes: number }>('/status')
      .catch(() => ({ jobs: null, replaced: 0, reclaimedBytes: 0 }));
    return jobs && jobs['waiting'] === 0 && jobs['running'] === 0 ? { jobs, replaced, reclaimedBytes } : null;
  });
}

async function incarnationAndLibrary(program: Program): Promise<[string, number]> {
  const { items } = await program.api<{ items: unknown[] }>('/libraries');
  const { items: story } = await program.api<{ items: { kind: string }[] }>('/activity');
  return [story.some(({ kind }) => kind === 'backup-restored') ? 'Backed up and put back' : 'nothing was told', items.length];
}

function rowsOf(answer: Record<string, unknown>): number {
  return (answer['comparison'] as { rows: number }).rows;
}

async function codecshift(words: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await run(process.execPath, [main, ...words]).catch((error: { stderr: string }) => {
    throw new Error(error.stderr);
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

function hash(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
