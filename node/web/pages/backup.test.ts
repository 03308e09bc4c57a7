import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveSettings } from '../../config/load.ts';
import type { Backups, BackupEnd, BackupWork } from '../../core/backups.ts';
import { emptyBooks, webParts } from '../../testing/web.ts';
import { createWeb } from '../server.ts';

test('the page of backups follows what is done, and its buttons are as good afterwards as before', { timeout: 120_000 }, async (t) => {
  let work: BackupWork | null = { what: 'backup', says: 'Copying the database.', done: null, of: null, since: new Date() };
  let last: BackupEnd | null = null;
  const backups = {
    list: async () => [],
    now: () => work,
    last: () => last,
    place: () => ({ folder: '/backups', encrypted: false, trouble: null }),
  } as unknown as Backups;
  const { parts, events, settings } = webParts({ db: emptyBooks });
  Object.assign(settings, effectiveSettings(new Map(), {}));
  const web = createWeb({ ...parts, backups });
  const { url } = await web.start();
  t.after(() => web.stop());
  const page = await (await fetch(`${url}settings/backup`)).text();
  assert.match(page, /Copying the database/);
  // nobody would switch it on again: it lies outside of what is renewed
  assert.doesNotMatch(page, /<button[^>]* disabled/);
  const stream = await fetch(`${url}events?view=backup`);
  const until = reader(stream.body!);
  await until('Copying the database');
  work = null;
  last = { what: 'backup', good: true, says: ['It was made and read back.'], at: new Date() };
  events.emit('backup.changed', { busy: false });
  await until('It was made and read back');
});

/** Reads on until a text came. */
function reader(chunks: AsyncIterable<Uint8Array>): (wanted: string) => Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  let seen = '';
  return async (wanted) => {
    while (!seen.includes(wanted)) {
      const { done, value } = await iterator.next();
      assert.ok(!done, `the stream ended before it said: ${wanted}`);
      seen += Buffer.from(value).toString();
    }
  };
}
