import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { advance, forget, readJournal } from './journal.ts';
import { restore, swap } from './swap.ts';
import { backwards, folder, ready, root, useStage } from './swap-stage.ts';
import { listTrashed, lookAtTrashed } from './trash-found.ts';

useStage();

/** A film that was replaced, and whose books know nothing of it; its note as a program of then wrote it. */
async function trashed(name: string, change: (note: Record<string, unknown>) => unknown = (note) => note): Promise<string> {
  const { wish } = await ready(name);
  const { original } = await swap(wish);
  await forget(root, wish.attempt);
  const place = join(root.path, dirname(original!.trashPath), 'where.json');
  await writeFile(place, JSON.stringify(change(JSON.parse(await readFile(place, 'utf8')) as Record<string, unknown>)));
  return original!.trashPath;
}

const listed = async (): Promise<string[]> => (await Array.fromAsync(listTrashed(root))).map(({ trashPath }) => trashPath).toSorted();

test('a trashed original tells by its note where it belongs and what replaced it', async () => {
  const { wish } = await ready('Film.avi', { target: 'Film.mkv' });
  const done = await swap(wish);
  assert.deepEqual(await listed(), [done.original!.trashPath]);
  const found = await lookAtTrashed(root, done.original!.trashPath);
  assert.equal(found?.why, '');
  const { since, ...note } = found.note!;
  assert.ok(Date.parse(since) <= Date.now());
  assert.deepEqual(note, {
    ...{ path: 'Films/Film.avi', attempt: 41, kind: 'original', node: 'node-a', inPlace: true },
    fingerprint: found.note!.fingerprint,
    replacedBy: { path: 'Films/Film.mkv', sizeBytes: done.fingerprint.sizeBytes, hash: done.fingerprint.hash },
  });
  await rm(join(folder, 'Film.mkv'));
  assert.equal((await lookAtTrashed(root, done.original!.trashPath))?.note?.inPlace, false);
});

test('an older note, which does not name what replaced it, is as good; the same film with another extension stands for it', async () => {
  const path = await trashed('Film.avi', (note) => ({ ...note, replacedBy: undefined, node: undefined }));
  await rm(join(folder, 'Film.avi'));
  await writeFile(join(folder, 'Film.mkv'), 'the new film');
  const found = await lookAtTrashed(root, path);
  assert.deepEqual([found?.note?.replacedBy, found?.note?.node, found?.note?.inPlace], [null, null, true]);
});

for (const [what, change] of [
  ['leads out of the library', (note) => ({ ...note, path: '../../etc/Film.mkv' })],
  ['leads into our own folder', (note) => ({ ...note, path: '.codecshift/Film.mkv' })],
  ['leads to a file that is no film', (note) => ({ ...note, path: 'Films/passwords.txt' })],
  ['has another name for it', (note) => ({ ...note, name: 'Other.mkv' })],
  ['speaks of another size', (note) => ({ ...note, fingerprint: { ...(note['fingerprint'] as object), sizeBytes: 5 } })],
  ['speaks of other bytes', (note) => ({ ...note, fingerprint: { ...(note['fingerprint'] as object), hash: '0'.repeat(64) } })],
  ['speaks of another time', (note) => ({ ...note, fingerprint: { ...(note['fingerprint'] as object), mtimeMs: 5 } })],
  ['is none of ours', () => ['where', 'is', 'it']],
  ['is endless', (note) => ({ ...note, more: 'x'.repeat(100_000) })],
  ['names a strange machine', (note) => ({ ...note, node: '../x' })],
] as [string, (note: Record<string, unknown>) => unknown][]) {
  test(`a file whose note ${what} is a stranger with a reason`, async () => {
    const path = await trashed('Film.mkv', change);
    const found = await lookAtTrashed(root, path);
    assert.equal(found?.note, null);
    assert.notEqual(found.why, '');
  });
}

test('a file without a note, and one that lies where none belongs, are found as they are; links and pipes are not', async () => {
  const day = join(root.path, '.codecshift', 'trash', '2026-01-01');
  await mkdir(join(day, '7'), { recursive: true });
  await writeFile(join(day, '7', 'Old.mkv'), 'old');
  await writeFile(join(day, 'loose.mkv'), 'loose');
  await symlink('/etc/passwd', join(day, '7', 'link.mkv'));
  if (process.platform !== 'win32') execFileSync('mkfifo', [join(day, '7', 'where.json')]);
  const paths = ['.codecshift/trash/2026-01-01/7/Old.mkv', '.codecshift/trash/2026-01-01/loose.mkv'];
  assert.deepEqual(await listed(), paths);
  for (const path of paths) {
    const found = await lookAtTrashed(root, path);
    assert.deepEqual([found?.note, found?.why], [null, 'Nothing beside it says where it belongs.']);
  }
  assert.equal(await lookAtTrashed(root, '.codecshift/trash/2026-01-01/7/link.mkv'), null);
});

test('the trash of a disk below the root is looked into, and that of another root is not', async () => {
  for (const place of ['disk', 'disk/inner', 'other']) {
    await mkdir(join(root.path, place, '.codecshift', 'trash', '2026-01-01', '7'), { recursive: true });
    await writeFile(join(root.path, place, '.codecshift', 'trash', '2026-01-01', '7', 'Old.mkv'), 'old');
  }
  await writeFile(join(root.path, 'other', '.codecshift', 'root.json'), '{}');
  const found = await listed();
  assert.deepEqual(
    found,
    ['disk', 'disk/inner'].map((place) => `${place}/.codecshift/trash/2026-01-01/7/Old.mkv`),
  );
});

test('what a replacement that is not over put into the trash is left to it', async () => {
  const { wish } = await ready('Film.mkv');
  const { original } = await swap(wish);
  await advance(root, (await readJournal(root, wish.attempt))!, { step: 'replaced' });
  assert.equal(await lookAtTrashed(root, original!.trashPath), null);
});

test('a film that nothing proves to be ours waits in the trash when an original comes back in its place', async () => {
  for (const provedBy of ['nothing', { sizeBytes: 3, hash: '0'.repeat(64) }] as const) {
    const { wish, original } = await ready('Film.mkv');
    const done = await swap(wish);
    const theirs = Buffer.from('a better copy that a person put there');
    await writeFile(join(folder, 'Film.mkv'), theirs);
    const back = await restore({ ...backwards(wish, done), provedBy });
    assert.deepEqual(await readFile(join(folder, 'Film.mkv')), original);
    assert.equal((await readJournal(root, 42))?.keepOutgoing, true);
    assert.equal(await lookAtTrashed(root, back.original!.trashPath), null, 'until the books know that it is back');
    await forget(root, 42);
    const found = await lookAtTrashed(root, back.original!.trashPath);
    assert.deepEqual([found?.note?.kind, found?.note?.path], ['output', 'Films/Film.mkv']);
    assert.deepEqual(await readFile(join(root.path, back.original!.trashPath)), theirs);
    await forget(root, 41);
    await rm(join(folder, 'Film.mkv'));
  }
  const { wish } = await ready('Film.mkv');
  const done = await swap(wish);
  await restore({ ...backwards(wish, done), provedBy: done.fingerprint });
  assert.equal((await readJournal(root, 42))?.keepOutgoing, undefined, 'what is proved to be ours may go');
});
