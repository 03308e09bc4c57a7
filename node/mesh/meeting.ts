import type { ProtocolRange } from '../core/compatibility.ts';
import type { Membership } from './membership.ts';
import type { AddressBook } from './address-book.ts';
import { formatAddress, isLoopback, parseAddress } from './addresses.ts';
import type { Meeting } from './messages.ts';

/**
 * What two nodes tell each other when they meet, and what they make of it. It heals every gap that gossip leaves: the
 * newest list of members, the highest certificate, and where the others are (two nodes that know only a third one learn
 * of each other here; there is no other directory).
 */
export interface Meetings {
  /** what this node says; the list of members only to a side whose own is older */
  mine(to: { loopback: boolean; membersVersion: number }): Meeting;
  /** takes in what the other side said; the reason why the two cannot go on, or null */
  absorb(from: string, said: Meeting, loopback: boolean): 'other-cluster' | 'not-approved' | null;
}

const MAX_PEERS = 100;
const MAX_ADDRESSES = 8;

export function createMeetings(parts: {
  self: string;
  name: string;
  version: string;
  speaks: ProtocolRange;
  membership: Membership;
  book: AddressBook;
  /** where this node listens */
  own: () => string[];
}): Meetings {
  const { membership, book, self } = parts;
  return {
    mine({ loopback, membersVersion }) {
      const { version, signed } = membership.members();
      return {
        node: self,
        name: parts.name.slice(0, 63),
        version: parts.version.slice(0, 40),
        speaks: parts.speaks,
        cluster: membership.cluster.id,
        membersVersion: version,
        members: version > membersVersion ? signed : null,
        certificate: membership.certificate()?.signed ?? null,
        peers: directory(loopback),
        time: Date.now(),
      };
    },
    absorb(from, said, loopback) {
      if (said.cluster !== membership.cluster.id) return 'other-cluster';
      if (said.members && said.membersVersion > membership.members().version) membership.adoptMembers(said.members);
      if (!membership.isMember(from)) return 'not-approved';
      if (said.certificate) membership.adoptCertificate(said.certificate);
      for (const { node, addresses } of said.peers.slice(0, MAX_PEERS)) learn(node, addresses, loopback);
      return null;
    },
  };

  function learn(node: string, addresses: readonly string[], loopback: boolean): void {
    if (node === self || !membership.isMember(node)) return;
    const usable = addresses.filter((text) => tellable(text, loopback));
    if (book.learn(node, usable, 'told')) membership.remember(node, book.of(node).slice(0, MAX_ADDRESSES).map(formatAddress));
  }

  function directory(loopback: boolean): Meeting['peers'] {
    const others = membership
      .members()
      .nodes.filter(({ id }) => id !== self)
      .slice(0, MAX_PEERS - 1)
      .map(({ id }) => ({ node: id, addresses: book.of(id).map(formatAddress) }));
    return [{ node: self, addresses: parts.own() }, ...others]
      .map(({ node, addresses }) => ({ node, addresses: addresses.filter((text) => tellable(text, loopback)).slice(0, MAX_ADDRESSES) }))
      .filter(({ addresses }) => addresses.length > 0);
  }
}

/** An address of the loopback means something only to a node on the same machine. */
function tellable(text: string, loopback: boolean): boolean {
  const target = parseAddress(text, 0);
  return target !== null && (loopback || !isLoopback(target.host));
}
