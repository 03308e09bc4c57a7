import type { Libp2p } from '@libp2p/interface';
import { settings } from '../config/schema.ts';
import { PlainError } from '../errors.ts';
import { distance, parseAddress } from './addresses.ts';
import type { Target } from './addresses.ts';
import type { Announced } from './lobby-announced.ts';
import { OwnAddress, createErrands } from './lobby-errand.ts';
import type { Errand, Errands } from './lobby-errand.ts';
import type { LobbyAnswer, LobbyQuestion } from './lobby-messages.ts';
import { FORGET_MS } from './neighbours.ts';
import type { Neighbours } from './neighbours.ts';

/**
 * Questions at other lobbies, asked as a person would: there, wherever that is now. A node is looked for where it answered
 * last and where multicast says it is; an address that a person gave may be that of the mesh or that of the lobby.
 */
export interface Calls {
  /** nothing can be asked before */
  open(host: Libp2p): void;
  /** @throws PlainError when nothing answers there, or it is this machine; the signal's reason after an abort */
  call(where: Where, question: LobbyQuestion, signal: AbortSignal, limitMs?: number): Promise<Errand>;
  /** something answers at this address */
  answered(address: string): void;
  /** those of the addresses at which nothing answered of late */
  silent(addresses: readonly string[]): string[];
}

export type Where = { node: string } | { address: string };

export function createCalls(parts: { neighbours: Neighbours; announced: Announced; closed: AbortSignal }): Calls {
  const { neighbours, announced } = parts;
  const answeredAt = new Map<string, number>();
  let errands: Errands | null = null;

  return {
    open(host) {
      errands = createErrands(host);
    },
    async call(where, question, signal, limitMs) {
      const targets = 'node' in where ? targetsOf(where.node) : lobbiesAt(where.address);
      if (!errands || targets.length === 0) throw new PlainError(`It is not known where ${nameOf(where)} is.`, { retry: true });
      try {
        return await errands.run(targets, question, AbortSignal.any([signal, parts.closed]), limitMs);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof OwnAddress) {
          // named to every machine alike, this one too: then it is not silent
          if ('address' in where) answered(where.address);
          throw new PlainError(`${nameOf(where)} is this machine itself.`);
        }
        throw new PlainError(`No lobby of CodecShift answers at ${nameOf(where)}.`, { cause: error, retry: true });
      }
    },
    answered,
    silent: (addresses) => addresses.filter((address) => performance.now() - (answeredAt.get(address) ?? -Infinity) > FORGET_MS),
  };

  function answered(address: string): void {
    answeredAt.set(address, performance.now());
  }

  /** Where it answered last, then the nearest. */
  function targetsOf(node: string): Target[] {
    const known = [...(neighbours.get(node)?.addresses ?? []), ...announced.of(node)].flatMap((text) => parseAddress(text, 0) ?? []);
    const unique = [...new Map(known.map((one) => [`${one.host} ${one.port}`, { ...one, node }])).values()];
    const [last, ...others] = unique;
    return last ? [last, ...others.toSorted((a, b) => distance(a.host) - distance(b.host))].slice(0, 6) : [];
  }
}

export function unexpected(where: Where, answer: LobbyAnswer): PlainError {
  return new PlainError(`${nameOf(where)} gave an answer that was not expected${answer.to === 'refused' ? `: ${answer.why}` : '.'}`);
}

/** A person names the mesh of a machine; its lobby is at the next port. Whoever names the lobby itself is right too. */
function lobbiesAt(address: string): Target[] {
  const target = parseAddress(address, settings.meshPort.default);
  if (!target) return [];
  return target.port < 65_535 ? [{ ...target, port: target.port + 1 }, target] : [target];
}

function nameOf(where: Where): string {
  return 'node' in where ? where.node : where.address;
}
