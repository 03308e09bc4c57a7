import type { PeerDiscovery, PeerInfo } from '@libp2p/interface';
import { mdns, type MulticastDNSComponents } from '@libp2p/mdns';
import type { Log } from '../log.ts';
import { createLanMdns, type LanMdns } from './lan-mdns.ts';

/** CodecShift's own name, so that the many other programs that speak libp2p on a network are not taken for nodes. */
export const MESH_TAG = '_codecshift._udp.local';

export interface Discovery {
  start(): Promise<void>;
  /** only then are the addresses known that it tells */
  afterStart(): void;
  stop(): Promise<void>;
  interfaces: LanMdns['interfaces'];
  ask(): void;
}

/**
 * Both multicast finders as one libp2p service. They are not handed to libp2p as its own discovery: it would keep every
 * address that any packet claims, without a bound, and would tell about each machine only once.
 */
export function lanDiscovery(options: {
  id: string;
  onFound: (node: string, addresses: string[], heardOn: string) => void;
  log: Log;
}): (components: MulticastDNSComponents) => Discovery {
  return (components) => {
    const lan = createLanMdns({
      tag: MESH_TAG,
      id: options.id,
      addresses: () => components.addressManager.getAddresses().map(String),
      onFound: options.onFound,
      log: options.log,
    });
    const stock: PeerDiscovery = mdns({ serviceTag: MESH_TAG, interval: 10_000 })(components);
    stock.addEventListener('peer', (event: CustomEvent<PeerInfo>) => {
      try {
        options.onFound(event.detail.id.toString(), event.detail.multiaddrs.slice(0, 20).map(String), 'the default route');
      } catch (error) {
        options.log.debug({ err: error }, 'a multicast answer was dropped');
      }
    });
    const life = stock as PeerDiscovery & { start(): Promise<void>; stop(): Promise<void> };
    return {
      start: () => life.start(),
      afterStart: () => lan.start(),
      async stop() {
        lan.stop();
        await life.stop();
      },
      interfaces: () => lan.interfaces(),
      ask: () => lan.ask(),
    };
  };
}
