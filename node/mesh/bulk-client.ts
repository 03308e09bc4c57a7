import type { Agent } from 'node:https';

/** How to reach one offer of another node's data plane (mesh/bulk-server.ts). */
export interface BulkAddress {
  host: string;
  port: number;
  identity: string;
  key: string;
}

export interface FetchWish {
  /** a fresh address whenever one is needed: at the start, after a break, after its key ran out */
  open: (signal: AbortSignal) => Promise<BulkAddress & { sizeBytes: number }>;
  /** where the bytes go; what is there already from an earlier try is checked and kept */
  target: string;
  sizeBytes: number;
  /** null: not known before; the source is then checked by its fingerprint */
  sha256: string | null;
  /** most megabits a second that this node receives; 0 is no limit */
  mbps: () => number;
  /** no byte for so long: the connection is given up and tried anew */
  stallMs: number;
  onProgress?: (bytes: number) => void;
  signal: AbortSignal;
}

/**
 * Brings one file here: by ranges, block hashes checked, resumed after every break, with back-pressure and a cap.
 * Resolves with the SHA-256 of the whole, synced to the disk.
 * @throws PlainError `hash-mismatch`, `disk-full`, `no-space`; retryable when the other node went away for too long
 */
export async function fetchFile(_wish: FetchWish): Promise<{ sha256: string }> {
  throw new Error('not built yet');
}

/** An agent whose connections speak to one offer; for `offerHttp`. */
export function bulkAgent(_address: BulkAddress): Agent {
  throw new Error('not built yet');
}
