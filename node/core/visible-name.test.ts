import assert from 'node:assert/strict';
import { test } from 'node:test';
import { visibleName } from './visible-name.ts';

test('what hides, turns the writing round or moves a cursor is written out', () => {
  assert.equal(visibleName('a\nb\tc'), 'a\\nb\\tc');
  assert.equal(visibleName('gpj.\u202emkv'), 'gpj.\\u{202e}mkv');
  assert.equal(visibleName('\u001b[2J\u200bx'), '\\u{1b}[2J\\u{200b}x');
  assert.equal(visibleName('half \ud800 pair'), 'half \\u{d800} pair');
});

test('ordinary names of all scripts stay as they are', () => {
  for (const name of ['Amélie (2001).mkv', '千と千尋の神隠し.mkv', 'מבצע.mkv', '🎬 film.mkv', '<b>bold</b> & "x"'])
    assert.equal(visibleName(name), name);
});

test('a name of 10,000 letters keeps its beginning and its end, also when every letter is escaped', () => {
  const long = visibleName(`begin${'x'.repeat(10_000)}end.mkv`, 100);
  assert.match(long, /^begin.*…x*end\.mkv$/);
  assert.ok(long.length <= 100);
  assert.ok([...visibleName('\u202e'.repeat(10_000), 100)].length <= 100);
});
