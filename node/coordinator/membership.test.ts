import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import type { Signed } from '../core/cluster.ts';
import type { Actor } from '../core/commands.ts';
import { advance, openAttempts } from '../db/attempts.ts';
import { claim } from '../db/claims.ts';
import { readCluster } from '../db/cluster.ts';
import { readJobRow } from '../db/job-lists.ts';
import { readNode, setStanding } from '../db/nodes.ts';
import { believePath, keepersOf, listNodeRoots, setNodeRoots } from '../db/roots.ts';
import { createEvents } from '../events.ts';
import { createLog } from '../log.ts';
import { clusterProof, joinProof, parseToken, secretHashOf } from '../mesh/join-token.ts';
import { createLocalMesh } from '../mesh/local.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { JoinAnswer, JoinRequest } from '../mesh/messages.ts';
import { commitOf, pairingCode } from '../mesh/pairing-code.ts';
import { makeClusterKey, openCertificate, openMembers, sign } from '../mesh/signing.ts';
import { alone } from '../testing/alone.ts';
import { oneDatabase, freshDatabase, type DatabaseKind, type TestDatabase } from '../testing/database.ts';
import { until } from '../testing/mesh-nodes.ts';
import { aLibrary, aNode, someJobs, testNode } from '../testing/records.ts';
import { createCoordinator, type Coordinator } from './coordinator.ts';
import { admitSelf, catchUpMembers, clusterKeyOf } from './members.ts';
import { createProver } from './prover.ts';
import { createRoster } from './roster.ts';
import { createSettingsStore } from './settings.ts';

/** The coordinator's half of joining, over real databases; the stranger is this test. */
const ada: Actor = { name: 'Ada', via: 'page' };
const log = createLog({ level: 'fatal', pretty: true });
const self = { id: testNode, name: 'attic', version: '0.1.0', platform: 'linux', hardware: {} };

interface Stage {
  mesh: Mesh;
  coordinator: Coordinator;
  database: TestDatabase;
  publicKey: string;
  /** the newest list that was signed */
  members: () => string[];
  /** this node meets a machine that kept this list */
  keep(list: Signed): void;
  ask(stranger: Stranger, extra?: Partial<JoinRequest>): Promise<JoinAnswer>;
}

interface Stranger {
  id: string;
  reveal: string;
}

async function stage(t: TestContext, kind: DatabaseKind): Promise<Stage> {
  const database = await freshDatabase(t, kind);
  const key = await clusterKeyOf(database, 'house');
  let newest: Signed = await admitSelf(database, key, self);
  let kept: Signed | null = null;
  const mesh = createLocalMesh(testNode, log);
  const events = createEvents((error) => assert.fail(String(error)));
  const coordinator = createCoordinator({
    ...alone(),
    mesh,
    db: database,
    name: 'attic',
    events,
    peers: () => [{ node: testNode, addresses: ['/ip4/10.0.0.5/tcp/8266'] }],
    members: () => kept ?? newest,
    onMembers: (signed) => void ([newest, kept] = [signed, null]),
  });
  const led = new Promise<void>((resolve) => events.on('coordinator.changed', ({ term }) => term !== null && resolve()));
  coordinator.start();
  t.after(() => coordinator.stop());
  await led;
  return {
    mesh,
    coordinator,
    database,
    publicKey: key.publicKey,
    members: () => openMembers(key.publicKey, newest)!.nodes.map((node) => node.id),
    keep: (list) => void (kept = list),
    ask: (stranger, extra = {}) =>
      mesh.request(testNode, 'join', {
        asked: {
          node: stranger.id,
          name: 'cellar',
          version: '0.1.0',
          platform: 'linux',
          hardware: {},
          commit: commitOf(stranger.reveal),
          reveal: null,
          token: null,
          ...extra,
        },
        address: '10.0.0.9',
        lobby: testNode,
      }),
  };
}

const stranger = (): Stranger => ({ id: `12D3KooW${randomBytes(8).toString('hex')}`, reveal: randomBytes(16).toString('base64url') });

