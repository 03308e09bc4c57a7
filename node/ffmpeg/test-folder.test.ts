import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../testing/database.ts';
import { testFolder } from './test-folder.ts';

test('test encodes go where temporary files go; where there is no room, into a folder of our own; and leave nothing', async (t) => {
  const [temp, data] = [temporaryDirectory(t), temporaryDirectory(t)];
  const own = path.join(data, 'encoder-test');
  const usual = await testFolder(own, { temp });
  assert.equal(path.dirname(usual.path), temp);
  await usual.remove();
  assert.deepEqual(readdirSync(temp), []);

  // one that was killed in the middle left something
  mkdirSync(own);
  writeFileSync(path.join(own, 'test.mkv'), 'half');
  const instead = await testFolder(own, { temp: path.join(temp, 'gone') });
  assert.equal(instead.path, own);
  assert.deepEqual(readdirSync(own), []);
  await instead.remove();
  assert.ok(!existsSync(own));
});

test('without room anywhere it is said where there is none, and what helps', async (t) => {
  const [temp, data] = [temporaryDirectory(t), temporaryDirectory(t)];
  const full = { temp, needs: Number.MAX_SAFE_INTEGER };
  await assert.rejects(testFolder(null, full), {
    name: 'PlainError',
    message: new RegExp(`no room for a test encode in ${temp}: .*TMPDIR`),
  });
  await assert.rejects(testFolder(path.join(data, 'encoder-test'), full), { message: new RegExp(`in ${temp} nor in ${data}`) });
});
