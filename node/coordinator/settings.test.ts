import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Queryable } from '../db/connect.ts';
import { createSettingsStore } from './settings.ts';

test('of two readings at once the one that was asked for later counts, however late the other is answered', async () => {
  const store = createSettingsStore();
  const [early, late] = [Promise.withResolvers<unknown[]>(), Promise.withResolvers<unknown[]>()];
  const answers = [early, late].map(({ promise }) => promise);
  const q = { query: () => answers.shift()! } as unknown as Queryable;
  const both = [store.reload(q), store.reload(q)];
  late.resolve([{ key: 'queue.paused', value: true }]);
  await both[1];
  early.resolve([]);
  await both[0];
  assert.equal(store.current()['queue.paused'], true);
});
