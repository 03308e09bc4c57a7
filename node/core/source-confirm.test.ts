import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noticed, type Expected, type SaidOfFile } from './source-confirm.ts';

const expected: Expected = {
  before: { added: 1e12, watched: { views: 2, positionMs: 60_000 } },
  after: { path: '/data/a.mkv', size: 400, codec: 'hevc' },
};
const file: SaidOfFile = {
  path: '/data/a.mkv',
  sizeBytes: 400,
  codec: 'hevc',
  addedAt: 1e12,
  watched: { views: 2, positionMs: 60_000 },
};

test('a server has noticed a new file only when it shows that very size, and its format', () => {
  assert.deepEqual(noticed([], expected), { as: 'gone' });
  assert.deepEqual(noticed([{ ...file, sizeBytes: 1000 }], expected), { as: 'old' });
  assert.deepEqual(noticed([{ ...file, codec: 'h264' }], expected), { as: 'unread' });
  assert.deepEqual(noticed([{ ...file, codec: null }], expected), { as: 'unread' });
  assert.deepEqual(noticed([{ ...file, codec: 'H265' }], expected), { as: 'seen', differs: null });
  assert.deepEqual(noticed([{ ...file, codec: null }], { ...expected, after: { ...expected.after, codec: null } }), {
    as: 'seen',
    differs: null,
  });
});

test('of several versions the one at that path is asked for, and one that moved is known by its size', () => {
  const other = { ...file, path: '/data/4k.mkv', sizeBytes: 9000, codec: 'h264' };
  assert.deepEqual(noticed([other, file], expected), { as: 'seen', differs: null });
  assert.deepEqual(noticed([other, { ...file, path: 'O:\\a.mkv' }], expected), { as: 'seen', differs: null });
  assert.deepEqual(noticed([other], expected), { as: 'old' });
});

test('what a server forgot of a film is said in words, and what people watched since is not forgetting', () => {
  const differs = (change: Partial<SaidOfFile>): string | null => {
    const said = noticed([{ ...file, ...change }], expected);
    return said.as === 'seen' ? said.differs : said.as;
  };
  assert.equal(differs({ addedAt: 1e12 + 2 * 86_400_000 }), 'it counts as newly added');
  assert.equal(differs({ watched: { views: 0, positionMs: 0 } }), 'it is no longer marked as watched');
  assert.equal(differs({ watched: { views: 2, positionMs: 0 } }), 'the place where somebody stopped is lost');
  assert.equal(differs({ watched: { views: 3, positionMs: 0 } }), null);
  assert.equal(differs({ addedAt: 1e12 + 1000 }), null);
});
