import { noise } from '@chainsafe/libp2p-noise';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Libp2p, Stream } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, suite, test } from 'node:test';
import { createLibp2p } from 'libp2p';
import { PlainError } from '../errors.ts';
import { makeNodeKey, startLobby } from '../testing/lobbies.ts';
import type { TestLobby } from '../testing/lobbies.ts';
import { LOBBY_PROTOCOL } from './lobby-messages.ts';
import type { JoinAnswer, JoinRequest } from './messages.ts';
import { steadyYamux } from './muxer.ts';
import { makeClusterKey, sign } from './signing.ts';

const closing: (() => Promise<void>)[] = [];
after(async () => void (await Promise.all(closing.map((close) => close()))));
const key = makeClusterKey();
const home = { id: key.cluster, name: 'Home', publicKey: key.publicKey, established: true, nodes: 3 };
const soon = (): AbortSignal => AbortSignal.timeout(60_000);

suite('a lobby', { concurrency: 3 }, () => {
  test('says who it is and which cluster is here; both sides know of each other afterwards', async () => {
    const [member, stranger] = [await open({ self: { name: 'attic', cluster: home, lookingMs: null } }), await open()];
    const seen = await stranger.look({ address: member.at }, soon());
    assert.deepEqual([seen.node, seen.name, seen.cluster], [member.node, 'attic', home]);
    assert.deepEqual(
      member.around().map(({ node, cluster, lookingMs }) => [node, cluster, typeof lookingMs]),
      [[stranger.node, null, 'number']],
    );
    assert.equal((await stranger.look({ node: member.node }, soon())).node, member.node);
  });

  test('is found one port after the mesh that a person named, and keeps being looked at', async () => {
    const member = await open({ self: { cluster: home } });
    const named = `127.0.0.1:${member.port - 1}`;
    const other = await open({ peers: [named] });
    await until(other, () => other.around().length > 0);
    assert.deepEqual(other.around()[0]!.peers, [named]);
    assert.deepEqual(other.silent(), { peers: [], announced: 0 });
  });

  test('passes on who asked to join, as Noise proved it, and from where', async () => {
    const heard: [JoinRequest, string][] = [];
    const away: JoinAnswer = { state: 'away', why: 'nobody coordinates' };
    const member = await open({
      self: { cluster: home },
      onJoin: async (asked, address) => {
        heard.push([asked, address]);
        return away;
      },
    });
    const stranger = await open();
    const answer = await stranger.ask({ address: member.at }, { ...request(), node: member.node }, soon());
    assert.deepEqual(answer, away);
    assert.deepEqual(heard, [[{ ...request(), node: stranger.node }, '127.0.0.1']]);
  });

  test('of a machine without a cluster takes no requests', async () => {
    const [one, two] = [await open(), await open()];
    assert.deepEqual(await one.ask({ address: two.at }, request(), soon()), {
      state: 'away',
      why: 'This machine belongs to no cluster yet.',
    });
  });

  test('shows the newest list of members to whoever asks, so that a removed machine learns that it was removed', async () => {
    const members = sign(key, { kind: 'members', cluster: key.cluster, version: 4, nodes: [] });
    const [member, removed] = [await open({ members: () => members }), await open()];
    assert.deepEqual(await removed.standing({ address: member.at }, soon()), members);
    assert.equal(await member.standing({ address: removed.at }, soon()), null);
  });

  test('takes any free port when its own is taken', async () => {
    const first = await open();
    const second = await open({ port: first.port });
    assert.notEqual(second.port, first.port);
    assert.equal((await first.look({ address: second.at }, soon())).node, second.node);
  });

  test('does not take another machine for the one that was named', async () => {
    const [wanted, other, asker] = [await open(), await open(), await open()];
    const lie = other.at.replace(other.node, wanted.node);
    await assert.rejects(asker.look({ address: lie }, soon()), PlainError);
    assert.deepEqual(asker.around(), []);
  });

  test('says in a sentence that nothing answers, and that an address is its own', async () => {
    const parts = { peers: [] as string[] };
    const lobby = await open(parts);
    lobby.parts.peers = [lobby.at];
    assert.deepEqual(lobby.silent().peers, [lobby.at]);
    // nothing listens among the first ports of a machine
    await assert.rejects(lobby.look({ address: '127.0.0.1:1' }, soon()), /No lobby of CodecShift answers at 127\.0\.0\.1/);
    await assert.rejects(lobby.look({ node: 'unheard-of' }, soon()), /not known where/);
    await assert.rejects(lobby.look({ address: 'not an address' }, soon()), PlainError);
    await assert.rejects(lobby.look({ address: lobby.at }, soon()), /is this machine itself/);
    assert.deepEqual(lobby.silent().peers, []);
  });

  test('an asker that gives up gets its own reason', async () => {
    const lobby = await open();
    const gaveUp = new Error('gave up');
    await assert.rejects(lobby.look({ address: lobby.at }, AbortSignal.abort(gaveUp)), gaveUp);
  });

  test('a claim to found is told to everybody around at once, and each learns who knows of it', async () => {
    const one = await open();
    const two = await open({ peers: [one.at] });
    await until(two, () => two.around().length === 1 && one.around().length === 1);
    one.claimFounding(true);
    await until(one, () => one.around()[0]!.told);
    assert.equal(two.around()[0]!.founding, true);
    assert.equal(two.around()[0]!.told, false);
    one.claimFounding(false);
    await until(two, () => !two.around()[0]!.founding);
    assert.equal(one.around()[0]!.told, false);
  });

  test('a long name, a huge cluster and a broken clock do not make a machine mute', async () => {
    const big = { ...home, name: 'h'.repeat(200), nodes: 9999 };
    const [asker, odd] = [await open(), await open({ self: { name: 'n'.repeat(200), cluster: big, lookingMs: -0.5 } })];
    const seen = await asker.look({ address: odd.at }, soon());
    assert.deepEqual([seen.name.length, seen.cluster?.name.length, seen.cluster?.nodes, seen.lookingMs], [63, 63, 500, 0]);
  });

  test('who listens is told of a neighbour, also when another listener fails', async () => {
    const [one, two] = [await open(), await open()];
    one.onAround(() => {
      throw new Error('a mistake');
    });
    const told = new Promise<void>((resolve) => one.onAround(resolve));
    await two.look({ address: one.at }, soon());
    await told;
    assert.equal(one.around()[0]!.node, two.node);
  });

  test('a name that steers a terminal and a cluster with a false id do not get in', async () => {
    const [asker, odd, liar] = [
      await open(),
      await open({ self: { name: 'a\u001b[31mb\u202ec' } }),
      await open({ self: { cluster: { ...home, id: makeClusterKey().cluster } } }),
    ];
    assert.equal((await asker.look({ address: odd.at }, soon())).name, 'a[31mbc');
    await assert.rejects(asker.look({ address: liar.at }, soon()), PlainError);
  });
});

