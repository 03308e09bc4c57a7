import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commitOf } from './version.ts';

const [one, two] = ['1'.repeat(40), '2'.repeat(40)];

function of(files: Record<string, string>): string {
  return commitOf((...way) => {
    const text = files[way.join('/')];
    if (text === undefined) throw new Error('ENOENT');
    return text;
  });
}

test('a build knows its commit by the note in the executable, a checkout by its history, and a bare copy does not', () => {
  assert.equal(of({ commit: `${one}\n`, '.git/HEAD': `${two}\n` }), '111111111111');
  assert.equal(of({ '.git/HEAD': `${two}\n` }), '222222222222');
  assert.equal(of({ '.git/HEAD': 'ref: refs/heads/main\n', '.git/refs/heads/main': `${two}\n` }), '222222222222');
  assert.equal(
    of({ '.git/HEAD': 'ref: refs/heads/main\n', '.git/packed-refs': `# pack-refs\n${one} refs/heads/mainly\n${two} refs/heads/main\n` }),
    '222222222222',
  );
  for (const files of [{}, { '.git': 'gitdir: elsewhere' }, { '.git/HEAD': 'ref: refs/heads/new\n' }, { '.git/HEAD': 'nonsense' }])
    assert.equal(of(files as Record<string, string>), 'unknown');
});
