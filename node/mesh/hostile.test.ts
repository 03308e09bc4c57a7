import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Connection } from '@libp2p/interface';
import { lpStream } from '@libp2p/utils';
import { multiaddr } from '@multiformats/multiaddr';
import { cluster, doorOf, machine, machines, memoryMembership, startMesh, until, type Machine } from '../testing/mesh-nodes.ts';
import { claimOf, presenceOf } from '../testing/mesh-samples.ts';
import { shove, slowloris, stranger, tryEverything, type Stranger } from '../testing/mesh-stranger.ts';
import { topicName } from './gossip.ts';
import type { Topic } from './messages.ts';
import { ask, protocolId } from './rpc.ts';

const house = cluster();

/** Two good members that talk all the time, and a count of what each of them heard from the other. */
async function household(t: TestContext, ...more: Machine[]) {
  const [a, b] = machines('a', 'b') as [Machine, Machine];
  const list = house.list(1, a, b, ...more);
  const one = await startMesh(t, a, memoryMembership(house, list));
  const two = await startMesh(t, b, memoryMembership(house, list), { peers: [doorOf(one)] });
  const talk = { answered: 0, refused: 0, heard: 0, strange: 0 };
  for (const mesh of [one, two]) {
    mesh.handle('claim', async (wish, from) => {
      if (wish.node !== from || (from !== a.id && from !== b.id)) talk.strange++;
      return { granted: null, why: null };
    });
    mesh.subscribe('presence', (_message, from) => {
      if (from !== a.id && from !== b.id) talk.strange++;
      else if (from !== mesh.self) talk.heard++;
    });
  }
  await until('they have met', () => one.connected().includes(b.id) && two.connected().includes(a.id));
  const timer = setInterval(() => {
    two.publish('presence', presenceOf(b));
    one.request(b.id, 'claim', claimOf(a.id)).then(
      () => talk.answered++,
      () => talk.refused++,
    );
  }, 20);
  t.after(() => clearInterval(timer));
  return { a, b, one, two, talk, list };
}

async function goOn(talk: { answered: number; heard: number }): Promise<void> {
  const before = { ...talk };
  await until('the members go on talking', () => talk.answered > before.answered + 5 && talk.heard > before.heard + 5);
}

test('a stranger that speaks libp2p correctly opens no protocol, hears no gossip and reaches nobody, while members talk', async (t) => {
  const { b, one, two, talk } = await household(t);
  const evil = machine('evil');
  const host = await stranger(t, evil);
  let heard = 0;
  host.services.pubsub.addEventListener('message', () => heard++);
  const subjects = (['presence', 'members', 'coordinator', 'progress', 'offers'] as Topic[]).map((topic) =>
    topicName(house.key.cluster, topic),
  );
  for (const subject of subjects) host.services.pubsub.subscribe(subject);
  const shout = setInterval(() => {
    for (const subject of subjects)
      void host.services.pubsub.publish(subject, Buffer.from(JSON.stringify(presenceOf(b, 9)))).catch(() => {});
  }, 20);
  t.after(() => clearInterval(shout));

  assert.equal(await tryEverything(host, doorOf(one)), 0);
  assert.equal(await tryEverything(host, doorOf(two)), 0);
  await goOn(talk);
  assert.equal(heard, 0);
  assert.deepEqual(
    subjects.flatMap((subject) => host.services.pubsub.getSubscribers(subject)),
    [],
  );
  assert.equal(talk.strange, 0);
  assert.deepEqual([...one.connected(), ...two.connected()].sort(), [one.self, two.self].sort());
  const sighting = one.surroundings().sightings.find(({ node }) => node === evil.id);
  assert.equal(sighting?.state, 'not-approved');
  assert.match(sighting!.says, /not approved in this cluster yet, or belongs to another one/);
});

