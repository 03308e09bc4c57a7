import { outranks } from '../core/cluster.ts';
import type { Certificate, Members, Signed } from '../core/cluster.ts';
import { PlainError, messageOf } from '../errors.ts';
import { MAX_ADDRESSES, MAX_NODES, isSound, ownClusterFile, readClusterFile, setClusterFileAside } from './cluster-file.ts';
import type { ClusterFile } from './cluster-file.ts';
import { openCertificate, openMembers } from './signing.ts';

/**
 * What this node knows of its cluster and keeps on its disk (`cluster.json`): the pinned key, the newest signed list of
 * members, the highest certificate, the addresses of other members. Everything that arrives is verified against the
 * pinned key; lower versions are ignored, whoever sends them.
 */
export interface Membership {
  readonly cluster: { id: string; name: string; publicKey: string };
  /** this node hosts the embedded database, for good (mesh spike §7: sticky, never elected) */
  readonly hosts: boolean;
  isMember(node: string): boolean;
  nameOf(node: string): string | null;
  members(): { version: number; nodes: { id: string; name: string }[]; signed: Signed | null };
  /** True when it was valid and newer: it is kept, on the disk too, and listeners are told. */
  adoptMembers(signed: Signed): boolean;
  /** the highest certificate known, opened and as it was signed */
  certificate(): { certificate: Certificate; signed: Signed } | null;
  adoptCertificate(signed: Signed): boolean;
  /** addresses of members, for networks that multicast does not cross and for the next start */
  remembered(): { node: string; addresses: string[] }[];
  remember(node: string, addresses: string[]): void;
  onMembers(listener: (members: Members) => void): () => void;
  onCertificate(listener: (certificate: Certificate) => void): () => void;
  /** writes what is still to be written */
  flush(): Promise<void>;
}

export interface Pinned {
  cluster: { id: string; name: string; publicKey: string };
  hosts: boolean;
  members: Signed | null;
  certificate: Signed | null;
  peers: { node: string; addresses: string[] }[];
}

/**
 * Opens what an earlier start kept; null on a node that belongs to no cluster yet.
 * @throws PlainError when the file is damaged or cannot be read
 */
export async function loadMembership(dataDir: string): Promise<Membership | null> {
  const pinned = await readClusterFile(dataDir);
  return pinned && createMembership(pinned, ownClusterFile(dataDir), 'on the disk');
}

/**
 * Pins a cluster: this node was approved, founded it, or found its key in PostgreSQL. It is on the disk when this resolves.
 * @throws PlainError when the list is not signed by that key, or the disk does not take it
 */
export async function pinCluster(dataDir: string, pinned: Pinned): Promise<Membership> {
  if (!isSound(pinned)) throw new PlainError(`What was said of the cluster ${pinned.cluster.name} is not signed with its own key.`);
  const membership = createMembership(pinned, ownClusterFile(dataDir), 'new');
  await membership.flush();
  return membership;
}

/** Forgets the cluster; the file is kept aside under another name, never deleted. What a `Membership` of before still writes is dropped. */
export async function forgetCluster(dataDir: string): Promise<void> {
  await setClusterFileAside(dataDir);
}

/** Addresses change often and matter little: they wait this long for company. */
const ADDRESSES_WAIT_MS = 5000;