oneDatabase((kind) => {
  test('a stranger waits with the same code on both sides until a person approves it, and is then on the signed list', async (t) => {
    const s = await stage(t, kind);
    const cellar = stranger();
    const first = await s.ask(cellar);
    assert.equal(first.state, 'pending');
    assert.equal(await readNode(s.database, cellar.id), null, 'before it showed its half of the code there is nothing to compare');
    const second = await s.ask(cellar, { reveal: cellar.reveal });
    assert.ok(first.state === 'pending' && second.state === 'pending');
    assert.equal(second.nonce, first.nonce);
    const code = pairingCode({ publicKey: s.publicKey, node: cellar.id, reveal: cellar.reveal, nonce: second.nonce });
    const row = await readNode(s.database, cellar.id);
    assert.deepEqual([row?.standing, row?.code, row?.address], ['pending', code, '10.0.0.9']);
    assert.equal((await readCluster(s.database))?.establishedAt, null);

    await s.coordinator.commands.approveNode(cellar.id, ada);
    assert.deepEqual(s.members().toSorted(), [cellar.id, testNode].toSorted());
    const third = await s.ask(cellar, { reveal: cellar.reveal });
    assert.equal(third.state, 'approved');
    if (third.state !== 'approved') return;
    assert.ok(openMembers(s.publicKey, third.members)!.nodes.some((node) => node.id === cellar.id));
    assert.equal(openCertificate(s.publicKey, third.certificate!)?.node, testNode);
    assert.ok((await readCluster(s.database))?.establishedAt);
  });

  test('a reveal that is not what was committed to is refused, and nothing is written down', async (t) => {
    const s = await stage(t, kind);
    const liar = stranger();
    const answer = await s.ask(liar, { reveal: 'another' });
    assert.equal(answer.state, 'refused');
    assert.equal(await readNode(s.database, liar.id), null);
  });

  test('a rejected machine is told so, and can be approved after all', async (t) => {
    const s = await stage(t, kind);
    const cellar = stranger();
    await s.ask(cellar, { reveal: cellar.reveal });
    await s.coordinator.commands.declineNode(cellar.id, 'reject', ada);
    assert.equal((await s.ask(cellar, { reveal: cellar.reveal })).state, 'refused');
    await s.coordinator.commands.approveNode(cellar.id, ada);
    assert.equal((await s.ask(cellar)).state, 'approved');
  });

  test('a removed machine is off the list at once and comes back only by a person', async (t) => {
    const s = await stage(t, kind);
    const cellar = stranger();
    await s.ask(cellar, { reveal: cellar.reveal });
    await s.coordinator.commands.approveNode(cellar.id, ada);
    await s.coordinator.commands.removeNode(cellar.id, ada);
    assert.deepEqual(s.members(), [testNode]);
    assert.equal((await s.ask(cellar, { reveal: cellar.reveal })).state, 'pending');
    assert.deepEqual(s.members(), [testNode]);
  });

  test('a database that was put back from a backup takes over the newer list that the machines kept, and can remove again', async (t) => {
    const s = await stage(t, kind);
    const [removed, later] = [stranger(), stranger()];
    await s.ask(removed, { reveal: removed.reveal });
    await s.coordinator.commands.approveNode(removed.id, ada);
    const key = await clusterKeyOf(s.database, 'house');
    const version = (await readCluster(s.database))!.membersVersion;
    const nodes = [
      { id: testNode, name: 'attic' },
      { id: later.id, name: 'later' },
    ];
    // what happened after the backup, as the machines remember it
    s.keep(sign(key, { kind: 'members', cluster: key.cluster, version: version + 5, nodes }));
    await until('the list is taken over', () => s.members().includes(later.id));
    assert.deepEqual(s.members().toSorted(), [later.id, testNode].toSorted(), 'who was removed after the backup stays out');
    assert.equal((await readNode(s.database, removed.id))?.standing, 'revoked');
    assert.equal((await readCluster(s.database))!.membersVersion, version + 6);
    await s.coordinator.commands.removeNode(later.id, ada);
    assert.deepEqual(s.members(), [testNode]);
    assert.ok((await readCluster(s.database))!.membersVersion > version + 6);

    // the database went on to the same number before it met anybody
    s.keep(sign(key, { kind: 'members', cluster: key.cluster, version: version + 7, nodes }));
    await until('that list too', () => s.members().includes(later.id));
    // a list of another cluster is nothing to take over
    const other = makeClusterKey();
    assert.equal(
      await catchUpMembers(s.database, key, sign(other, { kind: 'members', cluster: other.cluster, version: 99, nodes }), testNode),
      false,
    );
  });

  test('a hello that crosses the removal of its node does not bring back what that node has', async (t) => {
    const database = await freshDatabase(t, kind);
    const db = await database.lead();
    const { rootId: root } = await aLibrary(db, 'Films', 'nas');
    const events = createEvents(() => {});
    const measured: unknown[] = [];
    events.on('root.measured', (told) => void measured.push(told));
    const roster = createRoster({
      mesh: createLocalMesh(testNode, log),
      db,
      term: 1,
      certificate: { payload: '', signature: '' },
      settings: createSettingsStore().current,
      events,
      network: { hostOf: () => null, clockOf: () => null },
      onKeeper: () => {},
      onRoots: () => {},
      onHigher: () => {},
      open: () => null,
    });
    const facts = {
      ...{ node: 'nas', session: randomUUID(), name: 'nas', version: '0.1.0', platform: 'linux', slots: 1, classes: [1], encoders: [] },
      ...{ hardware: {}, attempts: [], candidate: false, freeBytes: 1 },
      roots: [{ root, path: '/films', writable: true, problem: null, freeBytes: 5e11 }],
      ...{ time: 0, utcOffset: 0, membersVersion: 0, certificate: null },
    };
    await roster.hello(facts);
    assert.deepEqual(roster.present(), ['nas']);
    assert.deepEqual(measured.splice(0), [{ rootId: root, freeBytes: 5e11 }]);
    await setStanding(db, 'nas', 'revoked', 'Ada');
    await setNodeRoots(db, 'nas', []);
    roster.forget('nas');
    await assert.rejects(roster.hello(facts), /no member/);
    assert.deepEqual([roster.present(), measured], [[], []]);
    assert.deepEqual(await listNodeRoots(db, 'nas'), []);
  });

  test('what only a removed machine could have checked is made anew, what runs elsewhere goes on', async (t) => {
    const s = await stage(t, kind);
    const db = s.database.withTerm(s.coordinator.term()!);
    const nas = stranger();
    await s.ask(nas, { reveal: nas.reveal });
    await s.coordinator.commands.approveNode(nas.id, ada);
    const library = await aLibrary(db, 'Films', nas.id);
    await someJobs(db, library.id, 3);
    const wish = { node: testNode, classes: [0, 1, 2], term: 1, leaseSeconds: 60, keepers: [nas.id] };
    const [encoding, checking, replacing] = [await claim(db, wish), await claim(db, wish), await claim(db, wish)];
    await advance(db, checking!, ['running'], 'verifying', 60);
    await advance(db, replacing!, ['running'], 'replacing', 60);
    await s.coordinator.commands.removeNode(nas.id, ada);
    assert.deepEqual(
      (await openAttempts(db)).map((attempt) => attempt.id),
      [encoding!.attemptId, replacing!.attemptId],
    );
    // it may come back and say how its swap ended; if it never does, a person gives it up
    assert.equal((await readJobRow(db, replacing!.jobId))?.reason?.code, 'swap-removed');
    await s.coordinator.commands.cancelJob(replacing!.jobId, ada);
    assert.equal((await readJobRow(db, replacing!.jobId))?.state, 'cancelled');
    assert.deepEqual(
      (await openAttempts(db)).map((attempt) => attempt.id),
      [encoding!.attemptId],
    );
  });

  test('whoever asks between the decision and its signature gets a list with its name on it', async (t) => {
    const s = await stage(t, kind);
    const cellar = stranger();
    await s.ask(cellar, { reveal: cellar.reveal });
    await setStanding(s.database.withTerm(s.coordinator.term()!), cellar.id, 'approved', 'Ada');
    const answer = await s.ask(cellar);
    assert.ok(answer.state === 'approved' && openMembers(s.publicKey, answer.members)!.nodes.some(({ id }) => id === cellar.id));
  });

  test('the node that coordinates cannot be removed', async (t) => {
    const s = await stage(t, kind);
    await assert.rejects(s.coordinator.commands.removeNode(testNode, ada), /holds the database|Hand the role over/);
  });

  test('a join token lets in as many machines as it says, proves the cluster to them, and then no more', async (t) => {
    const s = await stage(t, kind);
    const made = await s.coordinator.commands.createJoinToken({ label: 'attic', uses: 1, hours: 1 }, ada);
    const token = parseToken(made.token);
    const by = (who: Stranger): Partial<JoinRequest> => ({
      token: { id: token.id, proof: joinProof(secretHashOf(token.secret), s.publicKey, who.id) },
    });
    const wrong = stranger();
    assert.equal((await s.ask(wrong, { token: { id: token.id, proof: '0'.repeat(64) } })).state, 'refused');
    const cellar = stranger();
    const answer = await s.ask(cellar, by(cellar));
    assert.equal(answer.state, 'approved');
    if (answer.state === 'approved') assert.equal(answer.proof, clusterProof(secretHashOf(token.secret), s.publicKey, cellar.id));
    const again = await s.ask(cellar, by(cellar));
    assert.ok(again.state === 'approved' && again.proof, 'the first answer may have been lost');
    const late = stranger();
    assert.equal((await s.ask(late, by(late))).state, 'refused');
    assert.deepEqual(s.members().toSorted(), [cellar.id, testNode].toSorted());
  });

  test('a machine that asks with the last use of a token at two addresses at once is let in by both', async (t) => {
    const s = await stage(t, kind);
    const { token } = await s.coordinator.commands.createJoinToken({ label: '', uses: 1, hours: 1 }, ada);
    const { id, secret } = parseToken(token);
    const proof = (node: string): JoinRequest['token'] => ({ id, proof: joinProof(secretHashOf(secret), s.publicKey, node) });
    const attic = stranger();
    const answers = await Promise.all([1, 2, 3].map(() => s.ask(attic, { token: proof(attic.id) })));
    assert.deepEqual(
      answers.map(({ state }) => state),
      ['approved', 'approved', 'approved'],
    );
    const late = stranger();
    assert.equal((await s.ask(late, { token: proof(late.id) })).state, 'refused');
  });

  test('a flood of made-up machines ends at a bound', async (t) => {
    const s = await stage(t, kind);
    let refused = 0;
    for (let i = 0; i < 60; i++) {
      const one = stranger();
      if ((await s.ask(one, { reveal: one.reveal })).state === 'refused') refused++;
    }
    assert.equal(refused, 10);
  });

  test('candidates that are given a database at the same moment found one cluster and are all on its list', async (t) => {
    const database = await freshDatabase(t, kind);
    const ids = Array.from({ length: 5 }, (_, i) => `node-${i}`);
    const keys = await Promise.all(
      ids.map(async (id) => {
        const key = await clusterKeyOf(database, id);
        await admitSelf(database, key, { ...self, id, name: id });
        return key.cluster;
      }),
    );
    assert.equal(new Set(keys).size, 1);
    const cluster = await readCluster(database);
    assert.deepEqual(
      openMembers(cluster!.publicKey, cluster!.members!)!.nodes.map((node) => node.id),
      ids,
    );
  });

  test('a further path of a root counts only after what one machine wrote was read by the other', async (t) => {
    const database = await freshDatabase(t, kind);
    const db = await database.lead();
    const { rootId } = await aLibrary(db, 'Films', 'nas');
    await aNode(db, 'desk');
    await setNodeRoots(db, 'desk', [{ root: rootId, path: '/copy', writable: true, problem: null }]);
    const asked: string[] = [];
    let oneDisk = false;
    let answered = Promise.withResolvers<void>();
    const mesh = {
      request: async (to: string, _protocol: string, ask: { op: string; nonce: string }) => {
        asked.push(`${ask.op} ${to}`);
        if (ask.op === 'prove-read') setImmediate(answered.resolve);
        return { op: 'proved', found: ask.op === 'prove-write' || oneDisk };
      },
    } as unknown as Mesh;
    const isProved = async (): Promise<boolean> => (await keepersOf(database, rootId)).some((root) => root.nodeId === 'desk');
    const proved = Promise.withResolvers<void>();
    const parts = { mesh, db, present: () => ['nas', 'desk'], events: createEvents(() => {}), onProved: proved.resolve, log };
    void createProver(parts).kick();
    await answered.promise;
    assert.deepEqual(asked, ['prove-write desk', 'prove-read nas'], 'the one that is believed already looks');
    assert.equal(await isProved(), false, 'a copy of the disk must never become its keeper');
    oneDisk = true;
    answered = Promise.withResolvers();
    void createProver(parts).kick();
    await proved.promise;
    assert.equal(await isProved(), true);
  });

  test('when the disk that was believed is gone, its copy is believed only once a person says so', async (t) => {
    const db = await (await freshDatabase(t, kind)).lead();
    const { rootId } = await aLibrary(db, 'Films', 'nas');
    const parts = { mesh: {} as Mesh, db, present: () => ['nas', 'desk'], events: createEvents(() => {}), onProved: () => {}, log };
    await aNode(db, 'desk');
    await setNodeRoots(db, 'nas', []);
    await setNodeRoots(db, 'desk', [{ root: rootId, path: '/copy', writable: true, problem: null }]);
    await createProver(parts).kick();
    assert.deepEqual(await keepersOf(db, rootId), []);
    assert.equal(await believePath(db, 'desk', { id: rootId, path: '/copy', writable: true }), true);
    assert.deepEqual(
      (await keepersOf(db, rootId)).map((root) => root.nodeId),
      ['desk'],
    );
    // where another machine is believed, a person's word is not enough: it has to show the same bytes
    assert.equal(await believePath(db, 'nas', { id: rootId, path: '/other', writable: true }), false);
  });
});
