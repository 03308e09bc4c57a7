import { createHash } from 'node:crypto';

/**
 * The six characters that the new machine's console and the page of the cluster both show, so that a person sees that
 * nobody stands in between.
 *
 *   joiner                                     cluster
 *   commit = SHA-256(reveal) ────────────────▶ keeps it
 *   keeps it  ◀──────────────────────── nonce  made after the commit, for this request
 *   reveal ──────────────────────────────────▶ commit fits?
 *   both: code = letters of SHA-256(cluster key, joiner, reveal, nonce)
 *
 * Each side fixed its part before it saw the other's, so who swaps the keys on the way cannot search for parts that make
 * both sides show the same: it is one chance in 2^30 for each try, and each try shows a new code.
 */
export function pairingCode(parts: { publicKey: string; node: string; reveal: string; nonce: string }): string {
  const hash = createHash('sha256');
  for (const part of ['codecshift pairing 1', parts.publicKey, parts.node, parts.reveal, parts.nonce]) {
    // with its length before each part, no two different lists of parts read the same
    hash.update(`${Buffer.byteLength(part)}:${part}`);
  }
  const bytes = hash.digest();
  return Array.from({ length: LENGTH }, (_, i) => LETTERS[bytes[i]! % LETTERS.length]).join('');
}

/** What the joiner says before it knows the cluster's nonce: SHA-256, hex. */
export function commitOf(reveal: string): string {
  return createHash('sha256').update(reveal).digest('hex');
}

const LENGTH = 6;
/** without 0 and O, 1 and I; 32 of them, so that a byte falls on each equally often */
const LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
