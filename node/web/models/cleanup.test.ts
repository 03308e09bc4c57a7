import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cleanup, LeftoverRow } from '../../db/cleanups.ts';
import { deleteQuestion, emptyQuestion } from './cleanup-question.ts';
import { cleanupListPage } from './cleanup-list.ts';
import { cleanupLine, rootCard } from './cleanup.ts';

const now = new Date('2026-11-23T12:00:00Z');
const base: Cleanup & { node: string | null } = {
  ...{
    id: 7,
    rootId: 'r',
    nodeId: 'n',
    node: 'atlas',
    state: 'listed',
    looked: 40,
    live: 1,
    dead: 12,
    deadBytes: 3.1e9,
    ask: 2,
    askBytes: 10,
  },
  ...{
    more: false,
    deleted: 0,
    deletedBytes: 0,
    kept: 0,
    reason: null,
    askedBy: 'Ada',
    deletedBy: null,
    startedAt: now,
    listedAt: now,
    endedAt: null,
  },
};
const row: LeftoverRow = {
  ...{ n: 1, path: 'A/x.lock', sizeBytes: 5, mtimeMs: now.getTime() - 86_400_000, inode: '1', attemptId: null },
  ...{ standing: 'ask', why: 'Because.', state: 'found', note: null },
};
const chosen = { files: 12, bytes: 3.1e9, asked: 0, askedBytes: 0 };
/** sizes keep their unit on their line */
const plain = (words: string | null): string => (words ?? '').replaceAll('\u00a0', ' ');
const list = (rows: LeftoverRow[], cleanup = base) =>
  cleanupListPage({ cleanup, names: 'Films', groups: [], standing: 'ask', rows, before: null, after: null, cursor: null, chosen, now });

test('the button says how many files and how much of the disk', () => {
  assert.equal(plain(list([]).head.button), 'Delete 12 files, 3.1 GB');
  assert.equal(list([], { ...base, state: 'deleting' }).head.button, null);
});

test('every state of a clean-up has its sentence, and says what was not done', () => {
  const words = (change: Partial<typeof base>): string => plain(cleanupLine({ ...base, ...change }).words);
  assert.match(words({}), /^12 files of ours that are over \(3\.1 GB\), 2 that CodecShift may not have made .*Nothing was deleted yet\.$/);
  assert.match(words({ state: 'listing' }), /^atlas looks: 40 names so far/);
  assert.match(words({ state: 'done', endedAt: now, deleted: 11, kept: 1, deletedBy: 'Ada' }), /11 files deleted.*1 file stayed/);
  assert.match(words({ state: 'done', endedAt: now, dead: 0, ask: 0, live: 0 }), /^Nothing was left lying about/);
  assert.match(words({ state: 'cancelled', endedAt: now }), /nothing was deleted/);
  assert.match(words({ state: 'failed', endedAt: now, reason: { code: 'root-not-mounted' } }), /perhaps the disk is not mounted/);
});

test('neighbours of one folder stand together, and in another one they do not', () => {
  const rows = ['A/x.lock', 'A/y.lock', 'A/B/z.lock', 'top.lock'].map((path, n) => ({ ...row, n, path }));
  assert.deepEqual(
    list(rows).folders.map((f) => [f.folder, f.rows.length]),
    [
      ['A', 2],
      ['A/B', 1],
      ['Top folder', 1],
    ],
  );
});

test('names of 10,000 letters, with markup, line ends and turned writing are readable and bounded; a time that is none says so', () => {
  const path = `${'d'.repeat(10_000)}/<script>\n\u202e${'x'.repeat(10_000)}.lock`;
  for (const mtimeMs of [Number.NaN, 1e300, -1e300, 8.64e15, 0, now.getTime() + 1e12]) {
    const [folder] = list([{ ...row, path, mtimeMs }]).folders;
    assert.ok(folder!.folder.length <= 300 && folder!.rows[0]!.name.length <= 300);
    assert.match(folder!.rows[0]!.name, /^<script>\\n\\u\{202e\}x+…x+\.lock$/);
    assert.equal(folder!.rows[0]!.age, 'of unknown age');
  }
});

test('the last question names number and size, and asks for a tick about what CodecShift did not make', () => {
  assert.equal(deleteQuestion(7, 'Films', chosen, null).sure, null);
  const asked = deleteQuestion(7, 'Films', { files: 3, bytes: 30, asked: 2, askedBytes: 20 }, null);
  assert.match(plain(asked.question), /^Delete 3 files, 30 B from Films\?$/);
  assert.match(plain(asked.sure), /^2 files of these \(20 B\) were perhaps not made by CodecShift/);
  const trash = { rootId: 'r', files: 10, bytes: 5e9, oldest: now, held: 2, heldBytes: 1e9, stay: 0, found: 0, upTo: 99 };
  const empty = emptyQuestion('Films', trash, null);
  assert.match(plain(empty.text), /^8 originals, 4\.0 GB will be deleted now.*cannot be undone.*2 originals stay/);
  assert.deepEqual(empty.hidden, [
    ['root', 'r'],
    ['upTo', '99'],
  ]);
});

test('a root that no machine may write to cannot be looked at, and says so', () => {
  const card = rootCard({ rootId: 'r', libraries: [], keepers: [], last: null, trash: null, strangers: 0, days: [] });
  assert.deepEqual([card.canLook, card.names], [false, 'A folder without a library']);
  assert.match(card.keeper, /^No machine/);
});
