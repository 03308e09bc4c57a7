import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { lockDirectory } from '../db/directory-lock.ts';
import { codecshift } from '../testing/command-line.ts';
import { temporaryDirectory } from '../testing/database.ts';

const name = 'codecshift-backup-home-2026-11-30T09-00-00-manual.tar.gz';
const nightly = 'codecshift-backup-home-2026-11-30T09-00-01-nightly.tar.gz';
const taken = '2026-11-30T09:00:00.000Z';

/** A program that runs with a data directory, as far as a backup asks it. */
async function program(
  t: TestContext,
  answers: { file?: string; remove?: number; night?: boolean } = {},
): Promise<{ dataDir: string; asked: string[]; backups: string }> {
  const dataDir = temporaryDirectory(t);
  const backups = join(dataDir, 'backups');
  const asked: string[] = [];
  const state = {
    now: null,
    last: { what: 'backup', good: true, says: [`${answers.night ? nightly : name} was made and read back: 7 rows.`], at: taken },
    folder: backups,
    items: [{ name: 'an earlier one', bytes: 5, rows: 3, label: 'manual', verifiedAt: taken }],
  };
  const server = createServer((request, response) => {
    const call = `${request.method} ${request.url!.replace('/api/v1', '')}`;
    asked.push(call);
    request.resume();
    if (call.endsWith('/file')) return response.end(answers.file ?? 'the bytes');
    response.setHeader('content-type', 'application/json');
    if (call.endsWith('/remove') && answers.remove) {
      response.statusCode = answers.remove;
      return response.end(JSON.stringify({ error: { message: 'The disk is read-only.' } }));
    }
    response.end(JSON.stringify(call === 'GET /backups' ? state : {}));
    if (call !== 'POST /backups') return;
    if (answers.night) state.items.unshift({ name: nightly, bytes: 9, rows: 7, label: 'nightly', verifiedAt: taken });
    state.items.push({ name, bytes: 9, rows: 7, label: 'manual', verifiedAt: taken });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  const lock = lockDirectory(dataDir);
  t.after(() => lock.release());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  writeFileSync(join(dataDir, 'running.json'), JSON.stringify({ url, pid: process.pid, secret: 'x', ready: true }));
  return { dataDir, asked, backups };
}

suite('a backup into a file, while the program runs', () => {
  test('leaves that file and nothing in the folder of backups', async (t) => {
    const { dataDir, asked } = await program(t);
    const out = join(temporaryDirectory(t), 'house.tar.gz');
    const made = await codecshift('backup', '--out', out, '--data-dir', dataDir);
    assert.deepEqual([made.code, made.stderr], [0, '']);
    assert.equal(made.stdout, `house.tar.gz was made and read back: 7 rows.\n${out} (9 B)\n`);
    assert.equal(readFileSync(out, 'utf8'), 'the bytes');
    assert.deepEqual(asked, ['GET /backups', 'POST /backups', 'GET /backups', `GET /backups/${name}/file`, `POST /backups/${name}/remove`]);
  });

  test('leaves the one of the night alone, which was made a moment later', async (t) => {
    const { dataDir, asked } = await program(t, { night: true });
    const made = await codecshift('backup', '--out', join(temporaryDirectory(t), 'house.tar.gz'), '--data-dir', dataDir);
    assert.match(made.stdout, /^house\.tar\.gz was made and read back\.\n/);
    assert.deepEqual(asked.slice(-2), [`GET /backups/${name}/file`, `POST /backups/${name}/remove`]);
  });

  test('says where a second copy stays that could not be removed', async (t) => {
    const { dataDir, backups } = await program(t, { remove: 409 });
    const out = join(temporaryDirectory(t), 'house.tar.gz');
    const made = await codecshift('backup', '--out', out, '--data-dir', dataDir);
    assert.equal(made.code, 0);
    assert.ok(
      made.stdout.includes(
        `A second copy of it stays in ${join(backups, name)}, because it could not be removed: The disk is read-only.\n`,
      ),
      made.stdout,
    );
  });

  test('leaves the one that was made where it is as long as the file is not whole', async (t) => {
    const { dataDir, asked, backups } = await program(t, { file: 'half' });
    const out = join(temporaryDirectory(t), 'house.tar.gz');
    const made = await codecshift('backup', '--out', out, '--data-dir', dataDir);
    assert.deepEqual([made.code, existsSync(out)], [1, false]);
    assert.ok(made.stderr.endsWith(`The backup was made all the same and is in ${join(backups, name)}.\n`), made.stderr);
    assert.ok(!asked.some((call) => call.endsWith('/remove')));
  });

  test('is not begun when the file cannot be made', async (t) => {
    const { dataDir, asked } = await program(t);
    const folder = temporaryDirectory(t);
    writeFileSync(join(folder, 'there'), 'mine');
    const refusal = async (out: string): Promise<string> => (await codecshift('backup', '--out', out, '--data-dir', dataDir)).stderr;
    assert.equal(
      await refusal(join(folder, 'nowhere', 'x.tar.gz')),
      `The folder ${join(folder, 'nowhere')} is not there. Make it first, or name another one.\n`,
    );
    assert.equal(await refusal(join(folder, 'there')), `${join(folder, 'there')} is there already; nothing is overwritten.\n`);
    assert.equal(await refusal(folder), `${folder} is a folder. Name a file in it.\n`);
    assert.equal(readFileSync(join(folder, 'there'), 'utf8'), 'mine');
    assert.deepEqual([asked, readdirSync(folder)], [[], ['there']]);
  });
});

test('a folder in the place of a backup is said to be one', async (t) => {
  const films = join(temporaryDirectory(t), 'films');
  mkdirSync(films);
  const said = `${films} is a folder. Name the file of one backup.\n`;
  const dataDir = join(temporaryDirectory(t), 'data');
  assert.equal((await codecshift('backup', 'verify', films)).stderr, said);
  assert.equal((await codecshift('restore', films, '--data-dir', dataDir, '--yes')).stderr, said);
  assert.equal(existsSync(dataDir), false);
});
