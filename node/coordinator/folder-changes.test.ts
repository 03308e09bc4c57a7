import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshDatabase, havePostgres } from '../testing/database.ts';
import { aLibrary, aNode, testNode } from '../testing/records.ts';
import { heedFolderChanges } from './folder-changes.ts';

test('a change is heeded for the libraries it concerns, where that is wished, and only from a machine that has the disk', async (t) => {
  const db = await (await freshDatabase(t, havePostgres() ? 'postgres' : 'embedded')).lead();
  const { id, rootId } = await aLibrary(db, 'Films');
  await db.query(`update libraries set folder = 'Films'`);
  await aNode(db, 'stranger');
  const looked: [number, readonly string[]][] = [];
  const scanner = { lookAt: (library: number, folders: readonly string[]): void => void looked.push([library, folders]) };
  const tell = async (folders: string[], from = testNode, node = from): Promise<boolean> =>
    (await heedFolderChanges({ db, scanner }, { node, root: rootId, folders }, from)).heard;
  assert.equal(await tell(['Films/One', 'Series', 'Films 2']), true);
  assert.equal(await tell(['']), true);
  assert.deepEqual(looked.splice(0), [
    [id, ['Films/One']],
    [id, ['']],
  ]);
  await assert.rejects(() => tell(['Films'], 'stranger'), /does not have that disk/);
  await assert.rejects(() => tell(['Films'], 'stranger', testNode), /only in its own name/);
  assert.equal(await tell(['Series']), false);
  await db.query(`update libraries set enabled = false`);
  assert.equal(await tell(['Films']), false);
  await db.query(`update libraries set looking = true`);
  assert.equal(await tell(['Films']), true);
  await db.query(`update libraries set watch = false`);
  assert.equal(await tell(['Films']), false);
});
