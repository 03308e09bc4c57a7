import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Signed } from '../core/cluster.ts';
import { PlainError } from '../errors.ts';
import { forgetCluster, loadMembership, pinCluster } from './membership.ts';
import type { Membership, Pinned } from './membership.ts';
import { makeClusterKey, sign } from './signing.ts';

const key = makeClusterKey();
const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

test('what was adopted is there after a restart, in a file that only its owner reads', async () => {
  const dataDir = folder();
  const before = await pin(dataDir);
  assert.equal(before.adoptMembers(members(3, 'attic', 'cellar')), true);
  assert.equal(before.adoptCertificate(certificate(1, 7, 'attic')), true);
  before.remember('cellar', ['/ip4/10.0.0.2/tcp/8266']);
  await before.flush();
  if (process.platform !== 'win32') assert.equal(statSync(path.join(dataDir, 'cluster.json')).mode & 0o777, 0o600);

  const found = await loadMembership(dataDir);
  assert.deepEqual(found?.cluster, { id: key.cluster, name: 'Home', publicKey: key.publicKey });
  assert.deepEqual([found.isMember('cellar'), found.isMember('stranger'), found.nameOf('attic')], [true, false, 'name of attic']);
  assert.equal(found.members().version, 3);
  assert.equal(found.certificate()?.certificate.term, 7);
  assert.deepEqual(found.remembered(), [{ node: 'cellar', addresses: ['/ip4/10.0.0.2/tcp/8266'] }]);
  assert.deepEqual(readdirSync(dataDir), ['cluster.json']);
});

test('a machine without a cluster has none', async () => {
  assert.equal(await loadMembership(folder()), null);
});

test('members and certificates are on the disk at once, without anybody asking for it', async (t) => {
  // the seconds that addresses may wait never pass
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const dataDir = folder();
  const membership = await pin(dataDir);
  membership.adoptMembers(members(9, 'attic'));
  const file = path.join(dataDir, 'cluster.json');
  while (!readFileSync(file, 'utf8').includes('\\"version\\":9')) await new Promise(setImmediate);
});

test('only a newer list signed by the pinned key is adopted', async () => {
  const membership = await pin(folder(), members(5, 'attic'));
  const heard: number[] = [];
  membership.onMembers(({ version }) => heard.push(version));
  const stranger = makeClusterKey();
  const forged = { ...members(9, 'thief'), signature: members(6, 'attic').signature };
  for (const refused of [
    members(4, 'thief'),
    members(5, 'thief'),
    forged,
    sign(stranger, { kind: 'members', cluster: key.cluster, version: 9, nodes: [] }),
    sign(key, { kind: 'members', cluster: stranger.cluster, version: 9, nodes: [] }),
    { payload: 'x', signature: 'y' },
  ])
    assert.equal(membership.adoptMembers(refused), false);
  assert.equal(membership.adoptMembers(members(6, 'cellar')), true);
  assert.deepEqual([heard, membership.isMember('attic'), membership.isMember('cellar')], [[6], false, true]);
});

test('of two certificates the higher incarnation and then the higher term is followed, and only a member may hold one', async () => {
  const membership = await pin(folder(), members(1, 'attic', 'cellar'));
  const heard: number[] = [];
  membership.onCertificate(({ term }) => heard.push(term));
  assert.equal(membership.adoptCertificate(certificate(1, 5, 'attic')), true);
  assert.equal(membership.adoptCertificate(certificate(1, 5, 'cellar')), false);
  assert.equal(membership.adoptCertificate(certificate(1, 4, 'cellar')), false);
  assert.equal(membership.adoptCertificate(certificate(1, 6, 'stranger')), false);
  assert.equal(membership.adoptCertificate(members(8, 'attic')), false);
  assert.equal(membership.adoptCertificate(certificate(2, 1, 'cellar')), true);
  assert.equal(membership.certificate()?.certificate.node, 'cellar');
  assert.deepEqual(heard, [5, 1]);
});

test('a listener that throws stops neither the others nor the adoption', async () => {
  const warned: string[] = [];
  const listen = (warning: Error): void => void warned.push(warning.message);
  process.on('warning', listen);
  const membership = await pin(folder());
  let heard = 0;
  membership.onMembers(() => {
    throw new Error('a mistake');
  });
  membership.onMembers(() => heard++);
  assert.equal(membership.adoptMembers(members(2, 'attic')), true);
  assert.equal(heard, 1);
  await new Promise(setImmediate);
  process.off('warning', listen);
  assert.ok(warned.some((message) => message.includes('a mistake')));
});

