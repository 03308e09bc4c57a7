import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../log.ts';
import { fetchFile, type BulkAddress, type FetchWish } from './bulk-client.ts';
import { createBulkServer, type BulkServer } from './bulk-server.ts';

/** What the tests of the data plane have in common: a folder, a file of random bytes, a server, a reader. */
export interface Stage {
  folder: string;
  source: string;
  target: string;
  bytes: Buffer;
  sha256: string;
  server: BulkServer;
  /** a new key for the source */
  address(more?: { seconds?: number; stop?: AbortSignal }): BulkAddress & { sizeBytes: number };
  fetch(more?: Partial<FetchWish>): Promise<{ sha256: string }>;
}

type Context = { after(end: () => Promise<void> | void): void; signal: AbortSignal };

export const MIB = 1024 * 1024;

export async function bulkStage(t: Context, options: { bytes?: number; mbps?: () => number } = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'codecshift-bulk-'));
  const [source, target] = [join(folder, 'source'), join(folder, 'target')];
  const bytes = randomBytes(options.bytes ?? 5 * MIB + 77);
  writeFileSync(source, bytes);
  const server = createBulkServer({ port: 0, mbps: options.mbps ?? (() => 0), log: createLog({ level: 'silent', pretty: false }) });
  const port = await server.start();
  t.after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const address: Stage['address'] = (more) => ({
    host: '127.0.0.1',
    port,
    sizeBytes: bytes.length,
    ...server.offerFile({ file: source, sizeBytes: bytes.length, reader: 'reader', seconds: 60, ...more }),
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const usual = { target, sizeBytes: bytes.length, sha256: null, mbps: () => 0, stallMs: 60_000, backoffMs: 5, signal: t.signal };
  return {
    folder,
    source,
    target,
    bytes,
    sha256,
    server,
    address,
    fetch: (more) => fetchFile({ open: async () => address(), ...usual, ...more }),
  };
}
