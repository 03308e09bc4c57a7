import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Signed, Ticket } from '../core/cluster.ts';
import { isReasonCode, type Reason } from '../core/reasons.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { BulkServer, OfferedKey } from './bulk-server.ts';
import type { Mesh } from './mesh.ts';
import type { ProtocolResponse } from './messages.ts';
import { openTicket } from './signing.ts';

type Answer = ProtocolResponse<'bulk'>;

export interface BulkGateParts {
  mesh: Mesh;
  /** the cluster's */
  publicKey: string;
  self: string;
  server: Pick<BulkServer, 'offerFile' | 'offerHttp' | 'revoke' | 'port'>;
  /** The original of a ticket, checked to be the one that it names. @throws PlainError with the reason */
  source: (ticket: SourceTicket, signal: AbortSignal) => Promise<OpenedFile>;
  /** What an attempt made here. @throws PlainError with the reason */
  output: (ticket: OutputTicket) => OpenedFile | Promise<OpenedFile>;
  /** null: this node does not coordinate */
  dashboard: () => ((request: IncomingMessage, response: ServerResponse) => void) | null;
  log: Log;
  /** milliseconds since 1970 */
  now?: () => number;
}

export type SourceTicket = Extract<Ticket, { what: 'source' }>;
export type OutputTicket = Extract<Ticket, { what: 'output' }>;

export interface OpenedFile {
  file: string;
  sizeBytes: number;
  /** ends the reading at once */
  stop?: AbortSignal;
}

/** without use; every use renews it */
const KEY_SECONDS = 300;
const LOOK_MS = 45_000;
const MAX_LOOKING = 32;
const MAX_REMEMBERED = 1000;

/**
 * A ticket's time is the coordinator's, ours may be off: a machine without a battery clock is a day behind after a power
 * cut, and an attempt may take a day. Two days allow for both; what ends a ticket in time is the end of its attempt.
 */
const TICKET_MS = 48 * 3600_000;

/**
 * Turns tickets into keys for the data plane. A ticket opens one file, here, for the node it names, which is the node
 * that asks over its authenticated connection. Tickets of an earlier term are good: work survives a change of coordinator.
 */
export function createBulkGate(parts: BulkGateParts): void {
  const { mesh, server, log } = parts;
  /** the key that was given last, by reader and what it opens: whoever asks again has lost the one before */
  const given = new Map<string, OfferedKey>();
  /** the run that each film was last opened for: a film has one at a time, so every earlier one is over */
  const latest = new Map<string, { term: number; attempt: number; reader: string }>();
  let looking = 0;

  mesh.handle('bulk', async (asked, from): Promise<Answer> => {
    if (asked.op === 'dashboard') return openDashboard(from);
    if (looking >= MAX_LOOKING) return refused({ code: 'retry-later' }, true);
    looking += 1;
    try {
      return await openFile(asked.ticket, from);
    } catch (error) {
      if (error instanceof PlainError)
        return refused(error.reason ?? { code: 'source-unreachable', params: { message: error.message } }, error.retry);
      log.error({ err: error, reader: from }, 'a file could not be opened for another node');
      return refused({ code: 'source-unreachable', params: { message: messageOf(error) } }, true);
    } finally {
      looking -= 1;
    }
  });

  async function openFile(signed: Signed, from: string): Promise<Answer> {
    const ticket = openTicket(parts.publicKey, signed);
    const why = ticket ? objectionTo(ticket, from) : 'it was not signed by this cluster';
    if (!ticket || why !== null) {
      log.warn({ reader: from, why }, 'a file was not given out');
      return refused({ code: 'ticket-refused', params: { why: why ?? '' } }, false);
    }
    if (ticket.what === 'source' && !isLatest(ticket)) return refused({ code: 'lease-lost' }, false);
    const opened = ticket.what === 'source' ? await parts.source(ticket, AbortSignal.timeout(LOOK_MS)) : await parts.output(ticket);
    if (ticket.what === 'output' && opened.sizeBytes !== ticket.sizeBytes) return refused({ code: 'hash-mismatch' }, false);
    const key = replace(nameOf(ticket), () => server.offerFile({ ...opened, reader: from, seconds: KEY_SECONDS }));
    return { op: 'open', port: server.port(), ...key, sizeBytes: opened.sizeBytes };
  }

  /** A run that was taken back reads on until the next one of that film asks; then its key dies with it. */
  function isLatest(ticket: SourceTicket): boolean {
    const film = `${ticket.root}/${ticket.path}`;
    const known = latest.get(film);
    // a database that was put back counts its attempts from an earlier number on, but never its terms
    const age = known && (ticket.term - known.term || ticket.attempt - known.attempt);
    if (age && age < 0) return false;
    if (age) end(nameOf({ ...ticket, ...known }));
    latest.delete(film);
    latest.set(film, { term: ticket.term, attempt: ticket.attempt, reader: ticket.reader });
    if (latest.size > MAX_REMEMBERED) latest.delete(latest.keys().next().value!);
    return true;
  }

  function objectionTo(ticket: Ticket, from: string): string | null {
    if (ticket.holder !== parts.self) return 'it is for another machine';
    if (ticket.reader !== from) return 'it was given to another node';
    if (Math.abs((parts.now ?? Date.now)() - ticket.issuedAt) > TICKET_MS) return 'it is days old, or a clock is wrong';
    return null;
  }

  function openDashboard(from: string): Answer {
    const handler = parts.dashboard();
    if (!handler) return refused({ code: 'not-coordinator' }, true);
    const key = replace(`${from} dashboard`, () => server.offerHttp({ handler, reader: from, seconds: KEY_SECONDS }));
    return { op: 'open', port: server.port(), ...key, sizeBytes: 0 };
  }

  function replace(what: string, make: () => OfferedKey): OfferedKey {
    end(what);
    const key = make();
    // the newest last; keys whose offers died long ago are forgotten, revoking them would do nothing
    given.set(what, key);
    if (given.size > MAX_REMEMBERED) given.delete(given.keys().next().value!);
    return key;
  }

  function end(what: string): void {
    const key = given.get(what);
    given.delete(what);
    if (key) server.revoke(key.identity);
  }
}

function nameOf({ reader, what, attempt }: Pick<Ticket, 'reader' | 'what' | 'attempt'>): string {
  return `${reader} ${what} ${attempt}`;
}

function refused(reason: Reason | { code: string; params?: Record<string, string | number> }, retry: boolean): Answer {
  return { op: 'refused', reason: isReasonCode(reason.code) ? reason : { code: 'source-unreachable' }, retry };
}