test('addresses are bounded, newest first, of members only, and go with a removed node', async () => {
  const membership = await pin(folder(), members(1, 'attic', 'cellar'));
  membership.remember(
    'attic',
    Array.from({ length: 30 }, (_, i) => `/ip4/10.0.0.${i}/tcp/1`),
  );
  membership.remember('attic', ['/ip4/10.9.9.9/tcp/1', 'x'.repeat(301)]);
  membership.remember('stranger', ['/ip4/6.6.6.6/tcp/1']);
  const [attic, ...others] = membership.remembered();
  assert.deepEqual([attic!.addresses.length, attic!.addresses[0], others], [30, '/ip4/10.9.9.9/tcp/1', []]);
  membership.adoptMembers(members(2, 'cellar'));
  assert.deepEqual(membership.remembered(), []);
});

test('a damaged file is named with what to do, and left as it is', async () => {
  const good = JSON.parse(await written()) as { cluster: object; members: Signed };
  const damaged = [
    '',
    '{',
    '{"format":1}',
    JSON.stringify({ ...good, cluster: { ...good.cluster, id: 'a'.repeat(26) } }),
    JSON.stringify({ ...good, cluster: { ...good.cluster, publicKey: makeClusterKey().publicKey } }),
    JSON.stringify({ ...good, members: { ...good.members, payload: good.members.payload.replace('attic', 'thief') } }),
  ];
  for (const text of damaged) {
    const dataDir = folder();
    writeFileSync(path.join(dataDir, 'cluster.json'), text);
    await assert.rejects(
      loadMembership(dataDir),
      (error) => error instanceof PlainError && /is damaged\. Put a good copy back/.test(error.message),
    );
    assert.equal(readFileSync(path.join(dataDir, 'cluster.json'), 'utf8'), text);
  }
});

test('a cluster is not pinned when its list is signed by another key', async () => {
  const other = makeClusterKey();
  await assert.rejects(pin(folder(), sign(other, { kind: 'members', cluster: other.cluster, version: 1, nodes: [] })), PlainError);
});

test('a forgotten cluster is kept aside and not brought back by a writer of before', async () => {
  const dataDir = folder();
  for (const left of [1, 2]) {
    const membership = await pin(dataDir);
    membership.adoptMembers(members(4, 'attic'));
    await forgetCluster(dataDir);
    membership.adoptMembers(members(5, 'attic'));
    await membership.flush();
    assert.equal(await loadMembership(dataDir), null);
    assert.equal(readdirSync(dataDir).length, left);
  }
  assert.deepEqual(readdirSync(dataDir).toSorted(), ['cluster.json.left-1', 'cluster.json.left-2']);
  await forgetCluster(dataDir);
});

test('a write that the disk refuses is told by flush and made up for by the next one', async () => {
  const dataDir = folder();
  const membership = await pin(dataDir);
  const inTheWay = path.join(dataDir, 'cluster.json.new');
  mkdirSync(inTheWay);
  membership.adoptMembers(members(2, 'attic'));
  await assert.rejects(membership.flush(), PlainError);
  rmdirSync(inTheWay);
  await membership.flush();
  assert.equal((await loadMembership(dataDir))?.members().version, 2);
});

async function written(): Promise<string> {
  const dataDir = folder();
  await pin(dataDir, members(1, 'attic'));
  return readFileSync(path.join(dataDir, 'cluster.json'), 'utf8');
}

function pin(dataDir: string, list: Signed | null = null): Promise<Membership> {
  const pinned: Pinned = {
    cluster: { id: key.cluster, name: 'Home', publicKey: key.publicKey },
    hosts: false,
    members: list,
    certificate: null,
    peers: [],
  };
  return pinCluster(dataDir, pinned);
}

function members(version: number, ...ids: string[]): Signed {
  return sign(key, { kind: 'members', cluster: key.cluster, version, nodes: ids.map((id) => ({ id, name: `name of ${id}` })) });
}

function certificate(incarnation: number, term: number, node: string): Signed {
  return sign(key, { kind: 'certificate', cluster: key.cluster, incarnation, term, node });
}

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'codecshift-membership-'));
  folders.push(made);
  return made;
}
