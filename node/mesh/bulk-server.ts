import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../log.ts';

/**
 * The data plane: HTTPS with TLS 1.3 and a pre-shared key for exactly one offer and one reader. Who does not know a key
 * does not get past the handshake. Keys travel only over the authenticated mesh (`bulk`), live minutes, and die with
 * what they were made for.
 */
export interface BulkServer {
  /** resolves with the port */
  start(): Promise<number>;
  stop(): Promise<void>;
  port(): number;
  /** one file, by ranges, each block with its SHA-256; `stop` ends it at once, also in the middle of a block */
  offerFile(offer: { file: string; sizeBytes: number; reader: string; seconds: number; stop?: AbortSignal }): OfferedKey;
  /** every request of one reader goes to the handler: the dashboard of the coordinator at another node */
  offerHttp(offer: { handler: (request: IncomingMessage, response: ServerResponse) => void; reader: string; seconds: number }): OfferedKey;
  revoke(identity: string): void;
}

export interface OfferedKey {
  identity: string;
  /** base64url of 32 random bytes */
  key: string;
  seconds: number;
}

export interface BulkServerParts {
  port: number;
  /** most megabits a second that this node sends; 0 is no limit; read anew all the time */
  mbps: () => number;
  log: Log;
}

export function createBulkServer(_parts: BulkServerParts): BulkServer {
  throw new Error('not built yet');
}
