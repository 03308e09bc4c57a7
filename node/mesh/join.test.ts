import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import type { Standing } from '../core/standing.ts';
import { PlainError } from '../errors.ts';
import { makeCluster, makeNodeKey, silentLog, startLobby } from '../testing/lobbies.ts';
import type { TestCluster, TestLobby } from '../testing/lobbies.ts';
import { joinOrFound } from './join.ts';
import type { Joining, JoiningParts } from './join.ts';
import { newToken } from './join-token.ts';
import { loadMembership } from './membership.ts';
import { makeClusterKey, sign } from './signing.ts';

const closing: (() => unknown)[] = [];
after(async () => void (await Promise.all(closing.map((close) => close()))));

suite('a machine without a cluster', { concurrency: 6 }, () => {
  test('asks the cluster that it finds, shows the code that the page shows, and is a member once it is approved', async () => {
    const cluster = makeCluster();
    const member = await lobbyOf(cluster);
    const joiner = await join({ peers: [member.at] });
    const pending = await when(joiner, ({ state }) => state === 'pending');
    assert.deepEqual(pending, { ...pending, cluster: { id: cluster.key.cluster, name: 'Home' }, code: cluster.codes.get(joiner.node) });
    assert.deepEqual(joiner.codes, [cluster.codes.get(joiner.node)]);
    cluster.approve(joiner.node);
    const result = await joiner.outcome;
    assert.ok('joined' in result && result.joined.isMember(joiner.node));
    const kept = await loadMembership(joiner.dataDir);
    assert.deepEqual([kept?.cluster.id, kept?.isMember(joiner.node), kept?.hosts], [cluster.key.cluster, true, false]);
    assert.equal(joiner.codes.length, 1);
  });

  test('that nobody answers founds one, and says so to those that come later', async () => {
    const joiner = await join({});
    assert.equal(joiner.standing().state, 'listening');
    assert.deepEqual(await joiner.outcome, { found: true });
    assert.equal(joiner.standing().state, 'founding');
    const later = await lobby();
    assert.equal((await later.look({ address: joiner.lobby.at }, AbortSignal.timeout(60_000))).founding, true);
  });

  test('and another one, started at the same moment, end in one cluster', async () => {
    const [a, b] = [await lobby(), await lobby()];
    a.parts.peers = [b.at];
    b.parts.peers = [a.at];
    const both = [await join({ peers: [b.at] }, a), await join({ peers: [a.at] }, b)];
    const founder = await Promise.race(both.map(async (one) => (await one.outcome) && one));
    const other = both.find((one) => one !== founder)!;
    const cluster = makeCluster('New', { established: false });
    enter(founder.lobby, cluster);
    await when(other, ({ state }) => state === 'pending');
    cluster.approve(other.node);
    assert.ok('joined' in (await other.outcome));
    assert.deepEqual(await founder.outcome, { found: true });
  });

  test('founds at once when it was told to, whatever is around', async () => {
    const member = await lobbyOf(makeCluster());
    const joiner = await join({ peers: [member.at], mode: 'new' });
    assert.deepEqual(await joiner.outcome, { found: true });
  });

  test('that shall only join waits and says for what', async () => {
    const nobody = await lobby();
    await nobody.stop();
    const joiner = await join({ peers: [nobody.at], mode: 'join' });
    const standing = await when(joiner, ({ state }) => state === 'asking');
    assert.match(standing.state === 'asking' ? standing.problem! : '', /^(No cluster was found|Nothing answers at)/);
  });

  test('joins with a token at once, at the address in it, and asks no other cluster', async () => {
    const stored = { secretHash: '' };
    const cluster = makeCluster('Home', stored);
    const other = makeCluster('Other');
    const [member, tempting] = [await lobbyOf(cluster), await lobbyOf(other)];
    const made = newToken(cluster.key.cluster, [member.at]);
    stored.secretHash = made.secretHash;
    const joiner = await join({ peers: [tempting.at], token: made.token });
    const result = await joiner.outcome;
    assert.ok('joined' in result);
    assert.deepEqual([result.joined.cluster.name, other.asked, joiner.codes], ['Home', [], []]);
    assert.ok(!JSON.stringify(cluster.asked).includes(made.token.split('.')[2]!), 'the secret crossed the network');
  });

  test('does not join a cluster that proves to know another token, nor one that it has no token of', async () => {
    const cluster = makeCluster('Home', { secretHash: '0'.repeat(64) });
    const member = await lobbyOf(cluster);
    const joiner = await join({ token: newToken(cluster.key.cluster, [member.at]).token });
    cluster.approve(joiner.node);
    await when(joiner, (now) => now.state === 'asking' && now.cluster !== null && /did not prove/.test(now.problem ?? ''));

    const elsewhere = await join({ token: newToken(makeClusterKey().cluster, [member.at]).token });
    const lost = await when(elsewhere, ({ state }) => state === 'asking');
    assert.deepEqual([lost.state === 'asking' && lost.cluster, cluster.asked.some(({ node }) => node === elsewhere.node)], [null, false]);
  });

  test('with a damaged token does not even begin', async () => {
    await assert.rejects(join({ token: 'csj1.damaged' }), PlainError);
  });

  test('goes on at another machine of the cluster when the first one vanishes', async () => {
    const cluster = makeCluster();
    const [first, second] = [await lobbyOf(cluster), await lobbyOf(cluster)];
    const joiner = await join({ peers: [first.at, second.at] });
    await when(joiner, ({ state }) => state === 'pending');
    await first.stop();
    cluster.approve(joiner.node);
    assert.ok('joined' in (await joiner.outcome));
  });

  test('goes on when one machine of the cluster is cut off from its coordinator, and keeps asking when all are', async () => {
    const cluster = makeCluster();
    const cutOff = { away: true };
    const [first, second] = [await lobbyOf(cluster), await lobbyOf(cluster)];
    for (const [one, always] of [
      [first, true],
      [second, false],
    ] as const) {
      one.parts.onJoin = async (asked) =>
        always || cutOff.away ? { state: 'away', why: 'The coordinator does not answer.' } : await cluster.onJoin(asked);
    }
    const joiner = await join({ peers: [first.at, second.at] });
    await when(joiner, (now) => now.state === 'asking' && now.problem === 'The coordinator does not answer.');
    cutOff.away = false;
    await when(joiner, ({ state }) => state === 'pending');
  });

  test('that was refused says so, does not found, and asks again when a person wants it to', async () => {
    const cluster = makeCluster();
    const member = await lobbyOf(cluster);
    const joiner = await join({ peers: [member.at] });
    cluster.refuse(joiner.node, 'Declined by Ada.');
    const rejected = await when(joiner, ({ state }) => state === 'rejected');
    assert.equal(rejected.state === 'rejected' && rejected.why, 'Declined by Ada.');
    cluster.approve(joiner.node);
    joiner.choose(cluster.key.cluster);
    assert.ok('joined' in (await joiner.outcome));
  });

  test('asks the cluster that a person chose instead of the one it asks already', async () => {
    const [large, small] = [makeCluster('Large'), makeCluster('Small')];
    large.facts.nodes = 9;
    const [a, b] = [await lobbyOf(large), await lobbyOf(small)];
    const own = await lobby([a.at, b.at]);
    await until(() => own.around().length === 2);
    const joiner = await join({ peers: [a.at, b.at] }, own);
    const first = await when(joiner, ({ state }) => state === 'pending');
    assert.equal(first.state === 'pending' && first.cluster.name, 'Large');
    joiner.choose(small.key.cluster);
    const second = await when(joiner, (now) => now.state === 'pending' && now.cluster.name === 'Small');
    assert.equal(second.state === 'pending' && second.code, small.codes.get(joiner.node));
    assert.deepEqual(joiner.codes, [large.codes.get(joiner.node), small.codes.get(joiner.node)]);
  });

  test('founds its own when a person wants that, also while it waits for approval', async () => {
    const cluster = makeCluster();
    const member = await lobbyOf(cluster);
    const joiner = await join({ peers: [member.at] });
    await when(joiner, ({ state }) => state === 'pending');
    joiner.foundOwn();
    assert.deepEqual(await joiner.outcome, { found: true });
  });

  test('believes no approval that the key of the cluster did not sign for it', async () => {
    const [cluster, thief] = [makeCluster(), makeClusterKey()];
    const member = await lobbyOf(cluster);
    const joiner = await join({ peers: [member.at] });
    const approved = (key: typeof thief, nodes: string[]) => ({
      state: 'approved' as const,
      cluster: cluster.key.cluster,
      name: 'Home',
      publicKey: key.publicKey,
      members: sign(key, { kind: 'members', cluster: key.cluster, version: 9, nodes: nodes.map((id) => ({ id, name: id.slice(-8) })) }),
      certificate: null,
      peers: [],
      proof: null,
    });
    const lies = [
      approved(thief, [joiner.node]),
      { ...approved(thief, [joiner.node]), publicKey: cluster.key.publicKey },
      { ...approved(thief, [joiner.node]), cluster: thief.cluster },
      approved(cluster.key, [member.node]),
    ];
    let told = 0;
    cluster.answer = () => lies[told++ % lies.length]!;
    await until(() => told > lies.length);
    assert.equal(joiner.standing().state, 'asking');
    assert.equal(await loadMembership(joiner.dataDir), null);
  });

  test('and the page show different codes when somebody stands in between', async () => {
    const [cluster, his] = [makeCluster(), makeCluster('Home')];
    const member = await lobbyOf(cluster);
    const [middle, joining] = [await lobbyOf(his), await join({ peers: [] })];
    joining.lobby.parts.peers = [middle.at];
    // he takes the joiner's words for his own towards the cluster, and answers the joiner as a cluster of the same name
    let relayed = 0;
    middle.parts.onJoin = async (asked) => {
      await middle.ask({ address: member.at }, { ...asked, node: middle.node }, AbortSignal.timeout(60_000));
      relayed++;
      return await his.onJoin(asked);
    };
    const pending = await when(joining, ({ state }) => state === 'pending');
    await until(() => cluster.codes.size > 0 || relayed > 3);
    assert.equal(cluster.codes.has(joining.node), false);
    assert.notEqual(pending.state === 'pending' && pending.code, cluster.codes.get(middle.node));
  });

  test('stops when it is told to stop', async () => {
    const stopping = new AbortController();
    const joiner = await join({ signal: stopping.signal });
    const reason = new Error('the program ends');
    stopping.abort(reason);
    await assert.rejects(joiner.outcome, reason);
  });
});

