import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Queryable } from '../../db/connect.ts';
import { emptyBooks, startWeb } from '../../testing/web.ts';

const root = '0123abcd-0000-4000-8000-0123456789ab';

/** A root with one open list and one original in its trash, as rows. */
const books: Queryable = {
  query: async (sql, params) => {
    if (/from cleanups where id/.test(sql)) return [{ id: 3, rootId: root, state: 'listed', reason: null }] as never;
    if (/group by root_id/.test(sql)) return [{ rootId: root, files: 1, bytes: 2, upTo: 9 }] as never;
    if (/^select id from roots/.test(sql)) return [{ id: root }] as never;
    if (/state = 'chosen'/.test(sql)) return [{ files: 1, bytes: 2, asked: 0, askedBytes: 0 }] as never;
    return emptyBooks.query(sql, params);
  },
};

test('a clean-up by the API: only whole, well-formed wishes reach the coordinator, and nothing is deleted without a word', async (t) => {
  const web = await startWeb(
    { after: (fn) => t.after(fn) },
    { db: books, answer: (name) => (name === 'lookForLeftovers' ? [3] : name === 'chooseLeftovers' ? 2 : { files: 1, bytes: 2 }) },
  );
  const post = async (path: string, body: object): Promise<number> => {
    const headers = { 'content-type': 'application/json', authorization: 'Bearer a-secret-of-this-test' };
    return (await fetch(`${web.url}/api/v1${path}`, { method: 'POST', body: JSON.stringify(body), headers })).status;
  };
  assert.equal(await post('/cleanups', { root }), 202);
  assert.equal(await post('/cleanups', { root: '../../etc' }), 422);
  assert.equal(await post('/cleanups/3/choose', { files: [1, 2], chosen: true }), 200);
  assert.equal(await post('/cleanups/3/choose', { files: Array.from({ length: 201 }, (_, i) => i + 1), chosen: true }), 422);
  assert.equal(await post('/cleanups/3/delete', { asked: 0 }), 202);
  assert.equal(await post('/cleanups/3/delete', { asked: -1 }), 422);
  assert.equal(await post('/cleanups/3/cancel', {}), 200);
  assert.equal(await post('/trash/empty', { root, upTo: 9 }), 422, 'it cannot be undone, so it has to be confirmed');
  assert.equal(await post('/trash/empty', { root, upTo: 9, confirm: true }), 202);
  assert.deepEqual(
    web.asked.map(({ name, args }) => [name, ...args]),
    [
      ['lookForLeftovers', root],
      ['chooseLeftovers', 3, { shown: [1, 2], chosen: [1, 2] }],
      ['deleteLeftovers', 3, 0],
      ['cancelCleanup', 3],
      ['emptyTrash', root, 9],
    ],
  );
  assert.deepEqual(web.complaints, []);
});

test('what was found in a trash is listed with its number, and what nothing explains beside it', async (t) => {
  const found = { since: '2026-11-01T10:00:00.000Z', kind: 'original', replacedBy: null, stays: 'nothing-in-place' };
  const original = { id: 7, fileId: null, title: 'Ran', path: 'Ran.mkv', sizeBytes: 5, expiresAt: new Date(1e12), found };
  const db: Queryable = {
    query: async (sql, params) => {
      if (/from originals where root_id = \$1 and id > \$2/.test(sql)) return (params![1] === 6 ? [original] : []) as never;
      if (/from trash_strangers/.test(sql)) return [{ trashPath: 'x/y', sizeBytes: 3, mtimeMs: 1, why: 'no note' }] as never;
      return emptyBooks.query(sql, params);
    },
  };
  const web = await startWeb({ after: (fn) => t.after(fn) }, { db });
  const get = (path: string): Promise<Response> =>
    fetch(`${web.url}/api/v1${path}`, { headers: { authorization: 'Bearer a-secret-of-this-test' } });
  const { found: _found, ...facts } = original;
  const { since, kind, stays } = found;
  assert.deepEqual(await (await get(`/trash/found?root=${root}&from=7`)).json(), {
    items: [{ ...facts, expiresAt: '2001-09-09T01:46:40.000Z', since, kind, stays }],
    strangers: [{ path: 'x/y', sizeBytes: 3, why: 'no note' }],
  });
  assert.equal((await get('/trash/found?root=../../etc')).status, 422);
  assert.equal((await get('/trash/found')).status, 422);
});
