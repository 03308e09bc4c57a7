import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { codecshift } from '../testing/command-line.ts';
import { temporaryDirectory } from '../testing/database.ts';
import { freePorts } from '../testing/free-ports.ts';
import { startProgram, until } from '../testing/program.ts';
import { startFront } from '../testing/front.ts';

suite('stop', () => {
  test('ends the program in order and waits for its end', async (t) => {
    const [folder, dataDir] = [temporaryDirectory(t), temporaryDirectory(t)];
    const program = await startProgram({ dataDir, libraries: [folder] });
    t.after(() => program.kill());
    await until('the library', async () => (await program.api<{ items: unknown[] }>('/libraries')).items.length === 1);
    const said = await codecshift('stop', '--data-dir', dataDir, '--json');
    assert.deepEqual([said.code, JSON.parse(said.stdout)], [0, { stopped: true, pid: program.pid }]);
    assert.equal((await program.ended).code, 0, 'a service manager must not take it for a crash');

    const again = await codecshift('stop', '--data-dir', dataDir);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /^CodecShift is not running here\./);

    // a disk that is not mounted leaves an empty directory behind, and a service starts with the same command at every boot
    renameSync(folder, `${folder}.away`);
    mkdirSync(folder);
    const second = await startProgram({ dataDir, libraries: [folder] });
    t.after(() => second.kill());
    await until('the sentence about it', () => second.output().includes('this library is not there now'));
    assert.deepEqual(readdirSync(folder), [], 'the empty directory became a library');
    assert.equal((await second.api<{ items: unknown[] }>('/libraries')).items.length, 1);
    assert.equal(existsSync(join(`${folder}.away`, '.codecshift', 'root.json')), true);
  });

  test('is for the command line of this machine alone', async (t) => {
    const front = await startFront(t, 'tower', {});
    const ask = (headers: Record<string, string>, body: object = {}): Promise<Response> =>
      fetch(`${front.url}/api/v1/node/stop`, {
        method: 'POST',
        headers: { origin: front.url, 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
    assert.equal((await ask({})).status, 403, 'a page where everybody may change everything');
    assert.equal((await ask({ authorization: 'Bearer cs_guessed' })).ok, false);
    const own = { authorization: `Bearer ${front.secret}` };
    assert.equal((await ask(own, { how: 'rm -rf' })).ok, false);
    assert.deepEqual(front.asked, []);
    assert.equal((await ask(own, { how: 'finish' })).status, 202);
    assert.deepEqual(front.asked, [['stop', 'finish']]);
  });
});

test('a program that crashed and left its address behind is called so, also by whoever wants a file of it', async (t) => {
  const dataDir = temporaryDirectory(t);
  const port = await freePorts(1);
  const runtime = { url: `http://127.0.0.1:${port}`, pid: process.pid, secret: 'none' };
  writeFileSync(join(dataDir, 'running.json'), JSON.stringify(runtime));
  const said = await codecshift('support-bundle', '--data-dir', dataDir, '--out', join(dataDir, 'bundle.tar.gz'));
  assert.equal(said.code, 1);
  assert.match(said.stderr, /^CodecShift does not answer at http:\/\/127\.0\.0\.1:\d+\. Start it with/);
});
