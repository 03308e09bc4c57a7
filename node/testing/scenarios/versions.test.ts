import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { createLibrary } from '../../../scripts/chaos/library.ts';
import { seeded } from '../../../scripts/chaos/random.ts';
import type { Standing } from '../../core/standing.ts';
import { openBooks } from '../books.ts';
import { emptyUrl, havePostgres, temporaryDirectory } from '../database.ts';
import { freePorts } from '../free-ports.ts';
import { clip, makeLibrary } from '../media.ts';
import { makeNextVersion } from '../next-version.ts';
import { idle, runProgram, startProgram, until } from '../program.ts';
import type { Program } from '../program.ts';
import { unlessAll } from '../thorough.ts';
import { repository } from '../tools.ts';

/** The coordinator is upgraded so far that a worker of before can not work for it any more. */
const skip = havePostgres() ? false : 'the books are read in an external PostgreSQL, which this machine does not have';

suite('a worker that is too old for its coordinator', { skip }, () => {
  test('says so, takes nothing, keeps what it finished, and hands it in once it is upgraded', { timeout: 900_000 }, async (t) => {
    const [films, base] = [temporaryDirectory(t), temporaryDirectory(t)];
    const next = makeNextVersion(temporaryDirectory(t), { version: '0.3.0', speaks: { min: 2, max: 3 } });
    const url = await emptyUrl(t);
    const books = openBooks(url);
    t.after(() => books.close());
    const ports = await freePorts(9);
    const library = createLibrary(films, join(base, 'pristine'), seeded(3));
    const running = new Set<Program>();
    t.after(async () => {
      for (const program of running) {
        if (!t.passed) t.diagnostic(program.output().slice(-3000));
        await program.kill();
      }
    });
    const start = async (name: 'atlas' | 'tower' | 'attic', entry: string | null, token?: string): Promise<Program> => {
      const port = ports + 3 * ['atlas', 'tower', 'attic'].indexOf(name);
      const leads = name === 'atlas';
      const program = await startProgram({
        dataDir: join(base, `machine-${name}`),
        libraries: leads ? [films] : [],
        args: [
          '--name',
          name,
          '--mesh-port',
          String(port),
          ...(leads ? [] : ['--peer', `127.0.0.1:${ports}`]),
          ...(token ? ['--join', token] : []),
        ],
        env: leads
          ? { DATABASE_URL: url, CODECSHIFT_LEASE: '60', CODECSHIFT_AT_ONCE: '1', CODECSHIFT_SPEED: 'slow' }
          : { CODECSHIFT_CLUSTER: 'join' },
        ...(entry ? { entry } : {}),
      });
      running.add(program);
      return program;
    };
    const stop = async (program: Program): Promise<void> => {
      running.delete(program);
      await program.stop();
    };
    const hereOf = async (program: Program): Promise<Standing> =>
      ((await (await program.request('/api/v1/node')).json()) as { standing: Standing }).standing;

    const atlas = await start('atlas', null);
    const own = await until('its own machine', async () => (await atlas.api<{ items: { id: string }[] }>('/nodes')).items[0]);
    await atlas.api(`/nodes/${own.id}/drain`, {});
    const { token } = await atlas.api<{ token: string }>('/nodes/tokens', { uses: 2 });
    const tower = await start('tower', null, token);
    await library.add({ kind: 'film', long: true });
    await until('a scan', () =>
      atlas.api('/scan', {}).then(
        () => true,
        () => false,
      ),
    );
    await until('tower to encode', async () => {
      const { running: now } = await atlas.api<{ running: { progress: { phase: string } | null }[] }>('/status');
      return now[0]?.progress?.phase === 'encoding';
    });
    running.delete(atlas);
    await atlas.kill();

    const newer = await start('atlas', next.entry);
    const says =
      /This machine runs CodecShift 0\.1\.0, the coordinator atlas 0\.3\.0: .* Upgrade this machine\. .*takes no work; .* handed in afterwards/;
    const standing = await until('tower to know', async () => {
      const here = await hereOf(tower);
      return here.state === 'member' && here.version?.state === 'apart' ? here : null;
    });
    assert.match(standing.version!.says, says);
    await until('its console', () => says.test(tower.output()));
    assert.match(await (await tower.request('/node', { headers: { accept: 'text/html' } })).text(), /the coordinator atlas 0\.3\.0/);
    const outbox = join(base, 'machine-tower', 'outbox');
    await until('its encode to end', () => readdirSync(outbox).some((file) => file.endsWith('.json')));
    const shown = await until('the page of the coordinator', async () => {
      const text = await (await newer.request('/nodes', { headers: { accept: 'text/html' } })).text();
      return text.includes('Too old to work with the coordinator, which runs 0.3.0. Upgrade this machine') ? text : null;
    });
    assert.match(shown, /Other version/);

    const { output } = await start('attic', null, token).then((attic) => attic);
    const refused = await until('a newcomer of the same age to be refused', async () => {
      const attic = [...running].find((program) => program.output === output)!;
      const here = await hereOf(attic);
      return here.state === 'rejected' ? here : null;
    });
    assert.match(refused.why, /^attic runs CodecShift 0\.1\.0, which is too old to work with .* \(0\.3\.0\)\. Upgrade attic\.$/);

    // longer than the lease, and it is still kept for it. The lease is long enough for a restart on a busy machine
    const held = await until('its lease to have been renewed', async () => {
      const [row] = await books.query<{ n: number; state: string }>(
        `select extract(epoch from now() - a.started_at)::int as n, a.state from attempts a order by id limit 1`,
      );
      return row!.n > 75 ? row! : null;
    });
    assert.equal(held.state, 'running');
    assert.ok(
      readdirSync(outbox).some((file) => file.endsWith('.json')),
      'what it finished is gone',
    );
    await stop(tower);
    await start('tower', next.entry);
    await books.quiet();
    assert.deepEqual(
      (await books.jobs()).map(({ state, outcome, attempts }) => [state, outcome, attempts]),
      [['completed', 'replaced', ['succeeded']]],
    );
  });
});

