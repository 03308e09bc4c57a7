import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { PlainError } from '../errors.ts';
import { cluster, doorOf, machines, memoryMembership, quiet, startMesh, until, type Machine } from '../testing/mesh-nodes.ts';
import type { Membership } from './membership.ts';
import type { ProtocolRequest } from './messages.ts';
import type { NetworkMesh } from './network.ts';
import { heedOnlyTheCoordinator } from './orders.ts';

const house = cluster();
const root = '11111111-1111-4111-8111-111111111111';
const expire = (term: number): ProtocolRequest<'grant'> => ({
  op: 'expire',
  term,
  job: 1,
  attempt: 1,
  root,
  trashPath: '.codecshift/trash/2026-01-01/1/Film.mkv',
  fingerprint: { sizeBytes: 1, mtimeMs: 1, inode: '1', links: 1, hash: 'a'.repeat(64) },
});

interface Stage {
  chief: Machine;
  other: Machine;
  keeper: Machine;
  fromChief: NetworkMesh;
  fromOther: NetworkMesh;
  know: Membership;
  /** what reached the keeper's own handlers */
  done: string[];
}

async function stage(t: TestContext, waitMs = 150): Promise<Stage> {
  const all = machines('chief', 'other', 'keeper') as [Machine, Machine, Machine];
  const [chief, other, keeper] = all;
  const know = memoryMembership(house, house.list(1, ...all));
  const mesh = await startMesh(t, keeper, know);
  const done: string[] = [];
  const heard = heedOnlyTheCoordinator({ mesh, membership: know, log: quiet, waitMs });
  heard.handle('grant', async (grant) => (done.push(`${grant.op} ${grant.term}`), { accepted: true, why: null }));
  heard.handle('control', async (wish) => (done.push(`${wish.want} ${wish.term}`), { accepted: true }));
  heard.handle('inspect', async (ask) => (done.push(ask.op), { op: 'ended' }));
  heard.handle('log', async ({ term }) => (done.push(`log ${term}`), { lines: [] }));
  heard.handle('bulk', async () => (done.push('bulk'), { op: 'refused', reason: { code: 'not-coordinator' }, retry: true }));
  const [fromChief, fromOther] = await Promise.all(
    [chief, other].map((who) => startMesh(t, who, memoryMembership(house, house.list(1, ...all)), { peers: [doorOf(mesh)] })),
  );
  await until(
    'everybody is connected',
    () => mesh.connected().length === 2 && [fromChief!, fromOther!].every((m) => m.connected().includes(keeper.id)),
  );
  return { chief, other, keeper, fromChief: fromChief!, fromOther: fromOther!, know, done };
}

const refused = (error: unknown): boolean =>
  error instanceof PlainError && error.retry && /only from the one that coordinates/.test(error.message);

test('a member that does not coordinate can neither have a film touched nor a run ended nor a disk or a log read', async (t) => {
  const { chief, keeper, fromChief, fromOther, know, done } = await stage(t);
  know.adoptCertificate(house.certificate(4, chief));
  const detect = { term: 4, attempt: 0, want: 'detect' } as const;
  const look = { op: 'end-list', scan: 'x' } as const;
  const read = { term: 4, level: 'info', room: null, words: '', limit: 9 } as const;
  // what it says of its term makes no difference
  for (const term of [4, 5, 1_000_000]) await assert.rejects(fromOther.request(keeper.id, 'grant', expire(term)), refused);
  await assert.rejects(fromOther.request(keeper.id, 'control', { ...detect, want: 'forget' }), refused);
  await assert.rejects(fromOther.request(keeper.id, 'inspect', look), refused);
  await assert.rejects(fromOther.request(keeper.id, 'log', read), refused);
  assert.deepEqual(done, []);
  // what is no order is nobody's privilege
  await fromOther.request(keeper.id, 'bulk', { op: 'dashboard' });
  await fromChief.request(keeper.id, 'grant', expire(4));
  await fromChief.request(keeper.id, 'control', detect);
  await fromChief.request(keeper.id, 'inspect', look);
  await fromChief.request(keeper.id, 'log', read);
  assert.deepEqual(done, ['bulk', 'expire 4', 'detect 4', 'end-list', 'log 4']);
});

test('a coordinator of the past is refused at once, also by a keeper that has heard nothing since it started', async (t) => {
  const { chief, other, keeper, fromChief, fromOther, know, done } = await stage(t, 60_000);
  know.adoptCertificate(house.certificate(4, chief));
  know.adoptCertificate(house.certificate(5, other));
  await assert.rejects(fromChief.request(keeper.id, 'grant', expire(4)), refused);
  await fromOther.request(keeper.id, 'grant', expire(5));
  assert.deepEqual(done, ['expire 5']);
});

test('the first order of a new coordinator waits for the certificate that is on its way', async (t) => {
  const { chief, other, keeper, fromOther, know, done } = await stage(t, 60_000);
  know.adoptCertificate(house.certificate(4, chief));
  const answer = fromOther.request(keeper.id, 'grant', expire(5));
  const look = fromOther.request(keeper.id, 'inspect', { op: 'end-list', scan: 'x' });
  assert.equal(await Promise.race([answer, look, until('the order waits', () => false, 300).catch(() => 'waits')]), 'waits');
  know.adoptCertificate(house.certificate(5, other));
  assert.deepEqual(await answer, { accepted: true, why: null });
  assert.deepEqual(await look, { op: 'ended' });
  assert.deepEqual(done.toSorted(), ['end-list', 'expire 5']);
});

test('without any certificate nobody is obeyed', async (t) => {
  const { keeper, fromChief, done } = await stage(t);
  await assert.rejects(fromChief.request(keeper.id, 'grant', expire(1)), refused);
  assert.deepEqual(done, []);
});
