import { createLog } from '../log.ts';
import { fetchFile } from './bulk-client.ts';
import { createBulkServer } from './bulk-server.ts';

/**
 * A holder or a reader as a process of its own, for the tests that kill one in the middle: `bulk.child.ts hold {json}` says
 * its address and holds; `bulk.child.ts fetch {json}` says how much is there, and at last the hash.
 */
const [role, wish] = [process.argv[2], JSON.parse(process.argv[3]!)];
if (role === 'hold') await hold(wish);
else await fetch(wish);

async function hold({ file, sizeBytes, mbps }: { file: string; sizeBytes: number; mbps: number }): Promise<void> {
  const server = createBulkServer({ port: 0, mbps: () => mbps, log: createLog({ level: 'silent', pretty: false }) });
  const port = await server.start();
  const key = server.offerFile({ file, sizeBytes, reader: 'reader', seconds: 60 });
  process.stdout.write(`${JSON.stringify({ host: '127.0.0.1', port, sizeBytes, ...key })}\n`);
}

async function fetch({
  address,
  target,
}: {
  address: { host: string; port: number; identity: string; key: string; sizeBytes: number };
  target: string;
}) {
  const { sha256 } = await fetchFile({
    open: async () => address,
    target,
    sizeBytes: address.sizeBytes,
    sha256: null,
    mbps: () => 0,
    stallMs: 10_000,
    backoffMs: 20,
    onProgress: (bytes) => void process.stdout.write(`${bytes}\n`),
    signal: AbortSignal.timeout(60_000),
  });
  process.stdout.write(`${sha256}\n`);
}
