import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileTrouble } from './file-trouble.ts';

test('what the files of the embedded database throw is a sentence, also where it is only a number', () => {
  assert.equal(fileTrouble({ name: 'ErrnoError', errno: 51 }), 'its disk is full. A new database needs 60 MB');
  assert.equal(fileTrouble({ errno: 69 }), 'its disk is read-only');
  assert.equal(fileTrouble({ errno: 7 }), 'one of its files cannot be used (WASI error 7)');
  assert.equal(fileTrouble(new Error('no such table')), 'no such table');
  for (const odd of [null, undefined, 'said', {}]) assert.equal(typeof fileTrouble(odd), 'string');
});
