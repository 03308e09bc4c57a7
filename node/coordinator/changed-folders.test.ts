import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isWithin, outermost } from './changed-folders.ts';

test('of changed folders the outermost stand for all, and none for another that only begins like it', () => {
  assert.deepEqual(outermost(['a/b', 'a', 'a b', 'a/b/c', 'ab/c']), ['a', 'a b', 'ab/c']);
  assert.deepEqual(outermost(['x/y', '']), ['']);
  const folder = fc.array(fc.constantFrom('a', 'b', 'a b', 'a-', 'ä'), { maxLength: 4 }).map((names) => names.join('/'));
  fc.assert(
    fc.property(fc.array(folder, { maxLength: 12 }), (folders) => {
      const kept = outermost(folders);
      for (const one of folders) assert.equal(kept.filter((other) => isWithin(one, other)).length, 1);
      for (const one of kept) assert.ok(folders.includes(one));
    }),
  );
});
