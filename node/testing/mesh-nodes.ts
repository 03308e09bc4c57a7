import { generateKeyPairSync, createPublicKey } from 'node:crypto';
import type { TestContext } from 'node:test';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import type { Certificate, Members, Signed } from '../core/cluster.ts';
import { createLog, type Log } from '../log.ts';
import type { Membership } from '../mesh/membership.ts';
import { createNetworkMesh, type NetworkMesh, type NetworkParts } from '../mesh/network.ts';
import { makeClusterKey, openCertificate, openMembers, sign, type ClusterKey } from '../mesh/signing.ts';

/** Real libp2p hosts in one process, and a membership that lives in memory only. */
export interface Machine {
  id: string;
  name: string;
  key: Uint8Array;
}

export const quiet: Log = createLog({ level: process.env['MESH_LOG'] ?? 'silent', pretty: true });

export function machine(name: string): Machine {
  const { privateKey } = generateKeyPairSync('ed25519');
  const jwk = privateKey.export({ format: 'jwk' });
  const x = createPublicKey(privateKey).export({ format: 'jwk' }).x!;
  const key = Buffer.concat([Buffer.from([8, 1, 18, 64]), Buffer.from(jwk.d!, 'base64url'), Buffer.from(x, 'base64url')]);
  return { name, key, id: peerIdFromPrivateKey(privateKeyFromProtobuf(key)).toString() };
}

/** `count` machines, the smallest id first. */
export function machines(...names: string[]): Machine[] {
  const ids = names.map(() => machine('')).sort((a, b) => (a.id < b.id ? -1 : 1));
  return ids.map((one, i) => ({ ...one, name: names[i]! }));
}

export interface Cluster {
  key: ClusterKey;
  list(version: number, ...nodes: Machine[]): Signed;
  certificate(term: number, node: Machine): Signed;
}

export function cluster(): Cluster {
  const key = makeClusterKey();
  return {
    key,
    list: (version, ...nodes) =>
      sign(key, { kind: 'members', cluster: key.cluster, version, nodes: nodes.map(({ id, name }) => ({ id, name })) }),
    certificate: (term, node) => sign(key, { kind: 'certificate', cluster: key.cluster, incarnation: 1, term, node: node.id }),
  };
}

export function memoryMembership(of: Cluster, first: Signed, remembered: { node: string; addresses: string[] }[] = []): Membership {
  const { cluster: id, publicKey } = of.key;
  let signed = first;
  let members = openMembers(publicKey, first)!;
  let certificate: { certificate: Certificate; signed: Signed } | null = null;
  const known = new Map(remembered.map(({ node, addresses }) => [node, addresses]));
  const listeners = new Set<(members: Members) => void>();
  const followers = new Set<(certificate: Certificate) => void>();
  return {
    cluster: { id, name: 'test', publicKey },
    hosts: false,
    isMember: (node) => members.nodes.some((one) => one.id === node),
    nameOf: (node) => members.nodes.find((one) => one.id === node)?.name ?? null,
    members: () => ({ version: members.version, nodes: members.nodes, signed }),
    adoptMembers(next) {
      const opened = openMembers(publicKey, next);
      if (!opened || opened.version <= members.version) return false;
      members = opened;
      signed = next;
      for (const listener of listeners) listener(opened);
      return true;
    },
    certificate: () => certificate,
    adoptCertificate(next) {
      const opened = openCertificate(publicKey, next);
      if (!opened || (certificate && opened.term <= certificate.certificate.term)) return false;
      certificate = { certificate: opened, signed: next };
      for (const listener of followers) listener(opened);
      return true;
    },
    remembered: () => [...known].map(([node, addresses]) => ({ node, addresses })),
    remember: (node, addresses) => void known.set(node, addresses),
    onMembers: (listener) => (listeners.add(listener), () => void listeners.delete(listener)),
    onCertificate: (listener) => (followers.add(listener), () => void followers.delete(listener)),
    flush: async () => {},
  };
}

/** A started mesh of one machine that ends with the test. */
export async function startMesh(
  t: TestContext,
  who: Machine,
  membership: Membership,
  options: Partial<NetworkParts> = {},
): Promise<NetworkMesh> {
  const mesh = createNetworkMesh({
    key: who.key,
    name: who.name,
    version: '0.0.0-test',
    membership,
    port: 0,
    discovery: 'off',
    peers: [],
    log: quiet,
    ...options,
  });
  t.after(() => mesh.stop());
  await mesh.start();
  return mesh;
}

/** Where a mesh can be reached from this machine. */
export function doorOf(mesh: NetworkMesh): string {
  const address = mesh.surroundings().listening[0]!.addresses.find((one) => !one.startsWith('['))!;
  return `127.0.0.1:${address.split(':').at(-1)}`;
}

/** Waits for something that no event tells; fails with `what` after two minutes: the machine may be busy. */
export async function until<T>(what: string, condition: () => T | Promise<T>, ms = 120_000): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
