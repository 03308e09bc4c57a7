import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstMatch, matchesGlob } from './glob.ts';

const cases: [string, string, boolean][] = [
  ['Extras', 'Film/Extras/a.mkv', true],
  ['extras/', 'Film/Extras/a.mkv', true],
  ['Extras', 'Film/Extras2/a.mkv', false],
  ['*.sample.*', 'Film/a.sample.mkv', true],
  ['*sample*', 'Film/Sample.mkv', true],
  ['Film/*.mkv', 'Film/a.mkv', true],
  ['Film/*.mkv', 'Film/b/a.mkv', false],
  ['Film/**/a.mkv', 'Film/a.mkv', true],
  ['Film/**/a.mkv', 'Film/b/c/a.mkv', true],
  ['**/b/**', 'Film/b/c/a.mkv', true],
  ['/Film/b', 'Film/b/c/a.mkv', true],
  ['/Film', 'Other/Film/a.mkv', false],
  ['Fil?/a.mkv', 'Film/a.mkv', true],
  ['Fil?/a.mkv', 'Fi/a.mkv', false],
  ['Film (2001) [x]/*', 'Film (2001) [x]/a.mkv', true],
  ['Cafe\u0301', 'Café/a.mkv', true],
  ['', 'a.mkv', false],
  ['/', 'a.mkv', false],
  ['**/', 'a.mkv', true],
];

for (const [pattern, path, expected] of cases) {
  test(`the pattern “${pattern}” ${expected ? 'matches' : 'does not match'} “${path}”`, () =>
    assert.equal(matchesGlob(path, pattern), expected));
}

test('the first matching pattern is named', () => {
  assert.equal(firstMatch('Film/Extras/a.mkv', ['Trailers', 'Extras', '*.mkv']), 'Extras');
  assert.equal(firstMatch('Film/a.mkv', ['Trailers']), null);
});

test('a pattern made to be slow is not', () => {
  assert.equal(matchesGlob('a'.repeat(5000), `${'*a'.repeat(500)}b`), false);
});
