import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../testing/database.ts';
import { writeDurably } from './durable.ts';
import { journalDirectory, removeAbandoned } from './journal.ts';

test('a small file that could not be written leaves no half of itself', async (t) => {
  const folder = temporaryDirectory(t);
  await mkdir(join(folder, 'taken', 'full'), { recursive: true });
  await assert.rejects(writeDurably(join(folder, 'taken'), 'a file where a directory stands'));
  assert.deepEqual(await readdir(folder), ['taken']);
});

test('what a process that died left of a step goes, but not what another node may be writing now, nor a journal', async (t) => {
  const root = { path: temporaryDirectory(t) };
  const folder = journalDirectory(root);
  await mkdir(folder, { recursive: true });
  for (const name of ['4.json', '5.json.new', '6.delivery.json.new', '7.json.new', 'notes.json.new'])
    await writeFile(join(folder, name), '{');
  const old = new Date(Date.now() - 3_600_000);
  for (const name of ['4.json', '5.json.new', '6.delivery.json.new', 'notes.json.new']) await utimes(join(folder, name), old, old);
  await removeAbandoned(root);
  assert.deepEqual((await readdir(folder)).toSorted(), ['4.json', '7.json.new', 'notes.json.new']);
});