suite('a version that was upgraded and is started again as it was', { skip: unlessAll || skip }, () => {
  test('refuses in words and leaves the database as it is; the backup that it names leads back', { timeout: 900_000 }, async (t) => {
    const dataDir = temporaryDirectory(t);
    const next = makeNextVersion(temporaryDirectory(t), { version: '0.2.0', speaks: { min: 1, max: 2 } });
    for (const entry of [null, next.entry]) {
      const program = await startProgram({ dataDir, ...(entry ? { entry } : {}) });
      await program.stop();
    }
    const end = await runProgram({ dataDir });
    assert.equal(end.code, 1, end.output);
    assert.match(end.output, /written by a newer CodecShift \(0\.2\.0\)/);
    const named = /codecshift restore (\S+\.tar\.gz)/.exec(end.output)?.[1];
    assert.ok(named?.includes('before-upgrade-from-'), end.output);
    const again = await startProgram({ dataDir, entry: next.entry });
    assert.equal((await again.api<{ items: unknown[] }>('/nodes')).items.length, 1);
    await again.stop();

    const way = [join(repository, 'scripts', 'node.cjs'), join(repository, 'node', 'main.ts'), 'restore', named!, '--replace', '--yes'];
    await promisify(execFile)(process.execPath, [...way, '--data-dir', dataDir]);
    const back = await startProgram({ dataDir });
    assert.equal((await back.api<{ items: { version: string }[] }>('/nodes')).items[0]?.version, '0.1.0');
    await back.stop();
    assert.ok(
      readdirSync(dataDir).some((name) => name.startsWith('database.before-restore-')),
      'what the newer version made is gone',
    );
  });
});

suite('a house with a PostgreSQL of its own that goes back to the older version', { skip: unlessAll || skip }, () => {
  test('begins from the backup in an empty database, converts no film again and puts back an original', { timeout: 900_000 }, async (t) => {
    const [dataDir, folder] = [temporaryDirectory(t), temporaryDirectory(t)];
    const [url, empty] = [await emptyUrl(t), await emptyUrl(t)];
    const next = makeNextVersion(temporaryDirectory(t), { version: '0.2.0', speaks: { min: 1, max: 2 } });
    const running = new Set<Program>();
    t.after(() => Promise.all([...running].map((program) => program.kill())));
    const start = async (databaseUrl: string, entry?: string): Promise<Program> => {
      const program = await startProgram({ dataDir, libraries: [folder], env: { DATABASE_URL: databaseUrl }, ...(entry ? { entry } : {}) });
      running.add(program);
      return program;
    };
    const stop = (program: Program): Promise<unknown> => (running.delete(program), program.stop());
    const restore = (...more: string[]): Promise<unknown> => {
      const words = ['restore', backup!, '--yes', '--data-dir', dataDir, '--database-url', ...more];
      return promisify(execFile)(process.execPath, [
        join(repository, 'scripts', 'node.cjs'),
        join(repository, 'node', 'main.ts'),
        ...words,
      ]);
    };

    const [first] = await makeLibrary(folder, ['film']);
    const original = readFileSync(first!.path);
    const before = await start(url);
    assert.equal((await idle(before)).replaced, 1);
    await stop(before);
    const newer = await start(url, next.entry);
    const second = join(folder, 'Later (2026).mkv');
    copyFileSync(await clip('film'), second);
    await newer.api('/scan', {});
    await until('the second film', async () => (await newer.api<{ replaced: number }>('/status').catch(() => null))?.replaced === 2);
    await stop(newer);
    const [converted, later] = [readFileSync(first!.path), readFileSync(second)];

    const older = await start(url);
    const text = await until('it to say what it cannot do', async () => {
      const shown = await (await older.request('/node', { headers: { accept: 'text/html' } })).text();
      return shown.includes('written by a newer CodecShift (0.2.0)') ? shown : null;
    });
    const backup = /codecshift restore (\S+before-upgrade-from-\S+\.tar\.gz) --database-url/.exec(text)?.[1];
    assert.ok(backup, text);
    await stop(older);
    await assert.rejects(restore(url, '--replace'), /brought up to date by a newer CodecShift.* make a new, empty database/);
    await restore(empty);

    const back = await start(empty);
    await until('the scan of both films', async () => {
      const { items } = await back.api<{ items: { codec: string }[] }>('/files');
      return items.length === 2 && items.every(({ codec }) => codec === 'hevc');
    });
    assert.equal((await idle(back)).replaced, 1, 'the books are of before the upgrade');
    assert.deepEqual([readFileSync(first!.path), readFileSync(second)], [converted, later], 'neither film was touched');
    const { items } = await back.api<{ items: { id: number }[] }>('/jobs?state=finished');
    await until('somebody to coordinate who puts it back', async () => {
      const { status } = await back.request(`/jobs/${items[0]!.id}/restore`, { method: 'POST', redirect: 'manual' });
      assert.ok(status < 400 || status === 503, `${status}`);
      return status < 400;
    });
    await until('the original under its name', () => readFileSync(first!.path).equals(original));
    await stop(back);
  });
});
