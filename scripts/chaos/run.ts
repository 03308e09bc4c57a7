import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createCluster } from '../../node/testing/cluster.ts';
import type { Cluster, MachineWish } from '../../node/testing/cluster.ts';
import { joinAll } from '../../node/testing/cluster-join.ts';
import { until } from '../../node/testing/program.ts';
import { createFaults } from './faults.ts';
import type { Faults } from './faults.ts';
import { createKeepers } from './keep-going.ts';
import { createLibrary } from './library.ts';
import { judge } from './oracle.ts';
import { planFaults } from './plan.ts';
import { seeded } from './random.ts';
import type { Outcome } from './report.ts';
import { startWatch } from './watch.ts';
import type { Watch } from './watch.ts';

/**
 * One run of the chaos: a real cluster with work to do, one fault after the other, then everything is healed, the work is
 * waited for, and the judge looks at what became of the films and the books.
 */
export interface Wish {
  nodes: number;
  candidates: number;
  faults: number;
  seed: number;
  /** mean milliseconds from one fault to the next */
  paceMs: number;
  /** most films that are put into the library */
  films: number;
  /** seconds to wait for the end of all work once everything is healed */
  restSeconds: number;
  say: (line: string) => void;
}

/** Faults between two pauses in which everything is whole: without them a small cluster would never finish anything. */
const bout = 25;

export async function runChaos(t: { after(fn: () => Promise<void> | void): void }, wish: Wish): Promise<Outcome> {
  const begun = performance.now();
  const log: string[] = [];
  const say = (line: string): void => {
    const stamped = `${((performance.now() - begun) / 1000).toFixed(1).padStart(7)} s  ${line}`;
    log.push(stamped);
    wish.say(stamped);
  };
  const random = seeded(wish.seed);
  const layout = cast(wish.nodes, wish.candidates);
  const plan = planFaults(random, wish.faults, wish.paceMs, {
    machines: layout.map(({ name }) => name),
    candidates: layout.filter(({ candidate }) => candidate).map(({ name }) => name),
    withWorkspace: layout.map(({ name }) => name),
  });
  const cluster = await createCluster(t, { machines: layout, database: true, shareMegabytes: 512, env: settings });
  const library = createLibrary(cluster.share.path, join(cluster.base, 'pristine'), random);
  for (let film = 0; film < Math.min(8, wish.films); film++) await library.add();
  await joinAll(cluster, say);
  const watch = startWatch(cluster.database!);
  t.after(() => watch.stop());
  const faults = createFaults({ cluster, coordinator: watch.coordinator, log: say });
  const keepers = createKeepers({ cluster, library, faults, watch, films: wish.films, say });
  let problem: string | null = null;
  let judged: Outcome['judged'] = { findings: [], figures: {} };
  try {
    await until('the first finished file', async () => (await finished(watch)) > 0);
    say('the first file is finished; the faults begin');
    for (const [index, fault] of plan.entries()) {
      await pause(fault.gapMs);
      await faults.begin(fault);
      if ((index + 1) % bout === 0) await breathe(faults, watch, say);
    }
    await faults.mend();
    await keepers.stopAdding();
    say('everything is healed; waiting for the end of all work');
    await comeToRest(cluster, watch, wish.restSeconds, say);
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
    await faults.mend().catch(() => undefined);
  }
  await keepers.stop();
  await watch.stop();
  if (problem === null) {
    say('all work has ended; the judge looks');
    judged = await judge(cluster, library.films, watch);
  }
  const outcome: Outcome = {
    wish,
    seconds: (performance.now() - begun) / 1000,
    films: library.films.length,
    happened: faults.happened,
    passedOver: faults.passedOver,
    reigns: watch.reigns,
    firstGrants: await firstGrants(watch),
    ends: keepers.ends,
    byHand: keepers.byHand(),
    judged,
    problem,
    logs: '',
  };
  outcome.logs = keepLogs(cluster, wish.seed, log, outcome);
  return outcome;
}

