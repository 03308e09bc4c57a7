import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { noise } from '@chainsafe/libp2p-noise';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import { gossipsub, type GossipSub } from '@libp2p/gossipsub';
import { identify, type Identify } from '@libp2p/identify';
import type { Connection, Libp2p } from '@libp2p/interface';
import { ping, type Ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { protocols } from '../mesh/messages.ts';
import { steadyYamux } from '../mesh/muxer.ts';
import type { Machine } from './mesh-nodes.ts';

/** A program that speaks libp2p correctly and is none of ours: no rules of the mesh bind it. */
export type Stranger = Libp2p<{ pubsub: GossipSub; identify: Identify; ping: Ping }>;

export async function stranger(t: TestContext, who: Machine, version = '1.0.0'): Promise<Stranger> {
  const host: Stranger = await createLibp2p({
    nodeInfo: { name: 'codecshift', version },
    privateKey: privateKeyFromProtobuf(who.key),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [steadyYamux({})],
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, floodPublish: true, scoreParams: { IPColocationFactorWeight: 0 } }),
    },
  });
  t.after(() => host.stop());
  return host;
}

export const everyProtocol = [
  ...Object.keys(protocols).map((name) => `/codecshift/${name}/1`),
  '/meshsub/1.2.0',
  '/meshsub/1.1.0',
  '/floodsub/1.0.0',
  '/ipfs/id/1.0.0',
  '/ipfs/id/push/1.0.0',
  '/ipfs/ping/1.0.0',
];

/** Opens every protocol there is on one connection each; how many opened. */
export async function tryEverything(host: Stranger, door: string): Promise<number> {
  const [ip, port] = door.split(':');
  let opened = 0;
  for (const protocol of everyProtocol) {
    const connection: Connection | null = await host
      .dial(multiaddr(`/ip4/${ip}/tcp/${port}`), { signal: AbortSignal.timeout(3000) })
      .catch(() => null);
    const stream = await connection?.newStream(protocol, { signal: AbortSignal.timeout(3000) }).catch(() => null);
    if (stream) opened++;
  }
  return opened;
}

/** Bytes that come back when `data` is shoved into a TCP port, until it closes or `ms` have passed. */
export async function shove(door: string, data: Uint8Array, ms: number, from = '127.0.0.2'): Promise<Buffer> {
  const socket = open(door, from);
  const got: Buffer[] = [];
  socket.on('data', (chunk) => got.push(Buffer.from(chunk)));
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const timer = setTimeout(() => socket.destroy(), ms);
  socket.write(data);
  await ended;
  clearTimeout(timer);
  return Buffer.concat(got);
}

/** Connections that say one byte now and then and nothing that makes sense. */
export function slowloris(t: TestContext, door: string, count: number, from = '127.0.0.2'): void {
  const sockets = new Set<Socket>();
  const timer = setInterval(() => {
    if (sockets.size < count) {
      const socket = open(door, from);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    for (const socket of sockets) socket.write('\x13');
  }, 25);
  t.after(() => {
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
  });
}

function open(door: string, localAddress: string): Socket {
  const [host, port] = door.split(':');
  const socket = connect({ host: host!, port: Number(port), localAddress });
  socket.on('error', () => {});
  return socket;
}
