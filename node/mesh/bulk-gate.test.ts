import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import type { Signed, Ticket } from '../core/cluster.ts';
import { isReasonCode } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import { createLog } from '../log.ts';
import { fetchFile } from './bulk-client.ts';
import { createBulkGate, type BulkGateParts } from './bulk-gate.ts';
import { openBulk, openDashboard } from './bulk-open.ts';
import { bulkStage } from './bulk-stage.ts';
import type { Mesh } from './mesh.ts';
import { createLocalMesh } from './local.ts';
import { makeClusterKey, sign } from './signing.ts';

const log = createLog({ level: 'silent', pretty: false });
const [key, another] = [makeClusterKey(), makeClusterKey()];
const NOW = Date.UTC(2026, 5, 1);

test('a ticket becomes a key with which its reader, and nobody else, fetches the file', async (t) => {
  const { stage, mesh } = await gate(t);
  const parts = { mesh, hostOf: () => '127.0.0.1' };
  const open = openBulk(parts, 'node', sign(key, ticket()));
  const wish = { open, target: stage.target, sizeBytes: stage.bytes.length, mbps: () => 0, stallMs: 60_000, signal: t.signal };
  assert.deepEqual(await fetchFile({ ...wish, sha256: stage.sha256 }), { sha256: stage.sha256 });
  assert.ok(readFileSync(stage.target).equals(stage.bytes));
  await assert.rejects(openBulk({ mesh, hostOf: () => null }, 'node', sign(key, ticket()))(t.signal), { retry: true });
});

test('a second key for the same ticket ends the first', async (t) => {
  const { stage, mesh } = await gate(t);
  const open = openBulk({ mesh, hostOf: () => '127.0.0.1' }, 'node', sign(key, ticket()));
  const first = await open(t.signal);
  const second = await open(t.signal);
  assert.notEqual(first.key, second.key);
  const wish = {
    target: stage.target,
    sizeBytes: stage.bytes.length,
    sha256: null,
    mbps: () => 0,
    stallMs: 60_000,
    backoffMs: 1,
    signal: t.signal,
  };
  let asked = 0;
  await fetchFile({ ...wish, open: async () => (asked++ === 0 ? first : second) });
  assert.equal(asked, 2);
});

test('a ticket that is not right is refused for good, with a reason that people can read', async (t) => {
  const { mesh } = await gate(t);
  const day = 24 * 3600_000;
  const wrong: Record<string, Signed> = {
    'of another cluster': sign(another, { ...ticket(), cluster: another.cluster }),
    'signed by another key': sign(another, ticket()),
    changed: { ...sign(key, ticket()), payload: JSON.stringify({ ...ticket(), attempt: 8 }) },
    'for another holder': sign(key, { ...ticket(), holder: 'other' }),
    'for another reader': sign(key, { ...ticket(), reader: 'other' }),
    'days old': sign(key, { ...ticket(), issuedAt: NOW - 2 * day - 1 }),
    'from the future': sign(key, { ...ticket(), issuedAt: NOW + 2 * day + 1 }),
    'about another size': sign(key, { ...ticket(), sizeBytes: 1 } as Ticket),
  };
  for (const [what, signed] of Object.entries(wrong)) {
    const answer = await mesh.request('node', 'bulk', { op: 'file', ticket: signed });
    assert.ok(answer.op === 'refused' && !answer.retry && isReasonCode(answer.reason.code), what);
  }
  // an earlier term is no objection: work survives a change of coordinator, and a day of difference is a clock
  for (const good of [
    { ...ticket(), term: 0 },
    { ...ticket(), issuedAt: NOW - day },
    { ...ticket(), issuedAt: NOW + day },
  ])
    assert.equal((await mesh.request('node', 'bulk', { op: 'file', ticket: sign(key, good) })).op, 'open');
});

