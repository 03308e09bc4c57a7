import type { ClientRequest, OutgoingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { reason } from '../core/reasons.ts';
import { PlainError } from '../errors.ts';
import { BLOCK_BYTES } from './bulk-frame.ts';
import { BadBlock, cutWhatDiffers, HolderChanged, receiveInto, type Reading } from './bulk-receive.ts';
import { openTarget, type Target } from './bulk-target.ts';
import { tlsSettings } from './bulk-tls.ts';
import { sharedRate } from './rate.ts';

/** How to reach one offer of another node's data plane (mesh/bulk-server.ts). */
export interface BulkAddress {
  host: string;
  port: number;
  identity: string;
  key: string;
}

export interface FetchWish {
  /** a fresh address whenever one is needed: at the start and after every break */
  open: (signal: AbortSignal) => Promise<BulkAddress & { sizeBytes: number }>;
  /** where the bytes go; what is there already from an earlier try is checked and kept */
  target: string;
  sizeBytes: number;
  /** null: not known before; the source is then checked by its fingerprint */
  sha256: string | null;
  /** most megabits a second that this node receives; 0 is no limit. Who is handed the same function shares one budget. */
  mbps: () => number;
  /** no byte for so long: the connection is given up and tried anew */
  stallMs: number;
  onProgress?: (bytes: number) => void;
  signal: AbortSignal;
  /** the first pause after a break, in milliseconds (default 1000); it doubles up to 15 times that */
  backoffMs?: number;
}

/** The same block arrived damaged so often after its first time: it is not the network. */
const MORE_TRIES = 3;

const OPEN_MS = 60_000;

/**
 * Brings one file here: by ranges, block hashes checked, resumed after every break, with back-pressure and a cap.
 * Resolves with the SHA-256 of the whole, synced to the disk.
 *
 * A break of whatever kind is followed by a pause and a fresh `open`: its holder may have restarted, revoked the key or
 * moved. It goes on until the signal aborts, `open` refuses for good, or the bytes themselves are not right.
 * @throws PlainError `hash-mismatch`, `file-changed`, `disk-full`, `no-space`, `input-output-error`, or what `open`
 *   refused with `retry: false`; the signal's reason
 */
export async function fetchFile(wish: FetchWish): Promise<{ sha256: string }> {
  wish.signal.throwIfAborted();
  const target = await openTarget(wish.target, wish.sizeBytes);
  const fetching: Fetching = {
    wish,
    target,
    // with a known hash of the whole, what is here is first believed: one look at the end tells
    checked: wish.sha256 !== null || target.have() === 0,
    damaged: new Map(),
  };
  try {
    if (!(await isHereAlready(fetching))) await untilWhole(fetching);
    const sha256 = await target.sha256(wish.signal);
    await target.sync();
    return { sha256 };
  } catch (error) {
    // nobody may resume from bytes that are known to be wrong
    if (isWrong(error)) await target.cutTo(0).catch(() => undefined);
    throw error;
  } finally {
    await target.close();
  }
}

interface Fetching {
  wish: FetchWish;
  target: Target;
  /** what an earlier try left was compared with the holder */
  checked: boolean;
  /** how often the block at an offset arrived damaged */
  damaged: Map<number, number>;
}

async function untilWhole(fetching: Fetching): Promise<void> {
  const { wish, target } = fetching;
  const firstMs = wish.backoffMs ?? 1000;
  for (let failures = 0; ;) {
    const before = target.have();
    try {
      return await overOneAddress(fetching);
    } catch (error) {
      wish.signal.throwIfAborted();
      if (error instanceof PlainError) throw error;
      if (error instanceof HolderChanged) throw changedThere(error);
      if (error instanceof BadBlock) countDamage(fetching, error.at);
      failures = target.have() > before ? 0 : failures + 1;
      await pause(firstMs * Math.min(2 ** failures, 15), undefined, { signal: wish.signal });
    }
  }
}

async function overOneAddress(fetching: Fetching): Promise<void> {
  const { wish, target } = fetching;
  const address = await openInTime(wish);
  if (address.sizeBytes !== wish.sizeBytes) throw changedThere();
  const agent = bulkAgent(address);
  const reading: Reading = { agent, rate: sharedRate(wish.mbps), stallMs: wish.stallMs, signal: wish.signal };
  try {
    if (!fetching.checked) await cutWhatDiffers(target, reading);
    // the last block is asked for again: only an answer that came to its end proves that the file stayed the same
    else if (target.have() === wish.sizeBytes && wish.sha256 === null) await target.cutTo(lastBlock(wish.sizeBytes));
    fetching.checked = true;
    for (;;) {
      if (target.have() < wish.sizeBytes) await receiveInto(target, wish.sizeBytes, reading, () => wish.onProgress?.(target.have()));
      if (wish.sha256 === null || (await target.sha256(wish.signal)) === wish.sha256) return;
      await cutWhatDiffers(target, reading);
      // the holder's bytes are ours, and they are not what was promised
      if (target.have() === wish.sizeBytes) throw damagedForGood();
      countDamage(fetching, target.have());
    }
  } finally {
    agent.destroy();
  }
}

async function isHereAlready({ wish, target }: Fetching): Promise<boolean> {
  if (wish.sizeBytes === 0) return true;
  return wish.sha256 !== null && target.have() === wish.sizeBytes && (await target.sha256(wish.signal)) === wish.sha256;
}

function lastBlock(sizeBytes: number): number {
  return sizeBytes - 1 - ((sizeBytes - 1) % BLOCK_BYTES);
}

async function openInTime(wish: FetchWish): Promise<BulkAddress & { sizeBytes: number }> {
  try {
    return await wish.open(AbortSignal.any([wish.signal, AbortSignal.timeout(OPEN_MS)]));
  } catch (error) {
    // any PlainError that leaves from here ends the fetch
    if (error instanceof PlainError && error.retry) throw new Error('the other node can’t open it now', { cause: error });
    throw error;
  }
}

function countDamage({ damaged }: Fetching, at: number): void {
  const times = (damaged.get(at) ?? 0) + 1;
  damaged.set(at, times);
  if (times > MORE_TRIES) throw damagedForGood();
}

function damagedForGood(): PlainError {
  return new PlainError('A file arrived from another node with other bytes than were sent; it was thrown away.', {
    retry: true,
    reason: reason('hash-mismatch'),
  });
}

function changedThere(cause?: unknown): PlainError {
  return new PlainError('A file changed on its own machine while it was fetched; it is looked at again.', {
    cause,
    reason: reason('file-changed'),
  });
}

function isWrong(error: unknown): boolean {
  return error instanceof PlainError && ['hash-mismatch', 'file-changed'].includes(error.reason?.code ?? '');
}

/**
 * An agent whose connections speak to one offer, whatever host a request names; for `offerHttp`. The key must prove
 * itself in both directions: nothing but it is trusted, so that a certificate, however good, opens nothing here.
 */
export function bulkAgent(address: BulkAddress): Agent {
  const psk = Buffer.from(address.key, 'base64url');
  return new Agent({
    ...tlsSettings,
    host: address.host,
    port: address.port,
    servername: '',
    pskCallback: () => ({ psk, identity: address.identity }),
    // never asked where the pre-shared key was taken; without these two a real certificate of anybody would do instead of it
    ca: [],
    checkServerIdentity: () => new Error('the other side did not prove that it knows the key'),
    maxCachedSessions: 0,
    keepAlive: true,
    maxSockets: 32,
  });
}

const agents = new WeakMap<BulkAddress, Agent>();

/** One request to an `offerHttp`. The requests over one address object share its connections; idle ones keep no process alive. */
export function requestOver(
  address: BulkAddress,
  { method, path, headers }: { method: string; path: string; headers: OutgoingHttpHeaders },
): ClientRequest {
  const agent = agents.get(address) ?? bulkAgent(address);
  agents.set(address, agent);
  return httpsRequest({ agent, method, path, headers });
}
