import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { connectDatabase } from '../db/connect.ts';
import { emptyUrl, havePostgres, quietLog, temporaryDirectory } from '../testing/database.ts';
import { copyEmbedded } from '../testing/embedded-template.ts';
import { repository } from '../testing/tools.ts';
import { foreignWords } from './database.ts';

interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

function move(dataDir: string, ...words: string[]): Promise<Said> {
  const all = [join(repository, 'node', 'main.ts'), 'database', 'move', ...words, '--data-dir', dataDir];
  return new Promise((resolve) => {
    execFile(process.execPath, all, (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }));
  });
}

suite('the database is not moved', () => {
  test('to two places, nor to where it is', async (t) => {
    const dataDir = temporaryDirectory(t);
    const file = join(dataDir, 'address');
    writeFileSync(file, 'postgres://a/b');
    assert.deepEqual(await move(dataDir, '--to', 'embedded', '--to-file', file), {
      ...{ code: 1, stdout: '', stderr: '--to and --to-file exclude each other: say one of them.\n' },
    });
    assert.equal(
      (await move(dataDir, '--to', 'embedded')).stderr,
      'This machine uses the built-in database already, so there is nothing to move.\n',
    );
  });

  test('to a server that refuses it, which is told by the option that named it', { skip: !havePostgres() }, async (t) => {
    const dataDir = temporaryDirectory(t);
    await copyEmbedded(dataDir);
    const wrong = new URL(await emptyUrl(t));
    wrong.pathname = '/no-such-database';
    const file = join(dataDir, 'address');
    writeFileSync(file, wrong.href);
    assert.match((await move(dataDir, '--to', wrong.href, '--yes')).stderr, /has no such database\. Create it first, or check --to\.\n$/);
    assert.match((await move(dataDir, '--to-file', file, '--yes')).stderr, /or check --to-file\.\n$/);
    assert.ok(existsSync(join(dataDir, 'database')));
  });
});

test('tables of somebody else at the destination are named before it is moved there', { skip: !havePostgres() }, async (t) => {
  const dataDir = temporaryDirectory(t);
  await copyEmbedded(dataDir);
  const url = await emptyUrl(t);
  const there = await connectDatabase({ url, dataDir, log: quietLog(), migrations: null });
  await there.query('create table photos (id int)');
  await there.close();
  const { stderr } = await move(dataDir, '--to', url);
  const [heed, question] = stderr.split('\n');
  assert.match(heed!, /^Heed: test_\w+ on .* is not empty\. It has tables that are not of CodecShift \(photos\)\./);
  assert.match(question!, /^Move the built-in database to test_\w+ on .*\? Say --yes\.$/);
  assert.match(foreignWords('x', ['a', 'b', 'c', 'd', 'e']), /\(a, b, c and 2 more\)/);
});
