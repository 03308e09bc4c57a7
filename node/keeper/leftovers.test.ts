import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { InspectAnswer } from '../mesh/messages.ts';
import { createInspector } from './inspect.ts';
import { loadRoots } from './roots.ts';

/** How many files a folder of this test has; CODECSHIFT_LEFTOVERS makes it a measurement. */
const many = Number(process.env['CODECSHIFT_LEFTOVERS'] ?? 450);

async function stage(t: TestContext): Promise<{ mesh: Mesh; root: string; films: string }> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'codecshift-leftovers-')));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const films = join(base, 'films');
  for (const folder of ['data', 'films']) mkdirSync(join(base, folder));
  const roots = await loadRoots(join(base, 'data'));
  const { rootId: root } = await roots.adopt(films);
  const mesh = createLocalMesh('keeper', createLog({ level: 'fatal', pretty: true }));
  const inspector = createInspector({ roots, tools: {} as never, onAdopted: async () => {}, busy: () => new Set() });
  t.after(() => inspector.stop());
  mesh.handle('inspect', (ask) => inspector.answer(ask));
  return { mesh, root, films };
}

type Left = InspectAnswer<'left'>;

async function page(s: { mesh: Mesh; root: string }, n: number, scan = 'one'): Promise<Left> {
  const answer = await s.mesh.request('keeper', 'inspect', { op: 'leftovers', root: s.root, scan, page: n });
  assert.equal(answer.op, 'left');
  return answer as Left;
}

test('a great many leftovers come page by page, each once, in messages of bounded size, and are deleted by their numbers', async (t) => {
  const s = await stage(t);
  // as long as a name may be, and every letter of it six in a message
  for (let i = 0; i < many; i++) writeFileSync(join(s.films, `.tmp_${i}_${'\u0001'.repeat(240)}`), 'x');
  const seen = new Set<string>();
  let pages = 0;
  for (let last = false; !last; pages++) {
    const answer = await page(s, pages);
    assert.deepEqual(await page(s, pages), answer, 'a page that is asked for twice is the same');
    assert.ok(Buffer.byteLength(JSON.stringify(answer)) < 150_000);
    for (const one of answer.found) seen.add(one.path);
    last = answer.last;
    // each deletion is synced, so a few prove it
    if (pages > 0) continue;
    const files = answer.found.slice(0, 50).map((one, n) => ({ n, ...one }));
    const order = { op: 'delete-leftovers' as const, term: 1, root: s.root, files, live: [], asked: true };
    const done = await s.mesh.request('keeper', 'inspect', order);
    assert.ok(done.op === 'cleaned' && done.deleted.length === files.length);
  }
  assert.equal(seen.size, many);
  assert.ok(pages > 1);
  if (many > 10_000) t.diagnostic(`${many} files, ${pages} pages, ${Math.round(process.memoryUsage.rss() / 1e6)} MB resident`);
});

test('a page out of turn, a listing that was ended and a disk that went away are refused with their reasons', async (t) => {
  const s = await stage(t);
  writeFileSync(join(s.films, 'a.lock'), 'x');
  const refused = async (n: number): Promise<string | undefined> => {
    const answer = await s.mesh.request('keeper', 'inspect', { op: 'leftovers', root: s.root, scan: 'one', page: n });
    return answer.op === 'refused' ? answer.reason.code : undefined;
  };
  await page(s, 0);
  assert.equal(await refused(2), 'interrupted');
  await s.mesh.request('keeper', 'inspect', { op: 'end-list', scan: 'one' });
  assert.equal(await refused(1), 'interrupted');
  renameSync(join(s.films, '.codecshift'), join(s.films, 'away'));
  assert.equal(await refused(0), 'root-not-mounted');
  const nothing = await s.mesh.request('keeper', 'inspect', { op: 'look-trash', root: s.root, originals: [{ id: 1, trashPath: 'x' }] });
  assert.equal(nothing.op, 'refused');
});

test('what cannot be told of a place in the trash is not called gone', async (t) => {
  const s = await stage(t);
  mkdirSync(join(s.films, '.codecshift', 'trash', 'd', '1'), { recursive: true });
  writeFileSync(join(s.films, '.codecshift', 'trash', 'd', '1', 'a.mkv'), 'x');
  mkdirSync(join(s.films, '.codecshift', 'journal'), { recursive: true });
  writeFileSync(join(s.films, '.codecshift', 'journal', '3.json'), '{}');
  mkdirSync(join(s.films, 'disk-that-is-away'));
  const places = ['.codecshift/trash/d/1/a.mkv', '.codecshift/trash/d/2/b.mkv', '.codecshift/trash/d/3/c.mkv'];
  const strange = ['disk-that-is-away/.codecshift/trash/d/4/d.mkv', 'Films/e.mkv'];
  const originals = [...places, ...strange].map((trashPath, i) => ({ id: i + 1, trashPath }));
  const answer = await s.mesh.request('keeper', 'inspect', { op: 'look-trash', root: s.root, originals });
  assert.deepEqual(answer, { op: 'trash-seen', there: [1], gone: [2] });
});
