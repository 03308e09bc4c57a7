import { noise } from '@chainsafe/libp2p-noise';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import { gossipsub, type GossipSub } from '@libp2p/gossipsub';
import { identify, type Identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p } from '@libp2p/interface';
import type { MulticastDNSComponents } from '@libp2p/mdns';
import { ping, type Ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { createLibp2p, type Libp2pOptions } from 'libp2p';
import type { Log } from '../log.ts';
import { isLoopback } from './addresses.ts';
import type { Discovery } from './discovery.ts';
import { hostOf } from './gate.ts';
import { steadyYamux } from './muxer.ts';

export type Services = { identify: Identify; ping: Ping; pubsub: GossipSub; discovery?: Discovery };
export type Host = Libp2p<Services>;

export interface HostParts {
  key: Uint8Array;
  version: string;
  port: number;
  gate: ConnectionGater;
  topics: string[];
  isMember: (node: string) => boolean;
  discovery: ((components: MulticastDNSComponents) => Discovery) | null;
  /** before the first connection can arrive: handlers and listeners */
  prepare: (host: Host) => Promise<void>;
  log: Log;
}

/**
 * The libp2p host of a node, listening. When the wanted port is taken it listens on any free one.
 * The numbers are measured ones; where a default is dangerous the reason stands beside it.
 */
export async function startHost(parts: HostParts): Promise<{ host: Host; portTaken: boolean }> {
  try {
    return { host: await listen(parts, parts.port), portTaken: false };
  } catch (error) {
    if (parts.port === 0 || !String(error).includes('EADDRINUSE')) throw error;
    parts.log.warn({ port: parts.port }, 'the port of the mesh is taken by another program; a free one is used instead');
    return { host: await listen(parts, 0), portTaken: true };
  }
}

/** Ends the host in a given time, whatever hangs. */
export async function stopHost(host: Pick<Libp2p, 'stop' | 'getConnections'>, withinMs: number, log: Log): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, withinMs);
  const stopped = Promise.resolve(host.stop()).catch((error: unknown) => log.debug({ err: error }, 'the mesh stopped with an error'));
  await Promise.race([stopped, late.promise]);
  clearTimeout(timer);
  for (const connection of host.getConnections()) connection.abort(new Error('the mesh has stopped'));
}

async function listen(parts: HostParts, port: number): Promise<Host> {
  const host = await createLibp2p<Services>({ ...options(parts, port), start: false });
  await parts.prepare(host);
  await host.start();
  return host;
}

function options(parts: HostParts, port: number): Libp2pOptions<Services> {
  return {
    privateKey: privateKeyFromProtobuf(parts.key),
    nodeInfo: { name: 'codecshift', version: parts.version },
    addresses: {
      listen: [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`],
      announceFilter: (all) => {
        const outer = all.filter((address) => !isLoopback(hostOf(address)));
        return outer.length > 0 ? outer : all;
      },
    },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    connectionEncrypters: [noise()],
    streamMuxers: [
      steadyYamux({
        maxInboundStreams: 256,
        // The default window grows to 16 MiB: on a slow line the monitor's ping waits behind it and the connection is aborted.
        streamOptions: { maxStreamWindowSize: 1 << 20, maxReadBufferLength: 4 << 20 },
      }),
    ],
    connectionGater: parts.gate,
    connectionManager: {
      dialTimeout: 8000,
      addressDialTimeout: 2000,
      inboundUpgradeTimeout: 5000,
      inboundConnectionThreshold: 20,
      // Many, because the gate counts them for each host: strangers from one address cannot keep members out.
      maxIncomingPendingConnections: 256,
      // libp2p's own reconnecting stops after a few attempts; reconcile.ts never does.
      reconnectRetries: 0,
    },
    // Not shorter: ffmpeg starves the event loop, and one late answer aborts the connection.
    connectionMonitor: { pingInterval: 5000, pingTimeout: { minTimeout: 5000, maxTimeout: 10_000 } },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({
        allowedTopics: parts.topics,
        globalSignaturePolicy: 'StrictSign',
        allowPublishToZeroTopicPeers: true,
        fallbackToFloodsub: false,
        emitSelf: false,
        floodPublish: true,
        doPX: false,
        D: 8,
        Dlo: 6,
        Dhi: 24,
        Dout: 3,
        Dscore: 6,
        maxInboundDataLength: 256 * 1024,
        maxOutboundBufferSize: 4 << 20,
        scoreParams: {
          // The default punishes more than ten nodes behind one address until gossip stops, without a word.
          IPColocationFactorWeight: 0,
          appSpecificScore: (node) => (parts.isMember(node) ? 0 : -1_000_000),
        },
      }),
      ...(parts.discovery ? { discovery: parts.discovery } : {}),
    },
  } as Libp2pOptions<Services>;
}
