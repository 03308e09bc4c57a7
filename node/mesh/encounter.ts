import type { Connection } from '@libp2p/interface';
import { unsaid, whyApart, type ProtocolRange } from '../core/compatibility.ts';
import type { Trouble } from '../core/sighting.ts';
import { PlainError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { AddressBook } from './address-book.ts';
import { formatAddress, isLoopback } from './addresses.ts';
import { checkSpeaker, decode, encode } from './encoding.ts';
import { hostOf, portOf } from './gate.ts';
import type { Links } from './links.ts';
import type { Meetings } from './meeting.ts';
import type { Membership } from './membership.ts';
import { MAX_MESSAGE_BYTES, protocols, type Meeting } from './messages.ts';
import { ask } from './rpc.ts';
import { troubleOfClock, type Sightings } from './sightings.ts';

/**
 * Turns a connection into an admitted one. The side that dialled asks `meet`, the other answers; both then count each
 * other. It is asked again every minute, on the same connection: that heals what gossip lost and follows the clocks.
 */
export interface Encounters {
  /** this side dialled: it asks */
  dialled(connection: Connection): Promise<void>;
  /** the other side asks: the encoded answer */
  answer(text: string, connection: Connection): string;
  /** meets again on every admitted connection that this side dialled, or on all of them */
  again(on: 'dialled' | 'all'): void;
}

const MEET_MS = 5000;

export function createEncounters(parts: {
  name: string;
  version: string;
  speaks: ProtocolRange;
  membership: Membership;
  meetings: Meetings;
  links: Links;
  book: AddressBook;
  sightings: Sightings;
  /** what the program at the other end says of itself before it is met; null when it said nothing */
  versionOf: (connection: Connection) => Promise<string | null>;
  log: Log;
}): Encounters {
  const { membership, meetings, links, book, sightings, log } = parts;

  return {
    async dialled(connection) {
      try {
        await meet(connection);
      } catch (error) {
        await failed(connection, error);
      }
    },
    answer(text, connection) {
      const from = connection.remotePeer.toString();
      const said = decode(protocols.meet.request, text, 'meet request');
      checkSpeaker(said, from, 'meet request');
      // One way took about half of what a ping takes; unknown on a fresh connection.
      const clockMs = said.time + (connection.rtt ?? 0) / 2 - Date.now();
      if (!take(connection, said, clockMs, connection.rtt ?? null)) {
        setTimeout(() => connection.abort(new Error('another cluster')), 500).unref();
      }
      return encode(meetings.mine({ loopback: local(connection), membersVersion: said.membersVersion }), MAX_MESSAGE_BYTES);
    },
    again(on) {
      for (const { connection } of links.all()) {
        if (on === 'all' || connection.direction === 'outbound')
          meet(connection).catch((error: unknown) => log.debug({ why: messageOf(error) }, 'meeting again failed'));
      }
    },
  };

  async function meet(connection: Connection): Promise<void> {
    const node = connection.remotePeer.toString();
    const began = performance.now();
    const mine = encode(meetings.mine({ loopback: local(connection), membersVersion: -1 }), MAX_MESSAGE_BYTES);
    const said = await ask(connection, 'meet', mine, AbortSignal.timeout(MEET_MS), membership.nameOf(node) ?? node);
    checkSpeaker(said, node, 'meet answer');
    const tripMs = performance.now() - began;
    if (!take(connection, said, said.time + tripMs / 2 - Date.now(), Math.round(connection.rtt ?? tripMs))) {
      connection.abort(new Error('another cluster'));
    }
  }

  function take(connection: Connection, said: Meeting, clockMs: number, latencyMs: number | null): boolean {
    const node = connection.remotePeer.toString();
    const problem = meetings.absorb(node, said, local(connection));
    const by = book.source(node) ?? 'inbound';
    const facts = { version: said.version };
    if (problem !== null) {
      const trouble: Trouble = problem === 'other-cluster' ? { state: problem } : { state: problem, how: 'outbound' };
      sightings.saw(node, { by, trouble, ...facts, addresses: [where(connection)] });
      log.info({ node, name: said.name, problem }, 'a machine was met that does not belong here');
      return false;
    }
    const program = { name: membership.nameOf(node) ?? said.name, version: said.version, speaks: said.speaks ?? unsaid };
    links.admit(connection, { clockMs, latencyMs, ...program, name: said.name });
    remember(connection, said);
    // Not where an inbound connection came from: its port is of no use to anybody.
    const addresses = connection.direction === 'outbound' ? [where(connection)] : book.of(node).map(formatAddress).slice(0, 2);
    sightings.saw(node, { by, trouble: apart(program) ?? troubleOfClock(clockMs), ...facts, addresses, clockMs, latencyMs });
    return true;
  }

  function apart(them: { name: string; version: string; speaks: ProtocolRange }): Trouble | null {
    const why = whyApart(parts, them);
    if (why !== null) log.debug({ name: them.name, version: them.version }, 'a machine was met whose program does not fit');
    return why === null ? null : { state: 'other-version', theirs: them.version, ours: parts.version, why };
  }

  function remember(connection: Connection, said: Meeting): void {
    const node = connection.remotePeer.toString();
    const told = said.peers.find((peer) => peer.node === node)?.addresses ?? [];
    book.learn(node, told, 'told');
    // The host it really came from with the port it says it listens on: right also behind several cards.
    const port = told.map((text) => /:(\d+)$/.exec(text)?.[1]).find((one) => one !== undefined);
    const host = hostOf(connection.remoteAddr);
    if (connection.direction === 'inbound' && port) book.learn(node, [formatAddress({ host, port: Number(port) })], 'inbound');
    membership.remember(node, book.of(node).slice(0, 8).map(formatAddress));
  }

  async function failed(connection: Connection, error: unknown): Promise<void> {
    const node = connection.remotePeer.toString();
    const cause = error instanceof PlainError ? (error.cause as { name?: string } | undefined)?.name : undefined;
    const outdated = cause === 'UnsupportedProtocolError' || / was refused: /.test(messageOf(error));
    const slow = connection.status === 'open' && / did not answer in time/.test(messageOf(error));
    const theirs = outdated ? await parts.versionOf(connection) : null;
    const trouble: Trouble = outdated
      ? { state: 'other-version', theirs: theirs === parts.version ? null : theirs, ours: parts.version }
      : slow
        ? { state: 'unreachable', tried: [{ address: where(connection), why: 'it is connected, but does not answer' }] }
        : { state: 'not-approved', how: 'hung-up' };
    // A connection that lost against another one of the same pair also ends here; then all is well.
    if (!links.of(node)) sightings.saw(node, { by: book.source(node) ?? 'told', trouble, version: theirs, addresses: [where(connection)] });
    log.debug({ node, why: messageOf(error) }, 'a connection ended before both sides had met');
    connection.abort(new Error('not met'));
  }
}

function local(connection: Connection): boolean {
  return isLoopback(hostOf(connection.remoteAddr));
}

function where(connection: Connection): string {
  return formatAddress({ host: hostOf(connection.remoteAddr), port: portOf(connection.remoteAddr) });
}
