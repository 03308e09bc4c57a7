import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { programFile } from './program.ts';
import { temporaryDirectory } from './testing/database.ts';
import { unpack } from './unpacked.ts';

/** Any folder of the program will do; `static` has files at two depths. */
test('a folder of the program is copied once, and made anew when anything in the copy differs', (t) => {
  const into = join(temporaryDirectory(t), 'copy');
  assert.equal(unpack('static', into), into);
  const icons = join(into, 'icons.svg');
  const first = statSync(into).ino;
  whole();
  unpack('static', into);
  assert.equal(statSync(into).ino, first, 'what was right was written again');

  for (const spoil of [
    () => writeFileSync(icons, readFileSync(icons).subarray(0, 100)),
    () => rmSync(join(into, 'css', 'base.css')),
    () => writeFileSync(join(into, 'of an older version.js'), ''),
    () => {
      rmSync(into, { recursive: true });
      writeFileSync(into, 'a file where the folder should be');
    },
    () => {
      rmSync(into, { recursive: true });
      mkdirSync(`${into}.new`); // ended in the middle of the first copy
      writeFileSync(join(`${into}.new`, 'half'), '');
    },
  ]) {
    spoil();
    unpack('static', into);
    whole();
  }
  assert.deepEqual(readdirSync(join(into, '..')), ['copy']);

  function whole(): void {
    const names = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
    assert.deepEqual(names(into), names(programFile('static')));
    assert.ok(readFileSync(icons).equals(readFileSync(programFile('static', 'icons.svg'))));
  }
});
