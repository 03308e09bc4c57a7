import { messageOf, PlainError } from '../errors.ts';
import type { Outgoing } from '../outgoing.ts';
import { flag, list, record, text, whole, words } from './loose.ts';
import { plexHeaders } from './plex-headers.ts';
import { another, away } from './trouble.ts';

export interface PlexServer {
  /** machineIdentifier */
  id: string;
  name: string;
  version: string;
  owned: boolean;
  /** reaches this server only: what is kept instead of the account's token */
  accessToken: string;
  /** best first: local before remote, verified https before http; relays are left out */
  connections: { url: string; local: boolean; secure: boolean }[];
}

export interface PlexWay {
  url: string;
  secure: boolean;
  /** the other connections, best first, for another day */
  others: string[];
}

const MOST_SERVERS = 100;
const MOST_CONNECTIONS = 20;

/** The servers in plex.tv's list of devices. */
export function readServers(resources: unknown): PlexServer[] {
  return list(resources)
    .filter((one) => (text(one['provides'], 200) ?? '').split(',').includes('server'))
    .slice(0, MOST_SERVERS)
    .flatMap((one) => {
      const [id, accessToken] = [text(one['clientIdentifier'], 200), text(one['accessToken'], 8000)];
      if (id === null || accessToken === null) return [];
      const connections = waysOf(list(one['connections']).slice(0, MOST_CONNECTIONS));
      const name = words(one['name'], 100) || 'Plex';
      return { id, name, version: words(one['productVersion']), owned: flag(one['owned']), accessToken, connections };
    });
}

/**
 * A local https address has a second way, plain http, because many routers refuse names that lead into the house (rebinding
 * protection) and a name is what the certificate is for. Outside the house only https is taken.
 */
function waysOf(connections: Record<string, unknown>[]): PlexServer['connections'] {
  const ways = connections
    .filter((one) => !flag(one['relay']))
    .flatMap((one) => {
      const local = flag(one['local']);
      const uri = URL.parse(text(one['uri'], 500) ?? '');
      const [address, port] = [text(one['address'], 100), whole(one['port'])];
      const plain =
        address !== null && port !== null ? URL.parse(`http://${address.includes(':') ? `[${address}]` : address}:${port}`) : null;
      return [uri, local ? plain : null]
        .filter((url) => url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && local)))
        .map((url) => ({ url: url!.origin, local, secure: url!.protocol === 'https:' }));
    });
  const rank = (way: { local: boolean; secure: boolean }): number => (way.local ? 0 : 2) + (way.secure ? 0 : 1);
  const unique = ways.filter((way, at) => ways.findIndex(({ url }) => url === way.url) === at);
  return unique.sort((a, b) => rank(a) - rank(b));
}

/**
 * The best connection at which this very server answers. No token is sent: `/identity` needs none, and whoever answers
 * with another identity is not asked anything else. All are asked at once, because a server in a container offers many
 * addresses that lead nowhere, and each of those takes seconds to say so.
 * @throws PlainError `source-away` with what each way said, `source-is-another` when only others answered
 */
export async function findWay(server: PlexServer, outgoing: Outgoing, clientId: string, signal: AbortSignal): Promise<PlexWay> {
  const enough = new AbortController();
  const both = AbortSignal.any([signal, enough.signal]);
  const asked = server.connections.map((way) => lookAt(way.url, outgoing, clientId, both));
  try {
    const said: string[] = [];
    let others = 0;
    for (const [at, { url, secure }] of server.connections.entries()) {
      const { id, problem } = await asked[at]!;
      signal.throwIfAborted();
      if (id === server.id) return { url, secure, others: server.connections.map((way) => way.url).filter((other) => other !== url) };
      if (id !== null) others++;
      said.push(id === null ? problem : `at ${new URL(url).host} another server answers`);
    }
    if (others > 0 && others === said.length) throw another(server.name);
    throw away(server.name, said.length === 0 ? 'it has no address that can be used here' : said.join('; ').slice(0, 600));
  } finally {
    enough.abort();
  }
}

async function lookAt(
  url: string,
  outgoing: Outgoing,
  clientId: string,
  signal: AbortSignal,
): Promise<{ id: string | null; problem: string }> {
  const nonsense = `${new URL(url).host} gave no sensible answer`;
  try {
    return { id: await identityAt(url, outgoing, clientId, signal), problem: nonsense };
  } catch (error) {
    return { id: null, problem: error instanceof PlainError ? messageOf(error).replace(/\.$/, '') : nonsense };
  }
}

async function identityAt(url: string, outgoing: Outgoing, clientId: string, signal: AbortSignal): Promise<string | null> {
  const { status, body } = await outgoing.fetch(`${url}/identity`, {
    headers: plexHeaders(clientId),
    signal,
    maxBytes: 65_536,
    timeoutMs: 6000,
  });
  if (status !== 200) return null;
  return text(record(record(JSON.parse(Buffer.from(body).toString()))['MediaContainer'])['machineIdentifier'], 200);
}