suite('a stranger at the lobby', { concurrency: 3 }, () => {
  test('reaches its one protocol and nothing else', async () => {
    const member = await open({ self: { cluster: home } });
    const stranger = await strangeHost();
    for (const protocol of ['/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/meshsub/1.2.0', '/codecshift/hello/1', '/codecshift/meet/1']) {
      const opened = await openStream(stranger, member, protocol).catch((error: unknown) => error);
      assert.match(String(opened), /UnsupportedProtocol|protocol selection failed/i);
    }
    await openStream(stranger, member, LOBBY_PROTOCOL);
  });

  test('who sends garbage, too much, or what no machine may say is turned away, and the lobby lives on', async () => {
    const member = await open({ self: { cluster: home }, onJoin: () => Promise.reject(new Error('the coordinator failed')) });
    const stranger = await strangeHost();
    const attacks: (string | Uint8Array)[] = [
      new Uint8Array(128 * 1024).fill(0xff),
      new Uint8Array(128 * 1024),
      framed(''),
      framed('not json'),
      framed('['.repeat(8000)),
      framed('{"ask":"look"}'),
      framed(JSON.stringify({ ask: 'join', ...request(), node: 'x'.repeat(5000) })),
      framed(`{"ask":"standing","x":"${'x'.repeat(9000)}"}`),
      framed(JSON.stringify({ ask: 'join', ...request() })),
      framed(new Uint8Array([0xc3, 0x28, 0xff])),
    ];
    for (const attack of attacks) {
      const stream = await openStream(stranger, member, LOBBY_PROTOCOL);
      assert.equal(await answerTo(stream, attack), 0, String(attack).slice(0, 40));
      for (const connection of stranger.getConnections()) connection.abort(new Error('done'));
    }
    // what a newer machine may ask and we do not know gets a sentence, so that it is not tried for ever
    const stream = await openStream(stranger, member, LOBBY_PROTOCOL);
    assert.ok((await answerTo(stream, framed('{"ask":"grant","op":"replace"}'))) > 50);
    await assertAlive(member);
  });

  test('who floods it with connections, holds them open or sends garbage on them is let go, and the lobby lives on', async () => {
    const member = await open();
    const flood = [
      ...Array.from({ length: 24 }, () => rawVisit(member.port)),
      ...Array.from({ length: 60 }, (_, i) => rawVisit(member.port, Buffer.alloc(64 * 1024, i))),
    ];
    await Promise.all(flood);
    await assertAlive(member);
  });

  test('a lobby that answers slowly, never, or with nonsense holds nobody up for long', async () => {
    const mute = createServer(() => {});
    const noisy = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(Buffer.alloc(100_000, 7));
    });
    for (const server of [mute, noisy]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closing.push(async () => void server.close());
      const friend = await open();
      const { port } = server.address() as AddressInfo;
      await assert.rejects(friend.look({ address: `/ip4/127.0.0.1/tcp/${port}` }, soon()), PlainError);
    }
  });
});