interface TestJoining extends Joining {
  node: string;
  lobby: TestLobby;
  dataDir: string;
  codes: string[];
}

async function join(some: Partial<JoiningParts>, on?: TestLobby): Promise<TestJoining> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'codecshift-join-'));
  const stop = new AbortController();
  const own = on ?? (await lobby([...(some.peers ?? [])]));
  closing.push(() => {
    stop.abort();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const codes: string[] = [];
  const joining = joinOrFound({
    dataDir,
    self: { id: own.node, name: 'joiner', version: '1', platform: 'linux', hardware: { cpu: 'x'.repeat(9000) } },
    lobby: own,
    mode: 'auto',
    token: null,
    peers: [],
    wanted: null,
    onCode: (code) => codes.push(code),
    log: silentLog,
    ...some,
    signal: some.signal ?? stop.signal,
  });
  return { ...joining, node: own.node, lobby: own, dataDir, codes };
}

async function lobby(peers: string[] = []): Promise<TestLobby> {
  const started = await startLobby({ id: await makeNodeKey(), peers });
  closing.push(() => started.stop());
  return started;
}

async function lobbyOf(cluster: TestCluster): Promise<TestLobby> {
  const started = await lobby();
  enter(started, cluster);
  return started;
}

function enter(started: TestLobby, cluster: TestCluster): void {
  const before = started.parts.self;
  started.parts.self = () => ({ ...before(), cluster: cluster.facts, lookingMs: null });
  started.parts.onJoin = cluster.onJoin;
  started.parts.members = cluster.members;
}

async function when(joining: Joining, isSo: (standing: Standing) => boolean): Promise<Standing> {
  await until(
    () => isSo(joining.standing()),
    () => JSON.stringify(joining.standing()),
  );
  return joining.standing();
}

async function until(isTrue: () => boolean, what: () => string = () => ''): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!isTrue()) {
    assert.ok(Date.now() < deadline, `did not happen: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