test('half-open connections and megabytes of noise at the door stop nobody from coming in', async (t) => {
  const late = machine('late');
  const { one, two, talk, list } = await household(t, late);
  slowloris(t, doorOf(one), 120);
  const junk = Buffer.concat([Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n'), Buffer.alloc(16 << 20, 0x41)]);
  const answers = await Promise.all([
    shove(doorOf(one), junk, 4000),
    shove(doorOf(two), junk, 4000),
    shove(doorOf(two), Buffer.alloc(16 << 20), 4000),
  ]);
  // A greeting and the one Noise message that proves our key are all that anybody gets before proving its own.
  for (const answer of answers) {
    assert.match(answer.toString('latin1'), /^(\x13\/multistream\/1\.0\.0\n(\x07\/noise\n)?|$)/);
    assert.ok(answer.length < 400, `${answer.length} bytes`);
  }
  const third = await startMesh(t, late, memoryMembership(house, list), { peers: [doorOf(one)] });
  await until('the late member is in', () => third.connected().length === 2);
  await goOn(talk);
  assert.equal(talk.refused, 0);
});

test('thousands of strangers are noticed in a bounded place that keeps the members', async (t) => {
  const { one, two } = await household(t);
  await two.stop();
  await until('the member is told about', () => one.surroundings().sightings.some(({ name }) => name === 'b'));
  for (let i = 0; i < 12; i++) {
    const host = await stranger(t, machine('evil'));
    await host.dial(multiaddr(`/ip4/127.0.0.1/tcp/${doorOf(one).split(':')[1]}`)).catch(() => {});
  }
  const { sightings } = one.surroundings();
  assert.ok(sightings.length <= 250 && sightings.length > 5);
  assert.ok(sightings.some(({ name }) => name === 'b'));
});

/** A member gone bad: its key is on the list, its program is not ours. */
async function badMember(
  t: TestContext,
): Promise<{ bad: Machine; host: Stranger; connection: Connection; home: Awaited<ReturnType<typeof household>> }> {
  const bad = machine('bad');
  const home = await household(t, bad);
  const host = await stranger(t, bad);
  const connection = await host.dial(multiaddr(`/ip4/127.0.0.1/tcp/${doorOf(home.one).split(':')[1]}`));
  const greeting = {
    node: bad.id,
    name: 'bad',
    version: '1',
    cluster: house.key.cluster,
    membersVersion: 1,
    members: null,
    certificate: null,
    peers: [
      { node: home.b.id, addresses: ['1.2.3.4:5', '/ip4/127.0.0.1/tcp/1/p2p-circuit', 'x'.repeat(300)] },
      { node: machine('ghost').id, addresses: ['127.0.0.1:1'] },
    ],
    time: Date.now() + 3_600_000,
  };
  await ask(connection, 'meet', JSON.stringify(greeting), AbortSignal.timeout(20_000), 'a');
  await until('it is admitted', () => home.one.connected().includes(bad.id));
  return { bad, host, connection, home };
}

test('a member that sends nonsense gets a sentence or nothing, and harms nobody', async (t) => {
  const { bad, connection, home } = await badMember(t);
  const send = (text: string): Promise<unknown> => ask(connection, 'claim', text, AbortSignal.timeout(20_000), 'a');
  await assert.rejects(send('{"node":'), /not JSON/);
  await assert.rejects(send('['.repeat(100_000)), /nested too deep/);
  await assert.rejects(send('{"node":1}'), /claim request was refused/);
  await assert.rejects(send(JSON.stringify(claimOf(home.b.id))), /speaks for another node/);
  await assert.rejects(send('\u0000'), /not JSON/);
  await assert.rejects(send(JSON.stringify('x'.repeat(400_000))), /could not be asked|broke/);
  const raw = await connection.newStream(protocolId('claim'));
  raw.send(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f])); // a frame of 34 GB
  await until('the stream is reset', () => raw.status !== 'open');
  const wrong = await connection.newStream(protocolId('claim'));
  await lpStream(wrong).write(Buffer.from([0xff, 0xfe, 0xfd]));
  await assert.doesNotReject(send(JSON.stringify(claimOf(bad.id))));
  const told = home.one.surroundings().sightings.find(({ node }) => node === bad.id);
  assert.equal(told?.state, 'clock');
  assert.match(told!.says, /60 minutes ahead/);
  await goOn(home.talk);
  assert.equal(home.talk.refused, 0);
});

test('a member that publishes lies and nonsense is believed in nothing', async (t) => {
  const { bad, host, home } = await badMember(t);
  const { pubsub } = host.services;
  const subject = topicName(house.key.cluster, 'presence');
  pubsub.subscribe(subject);
  await until('it may gossip', () => pubsub.getSubscribers(subject).length > 0);
  const lies = [
    JSON.stringify(presenceOf(home.b, 9)),
    '{',
    '[]',
    JSON.stringify({ ...presenceOf(bad), busy: -1 }),
    JSON.stringify({ ...presenceOf(bad), name: 'x'.repeat(60_000) }),
  ];
  let strange = 0;
  const members: number[] = [];
  home.two.subscribe('members', () => members.push(1));
  home.two.subscribe('presence', ({ busy }, from) => {
    if (busy === 9 || from === bad.id) strange++;
  });
  for (const lie of lies) await pubsub.publish(subject, Buffer.from(lie));
  const forged = cluster().list(99, bad);
  await pubsub.publish(topicName(house.key.cluster, 'members'), Buffer.from(JSON.stringify(forged)));
  await goOn(home.talk);
  assert.equal(strange, 0);
  assert.ok(home.one.connected().includes(home.b.id));
});

test('a member that floods is refused over its share; the others are answered all the while', async (t) => {
  const { connection, home } = await badMember(t);
  const count = { answered: 0, refused: 0 };
  // as many as may be asked at once stay open until the others were refused, however slowly they come
  const enough = Promise.withResolvers<void>();
  home.one.handle('control', async () => {
    await enough.promise;
    return { accepted: true };
  });
  const text = JSON.stringify({ term: 1, attempt: 1, want: 'pause' });
  const flood = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      await ask(connection, 'control', text, AbortSignal.timeout(20_000), 'a').then(
        () => count.answered++,
        () => ++count.refused > 20 && enough.resolve(),
      );
    }
  };
  const floods = Promise.all(Array.from({ length: 60 }, flood));
  await goOn(home.talk);
  await floods;
  assert.ok(count.refused > 20 && count.answered > 20, JSON.stringify(count));
  await goOn(home.talk);
  assert.equal(home.talk.refused, 0);
});

test('streams that are opened and left alone hold no place for long', async (t) => {
  const { connection, home } = await badMember(t);
  const left = await Promise.all(Array.from({ length: 32 }, () => connection.newStream(protocolId('claim'), { maxOutboundStreams: 64 })));
  await goOn(home.talk);
  await until('they are reset', () => left.every(({ status }) => status !== 'open'));
});
