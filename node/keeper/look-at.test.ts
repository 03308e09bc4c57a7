import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adoptRoot, openRoot } from '../files/roots.ts';
import { temporaryDirectory } from '../testing/database.ts';
import { lookAt } from './look-at.ts';

test('files are looked for by name and size, links and ways out are none, and a disk that is away is no answer', async (t) => {
  const [disk, elsewhere] = [temporaryDirectory(t), temporaryDirectory(t)];
  mkdirSync(join(disk, 'Films'));
  writeFileSync(join(disk, 'Films', 'a.mkv'), 'twelve bytes');
  writeFileSync(join(elsewhere, 'b.mkv'), 'not here');
  symlinkSync(join(elsewhere, 'b.mkv'), join(disk, 'Films', 'b.mkv'));
  symlinkSync(elsewhere, join(disk, 'Away'));
  const adopted = await adoptRoot(disk);
  const root = await openRoot({ path: adopted.rootPath, id: adopted.rootId });
  const paths = [
    'Films/a.mkv',
    'Films/A.mkv',
    'Films',
    'Films/b.mkv',
    'Away/b.mkv',
    'None/c.mkv',
    'Films/a.mkv/x',
    `${'x'.repeat(300)}.mkv`,
  ];
  assert.deepEqual(await lookAt(root, paths), [12, null, null, null, null, null, null, null]);
  rmSync(join(disk, '.codecshift'), { recursive: true });
  await assert.rejects(lookAt(root, ['Films/a.mkv']), /does not hold its library at the moment/);
});
