// A process that is killed while it delivers: a lock and an output of real ones stay behind. For cleanup.browser.test.ts only.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deliver } from '../files/deliver.ts';
import { takeLock } from '../files/lock.ts';
import { adoptRoot, openRoot } from '../files/roots.ts';

const [films, work, node] = process.argv.slice(2) as [string, string, string];
const bytes = Buffer.alloc(5000, 1);
const from = join(work, 'output.mkv');
writeFileSync(from, bytes);
const root = await openRoot({ path: films, id: (await adoptRoot(films)).rootId });
await takeLock(join(films, 'Film.mkv.lock'), { who: 'codecshift', node, job: 1, attempt: 1, term: 1, since: new Date().toISOString() });
await deliver({
  ...{ root, node: 'node-of-another-house', attempt: 4711, target: 'Film.mkv', from, sizeBytes: bytes.length },
  sha256: createHash('sha256').update(bytes).digest('hex'),
  fault: (point) => {
    if (point === 'deliver:delivered') process.kill(process.pid, 'SIGKILL');
  },
});