async function open(some: Parameters<typeof startLobby>[0] = {}): Promise<TestLobby> {
  const lobby = await startLobby(some);
  closing.push(() => lobby.stop());
  return lobby;
}

function request(): JoinRequest {
  return { node: 'me', name: 'me', version: '1', platform: 'linux', hardware: {}, commit: '0'.repeat(64), reveal: null, token: null };
}

/** Another program that speaks libp2p correctly. */
async function strangeHost(): Promise<Libp2p> {
  const host = await createLibp2p({
    privateKey: privateKeyFromProtobuf((await makeNodeKey()).key),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [steadyYamux({})],
    services: { identify: identify(), ping: ping() },
  });
  closing.push(async () => void (await host.stop()));
  return host;
}

/** How many bytes come back before the stream ends. */
async function answerTo(stream: Stream, sent: Uint8Array | string): Promise<number> {
  let bytes = 0;
  stream.addEventListener('message', (event) => (bytes += event.data.byteLength));
  const ended = new Promise<void>((resolve) => stream.addEventListener('close', () => resolve()));
  try {
    stream.send(typeof sent === 'string' ? new TextEncoder().encode(sent) : sent);
  } catch {
    // reset already: it was turned away while it sent
  }
  await Promise.race([ended, new Promise((_, reject) => soon().addEventListener('abort', () => reject(new Error('not turned away'))))]);
  return bytes;
}

function framed(text: string | Uint8Array): Uint8Array {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return new Uint8Array([...length, rest, ...bytes]);
}

/** Resolves when the lobby has ended the connection. */
function rawVisit(port: number, says: Buffer | string = '\u0013/multistream/1.0.0\n'): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(says);
  socket.resume();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** A connection of its own for each; one that the lobby had no room for, or that took too long on a busy machine, is tried again. */
async function openStream(stranger: Libp2p, member: TestLobby, protocol: string): Promise<Stream> {
  return await patiently(async () => {
    const connection = await stranger.dial(multiaddr(member.at), { force: true, signal: soon() });
    try {
      return await connection.newStream(protocol, { signal: soon() });
    } catch (error) {
      connection.abort(new Error('done'));
      throw error;
    }
  }, /UnsupportedProtocol|protocol selection failed/i);
}

async function assertAlive(member: TestLobby): Promise<void> {
  const friend = await open();
  assert.equal((await patiently(() => friend.look({ address: member.at }, soon()))).node, member.node);
}

async function patiently<T>(attempt: () => Promise<T>, final = /^$/): Promise<T> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (final.test(String(error)) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function until(lobby: TestLobby, isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 120_000;
  const stop = lobby.onAround(() => {});
  while (!isTrue()) {
    assert.ok(Date.now() < deadline, 'did not happen');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop();
}
