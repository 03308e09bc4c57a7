import assert from 'node:assert/strict';
import { test } from 'node:test';
import { libraryOfItem } from '../db/source-items.ts';
import { listSourceLibraries } from '../db/source-libraries.ts';
import type { SourceItem } from '../sources/source.ts';
import { freshDatabase } from '../testing/database.ts';
import { aSourceItem, fakeSource } from '../testing/fake-source.ts';
import { aWatchedSource } from '../testing/source-records.ts';
import { listSection } from './source-listing.ts';

const [PAGES, SIZE] = [40, 500];

function pageOf(n: number): SourceItem[] {
  const numbers = Array.from({ length: SIZE }, (_, i) => n * SIZE + i);
  return numbers.map((i) => aSourceItem({ ref: `e${i}`, part: `p${i}`, path: `/data/show/${i}.mkv`, sizeBytes: 1000 + i }));
}

test('twenty thousand episodes are listed with one page in hand; a listing that breaks off forgets nothing', async (t) => {
  const db = await (await freshDatabase(t, 'embedded')).lead();
  const { row, section } = await aWatchedSource(db, [aSourceItem()]);
  const library = (await listSourceLibraries(db, row.id))[0]!;
  let inHand = 0;
  let breaksAt = PAGES / 2;
  const source = fakeSource();
  source.listItems = async function* () {
    for (let n = 0; n < PAGES; n++) {
      if (n === breaksAt) throw new Error('the line broke');
      assert.equal(inHand, n * SIZE, 'the page before is written when the next one is asked for');
      yield pageOf(n);
    }
  };
  const parts = { db, source, onItems: (count: number) => void (inHand = count) };
  const signal = new AbortController().signal;
  await assert.rejects(listSection(parts, library, 'mark', signal), /the line broke/);
  assert.equal(await libraryOfItem(db, row.id, '1'), section, 'what it did not come to is not gone');
  breaksAt = Infinity;
  inHand = 0;
  assert.equal(await listSection(parts, library, 'mark', signal), PAGES * SIZE);
  const [after] = await listSourceLibraries(db, row.id);
  assert.deepEqual([after!.items, after!.changeMark], [PAGES * SIZE, 'mark']);
  assert.equal(await libraryOfItem(db, row.id, '1'), null, 'a whole listing without it says that it is gone');
  assert.equal(await libraryOfItem(db, row.id, 'e19999'), section);
});