test('once the next run of a film has asked for it, the one before reads not a byte more', async (t) => {
  const { stage, mesh } = await gate(t);
  const ask = (more: Partial<Ticket>) =>
    mesh.request('node', 'bulk', { op: 'file', ticket: sign(key, { ...sourceTicket(), ...more } as Ticket) });
  const parts = { mesh, hostOf: () => '127.0.0.1' };
  const before = await openBulk(parts, 'node', sign(key, sourceTicket()))(t.signal);
  assert.equal((await ask({ attempt: 8 })).op, 'open');
  assert.deepEqual(await ask({ attempt: 7 }), { op: 'refused', reason: { code: 'lease-lost' }, retry: false });
  // with the key of before nothing opens; another ticket is asked for, and refused for good
  const wish = { target: stage.target, sizeBytes: stage.bytes.length, sha256: null, mbps: () => 0, stallMs: 60_000, backoffMs: 1 };
  let keys = 0;
  const open = (signal: AbortSignal) =>
    keys++ === 0 ? Promise.resolve(before) : openBulk(parts, 'node', sign(key, sourceTicket()))(signal);
  await assert.rejects(
    fetchFile({ ...wish, open, signal: t.signal }),
    (error) => error instanceof PlainError && error.reason?.code === 'lease-lost',
  );
  assert.equal(keys, 2);
  assert.equal((await ask({ attempt: 8 })).op, 'open', 'the present one may ask as often as it wants');
  assert.equal((await ask({ attempt: 2, path: 'another film.mkv' } as Partial<Ticket>)).op, 'open');
  assert.equal((await ask({ attempt: 3, term: 4 })).op, 'open', 'a later term counts more than any number');
});

test('what the holder says about the file reaches the reader as it was said', async (t) => {
  for (const [code, retry] of [
    ['file-changed', false],
    ['root-not-mounted', true],
  ] as const) {
    const source = async (): Promise<never> => {
      throw new PlainError('no', { reason: { code }, retry });
    };
    const { mesh } = await gate(t, { source });
    const open = openBulk({ mesh, hostOf: () => '127.0.0.1' }, 'node', sign(key, sourceTicket()));
    await assert.rejects(open(t.signal), (error) => error instanceof PlainError && error.reason?.code === code && error.retry === retry);
  }
});

test('the dashboard is only at the coordinator', async (t) => {
  const off = await gate(t);
  await assert.rejects(openDashboard({ mesh: off.mesh, hostOf: () => 'x' }, 'node', t.signal), { retry: true });
  const on = await gate(t, { dashboard: () => (_request, response) => response.end('page') });
  const address = await openDashboard({ mesh: on.mesh, hostOf: () => '127.0.0.1' }, 'node', t.signal);
  assert.deepEqual([address.host, address.port], ['127.0.0.1', on.stage.server.port()]);
});

async function gate(
  t: TestContext,
  more: Partial<BulkGateParts> = {},
): Promise<{ stage: Awaited<ReturnType<typeof bulkStage>>; mesh: Mesh }> {
  const stage = await bulkStage(t);
  const mesh = createLocalMesh('node', log);
  const file = { file: stage.source, sizeBytes: stage.bytes.length };
  sizeBytes = stage.bytes.length;
  createBulkGate({
    mesh,
    publicKey: key.publicKey,
    self: 'node',
    server: stage.server,
    source: async () => file,
    output: () => file,
    dashboard: () => null,
    log,
    now: () => NOW,
    ...more,
  });
  return { stage, mesh };
}

let sizeBytes = 0;
const about = { kind: 'ticket', cluster: key.cluster, term: 3, job: 1, attempt: 7, holder: 'node', reader: 'node', issuedAt: NOW } as const;

function ticket(): Ticket {
  return { ...about, what: 'output', extension: '.mkv', sizeBytes, sha256: 'a'.repeat(64) };
}

function sourceTicket(): Ticket {
  const fingerprint = { sizeBytes, mtimeMs: 1, inode: '1', links: 1, hash: 'a'.repeat(64) };
  return { ...about, what: 'source', root: '0b8f5a3e-1c62-4a5e-9d57-5f2f8f6d1a10', path: 'film.mkv', fingerprint };
}
