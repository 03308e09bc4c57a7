import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { PlainError } from '../errors.ts';
import { createLog } from '../log.ts';
import { until } from '../testing/mesh-nodes.ts';
import { helloOf, welcomeOf } from '../testing/mesh-samples.ts';
import { createGreeter } from './greeter.ts';
import { loadIdentity, loadSecret } from './identity.ts';
import { createLocalMesh } from './local.ts';
import type { ProtocolResponse } from './messages.ts';
import { createOutbox, type Report } from './outbox.ts';

const log = createLog({ level: 'fatal', pretty: true });

function directory(t: TestContext): string {
  const made = mkdtempSync(path.join(os.tmpdir(), 'codecshift-mesh-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const cancelled = (attempt: number): Report => ({ event: 'cancelled', job: attempt, attempt });

test('a request to oneself is checked against its schema on the way in and on the way out', async () => {
  const mesh = createLocalMesh('a', log);
  let answer: unknown = { accepted: true, why: null };
  mesh.handle('report', async () => answer as ProtocolResponse<'report'>);
  assert.deepEqual(await mesh.request('a', 'report', cancelled(1)), { accepted: true, why: null });
  await assert.rejects(mesh.request('a', 'report', { event: 'cancelled', job: -1, attempt: 1 }), /report request was refused/);
  answer = { accepted: 'perhaps' };
  await assert.rejects(mesh.request('a', 'report', cancelled(1)), /report answer was refused/);
});

test('a question to oneself that is not answered ends with the signal of whoever asks, and others go on', async () => {
  const mesh = createLocalMesh('a', log);
  mesh.handle('report', async ({ attempt }) => {
    if (attempt === 1) await new Promise(() => {});
    return { accepted: true, why: null };
  });
  const late = mesh.request('a', 'report', cancelled(1), { signal: AbortSignal.timeout(20) });
  await assert.rejects(late, { message: 'This machine did not answer itself in time ("report").', retry: true });
  assert.deepEqual(await mesh.request('a', 'report', cancelled(2)), { accepted: true, why: null });
});

test("what the receiver does with a message never reaches the sender's own object", async () => {
  const mesh = createLocalMesh('a', log);
  const body = { node: 'a', session: '00000000-0000-4000-8000-000000000000', classes: [1], freeSlots: 1, freeBytes: 5, ahead: false };
  mesh.handle('claim', async (wish) => {
    wish.classes.push(9);
    return { granted: null, why: null };
  });
  await mesh.request('a', 'claim', body);
  assert.deepEqual(body.classes, [1]);
});

test('paths that lead out of a root are refused before any handler sees them', async () => {
  const mesh = createLocalMesh('a', log);
  mesh.handle('inspect', async () => assert.fail('a handler was called'));
  for (const bad of ['../x', '/etc/passwd', 'a/../../b', 'a/./b', 'a\0b']) {
    await assert.rejects(
      mesh.request('a', 'inspect', { op: 'probe', root: '00000000-0000-4000-8000-000000000000', path: bad }),
      /refused/,
      bad,
    );
  }
});

test('a message larger than the mesh allows is refused', async () => {
  const mesh = createLocalMesh('a', log);
  mesh.handle('report', async () => ({ accepted: true, why: null }));
  const huge: Report = {
    event: 'failed',
    job: 1,
    attempt: 1,
    reason: { code: 'x' },
    retry: true,
    encoder: null,
    command: Array.from({ length: 200 }, () => 'y'.repeat(3000)),
    stderrTail: '',
  };
  await assert.rejects(mesh.request('a', 'report', huge), /larger than the mesh allows/);
});

test('another node cannot be reached by a node that is alone, and the error says that trying later may help', async () => {
  const mesh = createLocalMesh('a', log);
  await assert.rejects(mesh.request('b', 'report', cancelled(1)), (error) => error instanceof PlainError && error.retry);
});

test('a listener that throws hurts nobody', async () => {
  const mesh = createLocalMesh('a', log);
  mesh.subscribe('offers', () => {
    throw new Error('bad listener');
  });
  const heard = new Promise((resolve) => mesh.subscribe('offers', resolve));
  mesh.publish('offers', { term: 3, classes: [] });
  assert.deepEqual(await heard, { term: 3, classes: [] });
});

test('a report waits on disk until a coordinator acknowledged it, also over a restart, and arrives in order', async (t) => {
  const dir = directory(t);
  const mesh = createLocalMesh('a', log);
  const first = createOutbox({ directory: dir, mesh, coordinator: () => null, log, retryMs: 5 });
  await first.start();
  for (const n of [1, 2, 3]) await first.post({ event: 'cancelled', job: n, attempt: 7 });
  await first.stop();
  assert.equal(readdirSync(dir).filter((f) => f.endsWith('.json')).length, 3);

  writeFileSync(path.join(dir, '000-broken.json'), '{"half');
  writeFileSync(path.join(dir, '000-unposted.json.tmp'), '{"event"');
  const heard: number[] = [];
  let refusals = 2;
  mesh.handle('report', async (report) => {
    if (refusals-- > 0) throw new PlainError('not now');
    heard.push(report.job);
    return { accepted: report.job !== 2, why: null };
  });
  const second = createOutbox({ directory: dir, mesh, coordinator: () => 'a', log, retryMs: 5 });
  await second.start();
  t.after(() => second.stop());
  assert.deepEqual(second.waiting(), [7, 7, 7]);
  while (second.waiting().length) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(heard, [1, 2, 3]);
  await until('only what cannot be read is left', () => readdirSync(dir).join() === '000-broken.json');
});

test('a report that cannot be written down is delivered all the same', async (t) => {
  const dir = directory(t);
  const mesh = createLocalMesh('a', log);
  const heard = new Promise<number>((resolve) =>
    mesh.handle('report', async (report) => (resolve(report.attempt), { accepted: true, why: null })),
  );
  const outbox = createOutbox({ directory: dir, mesh, coordinator: () => 'a', log, retryMs: 5 });
  await outbox.start();
  t.after(() => outbox.stop());
  rmSync(dir, { recursive: true }); // stands for a full disk
  await outbox.post(cancelled(4));
  assert.equal(await heard, 4);
});

test('a report that its receiver can never take does not hold up the reports of other attempts', async (t) => {
  const mesh = createLocalMesh('a', log);
  const heard: number[] = [];
  mesh.handle('report', async (report) => {
    if (report.attempt === 1) throw new Error('a bug');
    heard.push(report.attempt);
    return { accepted: true, why: null };
  });
  const outbox = createOutbox({ directory: directory(t), mesh, coordinator: () => 'a', log, retryMs: 5 });
  await outbox.start();
  t.after(() => outbox.stop());
  for (const n of [1, 2, 3]) await outbox.post(cancelled(n));
  while (heard.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(heard, [2, 3]);
  assert.deepEqual(outbox.waiting(), [1]);
});

test('a node follows the highest term it hears of and never a lower one', async () => {
  const mesh = createLocalMesh('a', log);
  let welcomes = 0;
  mesh.handle('hello', async () => welcomeOf('a', { term: 5 }));
  const greeter = createGreeter({ mesh, facts: async () => helloOf('a'), membership: null, log, everyMs: 60_000 });
  const welcomed = new Promise<void>((resolve) => greeter.onWelcome(() => (welcomes++, resolve())));
  greeter.start();
  mesh.publish('coordinator', { node: 'a', term: 5, certificate: null, revision: 0 });
  await welcomed;
  mesh.publish('coordinator', { node: 'a', term: 4, certificate: null, revision: 0 });
  await greeter.tell();
  assert.equal(greeter.coordinator(), 'a');
  assert.equal(welcomes, 2);
  greeter.stop();
});

test('a node keeps its key and its secret over restarts, readable by its owner only', async (t) => {
  const dir = directory(t);
  const { id } = await loadIdentity(dir);
  assert.match(id, /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/);
  assert.equal((await loadIdentity(dir)).id, id);
  const secret = await loadSecret(dir);
  assert.equal(await loadSecret(dir), secret);
  for (const file of ['node.key', 'secret']) assert.equal(statSync(path.join(dir, file)).mode & 0o777, 0o600);
  writeFileSync(path.join(dir, 'node.key'), 'nonsense');
  await assert.rejects(loadIdentity(dir), /is not a key of CodecShift/);
});
