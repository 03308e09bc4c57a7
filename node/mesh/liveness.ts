import type { Connection } from '@libp2p/interface';
import { byteStream } from '@libp2p/utils';
import type { Log } from '../log.ts';
import type { Links } from './links.ts';

const PING_MS = 1500;

/** Whether somebody answers at the other end of a connection, asked now. */
export async function isAlive(connection: Connection): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(PING_MS);
    const stream = await connection.newStream('/ipfs/ping/1.0.0', { signal });
    const io = byteStream(stream);
    await io.write(crypto.getRandomValues(new Uint8Array(32)), { signal });
    await io.read({ bytes: 32, signal });
    stream.abort(new Error('it is alive'));
    return connection.status === 'open';
  } catch {
    return false;
  }
}

/**
 * Ends connections on which gossip has died, so that they are made anew. gossipsub opens one stream in each direction
 * and does not open it again while the connection lives, and it never says so: the pair would be deaf for good.
 * A connection is given one round of grace, because gossip begins a moment after it.
 */
export function createMender(parts: { links: Pick<Links, 'all'>; log: Log }): { look(): void } {
  const silent = new WeakSet<Connection>();
  return {
    look() {
      for (const { connection, node } of parts.links.all()) {
        if (gossips(connection)) silent.delete(connection);
        else if (!silent.has(connection)) silent.add(connection);
        else {
          parts.log.info({ node }, 'gossip with a node has stopped; the connection is made anew');
          connection.abort(new Error('gossip has stopped'));
        }
      }
    },
  };
}

function gossips(connection: Connection): boolean {
  const open = connection.streams.filter(({ protocol, status }) => protocol.startsWith('/meshsub/') && status === 'open');
  return open.some(({ direction }) => direction === 'outbound') && open.some(({ direction }) => direction === 'inbound');
}