function createMembership(pinned: Pinned, file: ClusterFile, what: 'new' | 'on the disk'): Membership {
  const { cluster, hosts } = pinned;
  const { publicKey } = cluster;
  let members = known(openMembers(publicKey, pinned.members ?? noSigned), pinned.members);
  let names = new Map<string, string>();
  let certificate = known(openCertificate(publicKey, pinned.certificate ?? noSigned), pinned.certificate);
  const addresses = new Map<string, string[]>();
  const memberListeners = new Set<(members: Members) => void>();
  const certificateListeners = new Set<(certificate: Certificate) => void>();
  const keeper = createKeeper(file, () => ({
    cluster,
    hosts,
    members: members?.signed ?? null,
    certificate: certificate?.signed ?? null,
    peers: remembered(),
  }));
  readNames();
  for (const peer of pinned.peers) note(peer.node, peer.addresses);
  if (what === 'new') keeper.now();

  return {
    cluster,
    hosts,
    isMember: (node) => names.has(node),
    nameOf: (node) => names.get(node) ?? null,
    members: () => ({ version: members?.statement.version ?? 0, nodes: members?.statement.nodes ?? [], signed: members?.signed ?? null }),
    adoptMembers(signed) {
      const found = known(openMembers(publicKey, signed), signed);
      if (!found || found.statement.version <= (members?.statement.version ?? -1)) return false;
      members = found;
      readNames();
      keeper.now();
      tell(memberListeners, found.statement);
      return true;
    },
    certificate: () => certificate && { certificate: certificate.statement, signed: certificate.signed },
    adoptCertificate(signed) {
      const found = known(openCertificate(publicKey, signed), signed);
      if (!found || !names.has(found.statement.node)) return false;
      if (certificate && !outranks(found.statement, certificate.statement)) return false;
      certificate = found;
      keeper.now();
      tell(certificateListeners, found.statement);
      return true;
    },
    remembered,
    remember(node, fresh) {
      if (names.has(node) && note(node, fresh)) keeper.soon();
    },
    onMembers: (listener) => listen(memberListeners, listener),
    onCertificate: (listener) => listen(certificateListeners, listener),
    flush: () => keeper.flush(),
  };

  /** A node that is removed is forgotten with its addresses. */
  function readNames(): void {
    names = new Map(members?.statement.nodes.map(({ id, name }) => [id, name]));
    if (members) for (const node of addresses.keys()) if (!names.has(node)) addresses.delete(node);
  }

  /** Newest first; false when nothing is new. */
  function note(node: string, fresh: string[]): boolean {
    const before = addresses.get(node) ?? [];
    const sane = fresh.filter((address) => address !== '' && address.length <= 300);
    const after = [...new Set([...sane, ...before])].slice(0, MAX_ADDRESSES);
    if (after.length === 0 || after.join('\n') === before.join('\n')) return false;
    if (!addresses.has(node) && addresses.size >= MAX_NODES) return false;
    addresses.set(node, after);
    return true;
  }

  function remembered(): { node: string; addresses: string[] }[] {
    return [...addresses].map(([node, list]) => ({ node, addresses: [...list] }));
  }
}

const noSigned: Signed = { payload: '', signature: '' };

function known<T>(statement: T | null, signed: Signed | null): { statement: T; signed: Signed } | null {
  return statement && signed && { statement, signed: { payload: signed.payload, signature: signed.signature } };
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** What is adopted is adopted, whatever a listener makes of it: the sender of the list must not see our mistakes. */
function tell<T>(listeners: ReadonlySet<(what: T) => void>, what: T): void {
  for (const listener of listeners) {
    try {
      listener(what);
    } catch (error) {
      process.emitWarning(`a listener of the membership failed: ${messageOf(error)}`);
    }
  }
}

interface Keeper {
  now(): void;
  soon(): void;
  flush(): Promise<void>;
}

/** Writes the newest state, one write at a time; a write that failed is tried again with the next change or flush. */
function createKeeper(file: ClusterFile, state: () => Pinned): Keeper {
  let stale = false;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | null = null;

  return { now: () => void flush(true).catch(() => soon()), soon, flush: () => flush(false) };

  function soon(): void {
    stale = true;
    timer ??= setTimeout(() => void flush(false).catch(() => soon()), ADDRESSES_WAIT_MS).unref();
  }

  async function flush(changed: boolean): Promise<void> {
    stale ||= changed;
    clearTimeout(timer);
    timer = undefined;
    await (writing ??= drain().finally(() => (writing = null)));
  }

  async function drain(): Promise<void> {
    while (stale) {
      stale = false;
      try {
        await file.write(state());
      } catch (error) {
        stale = true;
        throw new PlainError('What this machine knows of its cluster could not be written down; it is tried again.', { cause: error });
      }
    }
  }
}
