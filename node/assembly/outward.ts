import { createSecretExchange } from './secret-exchange.ts';
import { openSecretKey } from './secret-key.ts';
import type { Outward } from '../coordinator/source-links.ts';
import type { Database } from '../db/connect.ts';
import type { Log } from '../log.ts';
import type { Membership } from '../mesh/membership.ts';
import { createOutgoing } from '../outgoing.ts';
import type { SecretKey } from '../sealed.ts';
import type { House } from './house.ts';

/** What a machine that may coordinate has for speaking with programs outside of the cluster. */
export interface OutwardParts {
  outward: Outward;
  secretKey: SecretKey;
  start(): void;
  stop(): Promise<void>;
}

export async function openOutward(
  house: House,
  parts: { db: Database; membership: Membership; meshPorts: () => number[]; log: Log },
): Promise<OutwardParts> {
  const { dataDir } = house.options;
  const secretKey = await openSecretKey({ dataDir, file: house.options.secretKeyFile, log: parts.log });
  const { membership } = parts;
  // an embedded database has one candidate, and nobody to hand the key to
  const exchange = parts.db.embedded
    ? null
    : createSecretExchange({
        db: parts.db,
        self: house.id,
        nodeKey: house.key,
        cluster: membership.cluster.id,
        isMember: membership.isMember,
        key: secretKey,
        log: parts.log,
      });
  const ownPorts = (): number[] => [...parts.meshPorts(), ...[house.url(), house.options.databaseUrl].flatMap(portOf)];
  return {
    outward: { outgoing: createOutgoing({ ownPorts }) },
    secretKey,
    start: () => exchange?.start(),
    stop: async () => exchange?.stop(),
  };
}

function portOf(address: string | null): number[] {
  if (!address || !URL.canParse(address)) return [];
  const { protocol, port } = new URL(address);
  if (port !== '') return [Number(port)];
  return [protocol.startsWith('postgres') ? 5432 : protocol === 'https:' ? 443 : 80];
}
