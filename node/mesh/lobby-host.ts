import { noise } from '@chainsafe/libp2p-noise';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import type { Libp2p } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';
import type { Log } from '../log.ts';
import type { Door } from './lobby-door.ts';
import { LOBBY_PROTOCOL } from './lobby-messages.ts';
import { steadyYamux } from './muxer.ts';

interface LobbyHostParts {
  key: Uint8Array;
  version: string;
  port: number;
  door: Door;
  log: Log;
}

/** The libp2p host of a lobby, listening at its port, or at any when that is taken. It knows one protocol and no service. */
export async function startLobbyHost(parts: LobbyHostParts): Promise<Libp2p> {
  try {
    return await open(parts, parts.port);
  } catch (error) {
    if (parts.port === 0 || !String(error).includes('EADDRINUSE')) throw error;
    parts.log.warn({ port: parts.port }, 'the port of the lobby is taken by another program; a free one is used instead');
    return await open(parts, 0);
  }
}

async function open({ key, version, door }: LobbyHostParts, port: number): Promise<Libp2p> {
  const host = await createLibp2p({
    start: false,
    privateKey: privateKeyFromProtobuf(key),
    nodeInfo: { name: 'codecshift', version },
    addresses: {
      listen: [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`],
    },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true }, maxConnections: 64, backlog: 64 })],
    connectionEncrypters: [noise()],
    streamMuxers: [
      steadyYamux({
        enableKeepAlive: false,
        maxInboundStreams: 4,
        streamOptions: { maxStreamWindowSize: 256 * 1024, maxReadBufferLength: 256 * 1024 },
      }),
    ],
    connectionGater: door.gate,
    connectionManager: {
      maxConnections: 128,
      inboundUpgradeTimeout: 5000,
      inboundStreamProtocolNegotiationTimeout: 5000,
      addressDialTimeout: 6000,
      // the door counts by itself, for each host; these only have to be above its numbers
      inboundConnectionThreshold: 100,
      maxIncomingPendingConnections: 64,
      reconnectRetries: 0,
    },
    connectionMonitor: { enabled: false },
  });
  await host.handle(LOBBY_PROTOCOL, (stream, connection) => door.answer(stream, connection), { maxInboundStreams: 4 });
  try {
    await host.start();
  } catch (error) {
    await host.stop();
    throw error;
  }
  return host;
}
