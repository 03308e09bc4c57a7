import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createLog } from '../log.ts';
import { helloOf, welcomeOf } from '../testing/mesh-samples.ts';
import { createGreeter } from './greeter.ts';
import { createLocalMesh } from './local.ts';
import { pinCluster, type Membership } from './membership.ts';
import { makeClusterKey, sign } from './signing.ts';

const log = createLog({ level: 'fatal', pretty: true });
const key = makeClusterKey();

test('a certificate that arrives before the greeter listens is followed like any other', async (t) => {
  const membership = await pinned(t);
  const { greeter, hellos } = greets(membership);
  membership.adoptCertificate(certificate(3, 'other'));
  assert.equal(greeter.coordinator(), 'other');
  membership.adoptCertificate(certificate(4, 'self'));
  greeter.start();
  t.after(() => greeter.stop());
  await greeter.tell();
  assert.equal(greeter.coordinator(), 'self');
  assert.ok(hellos() > 0);
  assert.ok(greeter.silentMs()! < 60_000);
});

test('a new term is greeted at once, and what a stopped greeter hears changes nothing', async (t) => {
  const membership = await pinned(t);
  const { greeter, hellos } = greets(membership);
  greeter.start();
  assert.equal(greeter.coordinator(), null);
  const welcomed = new Promise<void>((resolve) => greeter.onWelcome(() => resolve()));
  membership.adoptCertificate(certificate(1, 'self'));
  await welcomed;
  greeter.stop();
  await greeter.tell(); // what was being said when it stopped
  const before = hellos();
  membership.adoptCertificate(certificate(2, 'other'));
  await greeter.tell();
  assert.deepEqual([greeter.coordinator(), hellos()], [null, before]);
});

function greets(membership: Membership) {
  let hellos = 0;
  const mesh = createLocalMesh('self', log);
  mesh.handle('hello', async () => (hellos++, welcomeOf('self')));
  const greeter = createGreeter({ mesh, facts: async () => helloOf('self'), membership, log, everyMs: 60_000 });
  return { greeter, hellos: () => hellos };
}

async function pinned(t: { after(fn: () => Promise<void>): void }): Promise<Membership> {
  const dataDir = mkdtempSync(path.join(os.tmpdir(), 'codecshift-greeter-'));
  const nodes = ['self', 'other'].map((id) => ({ id, name: id }));
  const members = sign(key, { kind: 'members', cluster: key.cluster, version: 1, nodes });
  const cluster = { id: key.cluster, name: 'Home', publicKey: key.publicKey };
  const membership = await pinCluster(dataDir, { cluster, hosts: false, members, certificate: null, peers: [] });
  t.after(async () => {
    await membership.flush(); // an adopted certificate is written in the background
    rmSync(dataDir, { recursive: true, force: true });
  });
  return membership;
}

function certificate(term: number, node: string) {
  return sign(key, { kind: 'certificate', cluster: key.cluster, incarnation: 1, term, node });
}