/** Tries are many and leases short: what a house lives through in years happens here in minutes. */
const settings = {
  CODECSHIFT_LOG_LEVEL: 'debug',
  CODECSHIFT_LEASE: '10',
  CODECSHIFT_MAX_FAILURES: '10',
  CODECSHIFT_AT_ONCE: '1',
  CODECSHIFT_STALL: '0.5',
};

/** The mix of a house: the first holds database and films, the next only the database, and so on. */
function cast(nodes: number, candidates: number): MachineWish[] {
  return Array.from({ length: nodes }, (_, index) => {
    const candidate = index < candidates;
    return {
      name: String.fromCodePoint('a'.codePointAt(0)! + index),
      candidate,
      // a: database and films · b: database alone · c: films (and the database when three have it) · d: nothing · e: films …
      share: index % 2 === 0,
      library: index === 0,
      workspaceMegabytes: 48,
    };
  });
}

async function breathe(faults: Faults, watch: Watch, say: (line: string) => void): Promise<void> {
  await faults.mend();
  const before = await finished(watch);
  say('a pause: everything is whole');
  await until('three more finished files', async () => (await finished(watch)) >= before + 3 || (await waiting(watch)) === 0, 25_000).catch(
    () => say('little was finished in the pause'),
  );
}

async function comeToRest(cluster: Cluster, watch: Watch, seconds: number, say: (line: string) => void): Promise<void> {
  await until('every machine to answer', async () => {
    for (const machine of cluster.machines)
      if (
        !(await machine.api('/status').then(
          () => true,
          () => false,
        ))
      )
        return false;
    return true;
  });
  await until('a scan after the last film', () =>
    cluster.machines[0]!.api('/scan', {}).then(
      () => true,
      () => false,
    ),
  );
  try {
    await until('an empty queue', async () => (await waiting(watch)) === 0, seconds * 1000);
  } catch (error) {
    const open = await watch.ask(
      `select id, state, attempt_id, node_id, lease_until - now() as lease, retry_at - now() as retry, reason from jobs where state in ('available', 'running', 'held')`,
    );
    say(`still open: ${JSON.stringify(open)}`);
    throw error;
  }
}

async function finished(watch: Watch): Promise<number> {
  const [row] = (await watch.ask<{ n: number }>(`select count(*)::int as n from jobs where state = 'completed'`)) ?? [];
  return row?.n ?? 0;
}

/** Null answers count as busy. */
async function waiting(watch: Watch): Promise<number> {
  const [row] =
    (await watch.ask<{ n: number }>(
      `select ((select count(*) from scans where state = 'running') + (select count(*) from jobs where state in ('available', 'running', 'held'))
             + (select count(*) from jobs j where state = 'failed' and not exists (select 1 from jobs k where k.file_id = j.file_id and k.id > j.id))
             + (select count(*) from media_files where status in ('new', 'settling')))::int as n`,
    )) ?? [];
  return row?.n ?? 1;
}

/** When each term gave out its first job. */
async function firstGrants(watch: Watch): Promise<Outcome['firstGrants']> {
  const sql = `select term, (extract(epoch from min(started_at)) * 1000)::float8 as at from attempts group by term order by term`;
  // an onlooker that stood still for seconds gave its question up
  return until('the first jobs of the terms', () => watch.ask<Outcome['firstGrants'][number]>(sql));
}

function keepLogs(cluster: Cluster, seed: number, log: string[], outcome: Outcome): string {
  const folder = join(tmpdir(), `codecshift-chaos-${seed}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run.log'), `${log.join('\n')}\n`);
  writeFileSync(join(folder, 'outcome.json'), JSON.stringify({ ...outcome, wish: { ...outcome.wish, say: undefined } }, null, 2));
  for (const machine of cluster.machines) writeFileSync(join(folder, `${machine.name}.log`), machine.output());
  return folder;
}
