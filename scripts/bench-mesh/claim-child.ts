import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { jobClasses } from '../../node/core/job.ts';
import { claim, promoteDue } from '../../node/db/claims.ts';
import { connectDatabase } from '../../node/db/connect.ts';
import { releaseAttempt } from '../../node/db/run-ends.ts';
import { createLog } from '../../node/log.ts';
import { loadIdentity } from '../../node/mesh/identity.ts';
import { loadMembership } from '../../node/mesh/membership.ts';
import { createNetworkMesh } from '../../node/mesh/network.ts';
import { version } from '../../node/version.ts';

/** Plays a worker that only asks for work and gives it back at once; says one line of JSON. For claim.ts. */
export interface ClaimOrders {
  dataDir: string;
  node: string;
  coordinator: string;
  peer: string;
  term: number;
  databaseUrl: string;
  rounds: number;
}

/** milliseconds */
export interface ClaimTimes {
  mesh: number[];
  sql: number[];
  empty: number[];
}

const orders = JSON.parse(process.argv[2]!) as ClaimOrders;
const { node, coordinator, term } = orders;
const log = createLog({ level: 'warn', pretty: true });
const membership = (await loadMembership(orders.dataDir))!;
const { key } = await loadIdentity(orders.dataDir);
const parts = { name: 'bench', port: 0, discovery: 'off', peers: [orders.peer], version, membership, key, log } as const;
const mesh = createNetworkMesh(parts);
const connected = await connectDatabase({ url: orders.databaseUrl, dataDir: orders.dataDir, log });
const db = connected.withTerm(term);
const classes = Object.values(jobClasses);
const session = randomUUID();
const reason = { code: 'shut-down' } as const;
const keepers = (await db.query<{ id: string }>('select node_id as id from node_roots where proved_at is not null')).map(({ id }) => id);

await mesh.start();
while (!mesh.connected().includes(coordinator)) await pause(50);
const times: ClaimTimes = { mesh: [], sql: [], empty: [] };
// the first of each warms connections and plans
for (let round = -3; round < orders.rounds; round++) {
  const [overMesh, alone, nothing] = [await claimOverMesh(), await claimAlone(), await timed(() => db.query('select 1'))];
  if (round < 0) continue;
  times.mesh.push(overMesh);
  times.sql.push(alone);
  times.empty.push(nothing.ms);
}
console.log(JSON.stringify(times));
process.exit();

async function claimOverMesh(): Promise<number> {
  await promoteDue(db);
  mesh.publish('presence', { node, name: 'bench', slots: 1, busy: 0, freeBytes: 1e10, load: 0, at: Date.now() });
  const wish = { node, session, classes, freeSlots: 1, freeBytes: 1e10, ahead: false };
  const { result, ms } = await timed(() => mesh.request(coordinator, 'claim', wish, { signal: AbortSignal.timeout(10_000) }));
  if (!result.granted) throw new Error(`nothing was granted: ${JSON.stringify(result.why)}`);
  const { job, attempt } = result.granted;
  await mesh.request(coordinator, 'report', { event: 'released', job, attempt, reason }, { signal: AbortSignal.timeout(10_000) });
  return ms;
}

async function claimAlone(): Promise<number> {
  await promoteDue(db);
  const { result, ms } = await timed(() => claim(db, { node, term, leaseSeconds: 30, keepers, classes }));
  if (!result) throw new Error('the SQL claimed nothing');
  await releaseAttempt(db, result, reason);
  return ms;
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const begun = performance.now();
  const result = await work();
  return { result, ms: performance.now() - begun };
}
