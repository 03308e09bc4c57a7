import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createLibrary } from '../../../scripts/chaos/library.ts';
import type { Library } from '../../../scripts/chaos/library.ts';
import { brokenLaws } from '../../../scripts/chaos/oracle-books.ts';
import { checkFilms } from '../../../scripts/chaos/oracle-films.ts';
import type { Finding } from '../../../scripts/chaos/findings.ts';
import { seeded } from '../../../scripts/chaos/random.ts';
import { clusterProblem, createCluster } from '../cluster.ts';
import type { Cluster, ClusterOptions } from '../cluster.ts';
import { approve, hereOf, joinAll, standsAs } from '../cluster-join.ts';
import type { Machine } from '../cluster-machine.ts';
import { lineProblem } from '../network-lines.ts';
import { until } from '../program.ts';
import { unlessAll } from '../thorough.ts';

/**
 * Whole machines on a LAN of their own: the program as a person starts it, found, approved, cut off, frozen and killed.
 * Each suite is one house; its tests follow one another in it.
 */
const everyday = { kind: 'film', long: false } as const;
const long = { kind: 'film', long: true } as const;

suite('five machines with nothing configured, on a LAN without a router', { skip: clusterProblem(false) ?? false }, () => {
  test('they find each other, are approved, and work together through bad lines and a partition', { timeout: 900_000 }, async (t) => {
    const house = await openHouse(t, {
      machines: [{ name: 'a', share: true, library: true }, { name: 'b' }, { name: 'c' }, { name: 'd', share: true }, { name: 'e' }],
    });
    const { cluster, library } = house;
    const [a, b, c, d, e] = cluster.machines as [Machine, Machine, Machine, Machine, Machine];
    await library.add(everyday);

    await step(t, 'the first founds a cluster, the others ask to join and show a code', async () => {
      await a.start();
      await until('the first machine to coordinate', async () => (await hereOf(a))?.reached);
      const begun = performance.now();
      for (const machine of [b, c, d]) machine.launch();
      for (const machine of [b, c, d]) {
        const { standing } = await standsAs(machine, 'pending');
        assert.match(standing.code, /^\w{6}$/);
        assert.match(machine.output(), new RegExp(standing.code), 'its own console does not show the code');
      }
      t.diagnostic(`three machines ask to join ${seconds(begun)} after their start`);
      const asking = (await nodesOf(a)).filter(({ standing }) => standing === 'pending');
      assert.deepEqual(asking.map(({ name }) => name).toSorted(), ['b', 'c', 'd']);
      for (const machine of [b, c, d]) {
        const here = await standsAs(machine, 'pending');
        assert.equal(asking.find(({ name }) => name === machine.name)?.code, here.standing.code, 'both sides show the same code');
        await approve(a, here);
      }
      for (const machine of [b, c, d]) await standsAs(machine, 'member');
    });

    await step(t, 'a new machine has its first job soon after its start, without a share', async () => {
      for (const { id } of await nodesOf(a)) await a.api(`/nodes/${id}/drain`, {});
      for (let film = 0; film < 2; film++) await library.add(everyday);
      await house.scan();
      const begun = performance.now();
      e.launch();
      const here = await standsAs(e, 'pending');
      const asked = seconds(begun);
      await approve(a, here);
      const approved = performance.now();
      await standsAs(e, 'member');
      const member = seconds(approved);
      await until(
        'a job of the new machine',
        async () => (await runsOn(a, 'e').catch(() => 0)) > 0 || (await succeededOn(a, 'e').catch(() => 0)) > 0,
      );
      t.diagnostic(
        `a new machine: asks after ${asked}, is a member ${member} after the click, has its first job ${seconds(approved)} after the click, ${seconds(begun)} after its start`,
      );
    });

    await step(t, 'every machine shows the same cluster', async () => {
      for (const machine of cluster.machines) {
        await until(`${machine.name} to show the cluster`, async () => (await hereOf(machine))?.reached);
        assert.deepEqual((await nodesOf(machine)).filter(({ standing }) => standing === 'approved').length, 5);
        assert.equal((await machine.get('/')).status, 200);
      }
    });

    await step(t, 'a machine behind a bad line still works', async (context) => {
      const problem = lineProblem();
      if (problem !== null) return context.skip(problem);
      await cluster.network.netem('e', { delayMs: 60, jitterMs: 20, lossPercent: 4 });
      await library.add(everyday);
      await house.scan();
      const begun = performance.now();
      await until('three files finished by the machine behind the bad line', async () => (await succeededOn(a, 'e').catch(() => 0)) === 3);
      t.diagnostic(`a file fetched, encoded and delivered through 60 ms and 4 % loss each way after ${seconds(begun)}`);
      await cluster.network.clear('e');
      await house.only(null);
    });

    await step(t, 'a partition stops nobody for good, and heals by itself', async () => {
      await cluster.network.partition(['a', 'b'], ['c', 'd', 'e']);
      await until('the other side to miss the coordinator', async () => (await hereOf(c))?.reached === false);
      assert.match((await c.get('/')).text, /coordinat/i, 'the page does not say what it waits for');
      await library.add(everyday);
      await a.api('/scan', {});
      await until(
        'work on the side of the coordinator',
        async () => (await a.api<Status>('/status').catch(() => null))?.jobs.waiting === 0,
      );
      await cluster.network.heal();
      const begun = performance.now();
      for (const machine of [c, d, e]) await until(`${machine.name} to be back`, async () => (await hereOf(machine))?.reached);
      t.diagnostic(`three machines are back ${seconds(begun)} after the partition healed`);
    });

    await house.proveFilms();
  });
});

// chaos.test.ts does all of this to its machines in every run, in an order that nobody chose, and judges films and books
suite('three machines and a PostgreSQL', { skip: unlessAll || (clusterProblem() ?? false) }, () => {
  test('the role goes on to another machine whatever happens to its holder, and no file is done twice', { timeout: 900_000 }, async (t) => {
    const house = await openHouse(t, {
      database: true,
      machines: [
        { name: 'a', candidate: true },
        { name: 'b', candidate: true },
        { name: 'c', share: true },
      ],
      env: { CODECSHIFT_SPEED: 'medium' },
    });
    const { cluster, library } = house;
    const database = cluster.database!;
    await joinAll(cluster);
    // a machine that is given films when it starts does not ask strangers for a cluster: its folder is added afterwards
    const keeper = cluster.machine('c');
    await steady(cluster.machine('a'), '/libraries', { path: keeper.films, node: (await standsAs(keeper, 'member')).node.id });
    await library.add(everyday);
    await house.scan();

    await step(t, 'a person hands the role over', async (context) => {
      const { name, term, other } = await house.leader();
      const here = await standsAs(cluster.machine(other), 'member');
      const begun = Date.now();
      await steady(cluster.machine(name), `/nodes/${here.node.id}/hand-over`, {});
      await house.failover(context, 'a hand-over', term, begun);
      assert.equal((await house.leader()).name, other);
    });

    await step(t, 'kill -9: what runs elsewhere goes on and is handed to the next coordinator', async (context) => {
      const running = await house.workOf('c');
      const { name, term } = await house.leader();
      const begun = Date.now();
      await cluster.machine(name).kill();
      await house.failover(context, 'kill -9', term, begun);
      const [row] = await until('the running file to be finished', async () => {
        const rows = await house.ask<Run>(`select * from attempts where id = ${running} and ended_at is not null`);
        return rows.length > 0 ? rows : null;
      });
      assert.deepEqual([row!.state, row!.term <= term], ['succeeded', true], 'the run that outlived its coordinator');
      cluster.machine(name).launch();
      await until('the killed machine to follow', async () => (await hereOf(cluster.machine(name)))?.reached);
    });

    await step(t, 'SIGSTOP: another takes over, and the one that wakes up only follows', async (context) => {
      const { name, term, other } = await house.leader();
      const begun = Date.now();
      cluster.machine(name).freeze();
      await house.failover(context, 'SIGSTOP', term, begun);
      cluster.machine(name).thaw();
      await until('the one that woke up to follow', async () => followed(await hereOf(cluster.machine(name))) === other);
      await house.finishOne();
    });

    await step(t, 'without the database but with the mesh: another takes over', async (context) => {
      const { name, term, other } = await house.leader();
      const begun = Date.now();
      await cluster.network.cut(name, 'db');
      await house.failover(context, 'the way to the database cut', term, begun);
      await until('the one without the database to follow', async () => followed(await hereOf(cluster.machine(name))) === other);
      await house.finishOne();
      await cluster.network.heal('db');
    });

    await step(t, 'with the database but without the mesh: another takes over', async (context) => {
      const { name, term, other } = await house.leader();
      const begun = Date.now();
      await cluster.network.cut(name, 'lan');
      await house.failover(context, 'the way to the mesh cut', term, begun);
      await house.finishOne();
      await cluster.network.heal('lan');
      await until('the lonely one to follow', async () => followed(await hereOf(cluster.machine(name))) === other);
    });

    await step(t, 'PostgreSQL crashes and comes back', async () => {
      await house.workOf('c');
      await database.stop('power');
      await database.start();
      await house.finishOne();
    });

    await step(t, 'a candidate that is removed stays out until it is approved again, database or not', async () => {
      const { name, other } = await house.leader();
      const [leads, removed] = [cluster.machine(name), cluster.machine(other)];
      const { node, standing } = await standsAs(removed, 'member');
      await steady(leads, `/nodes/${node.id}/remove`, {});
      await standsAs(removed, 'revoked');
      await removed.press('/node/ask', { cluster: standing.cluster.id });
      assert.match((await standsAs(removed, 'rejected')).standing.why, /was removed from the cluster/);
      await steady(leads, `/nodes/${node.id}/approve`, {});
      await removed.press('/node/ask', { cluster: standing.cluster.id });
      await standsAs(removed, 'member');
    });

    await house.rest();
    const books = database.books();
    assert.deepEqual(await brokenLaws(books), []);
    await books.close();
    await house.proveFilms();
  });
});

suite('machines that start or meet without a cluster', { skip: clusterProblem(false) ?? false }, () => {
  test('two fresh machines started at the same moment end as one cluster', async (t) => {
    const { cluster } = await openHouse(t, { machines: [{ name: 'a' }, { name: 'b' }] });
    const [a, b] = cluster.machines as [Machine, Machine];
    const begun = performance.now();
    for (const machine of [a, b]) machine.launch();
    const [founder, other] = await until('one that founds and one that asks it', async () => {
      const [one, two] = [await hereOf(a), await hereOf(b)];
      if (one?.standing.state === 'member' && two?.standing.state === 'pending') return [a, b] as const;
      return two?.standing.state === 'member' && one?.standing.state === 'pending' ? ([b, a] as const) : null;
    });
    t.diagnostic(`one founded, the other asks it ${seconds(begun)} after both started`);
    const here = await standsAs(other, 'pending');
    await approve(founder, here);
    const member = await standsAs(other, 'member');
    assert.equal(member.standing.cluster.id, (await standsAs(founder, 'member')).standing.cluster.id);

    await step(t, 'one that is removed knows it at once, is let back in by a person, or goes its own way', async () => {
      const remove = (): Promise<unknown> => founder.api(`/nodes/${member.node.id}/remove`, {});
      await remove();
      await standsAs(other, 'revoked');
      assert.match((await founder.get('/nodes')).text, /Removed by/);
      await approve(founder, member);
      await other.stop();
      other.launch();
      await until('it to be back', async () => (await hereOf(other))?.reached);
      await remove();
      await standsAs(other, 'revoked');
      assert.equal(await other.press('/node/own'), 303);
      // the founding itself is over in a second or two
      await until('it begins a cluster of its own', async () => {
        const standing = (await hereOf(other))?.standing;
        if (standing?.state === 'member') return standing.cluster.id !== member.standing.cluster.id;
        return standing?.state === 'founding';
      });
    });
  });

  test('two clusters with a history stay apart when they meet, and say so', async (t) => {
    const house = await openHouse(t, {
      machines: [
        { name: 'a', share: true, library: true },
        { name: 'b', share: true, library: true },
      ],
    });
    const { cluster, library } = house;
    const [a, b] = cluster.machines as [Machine, Machine];
    await library.add({ kind: 'hevc', long: false });
    await cluster.network.partition(['a'], ['b']);
    for (const machine of [a, b]) machine.launch();
    for (const machine of [a, b])
      await until(
        `${machine.name} to have a library`,
        async () => (await machine.api<{ items: unknown[] }>('/libraries').catch(() => null))?.items.length === 1,
      );
    await cluster.network.heal();
    const seen = await until('each to see the other', async () => {
      const both = [await hereOf(a), await hereOf(b)].map((here) =>
        here?.surroundings.sightings.find(({ state }) => state === 'other-cluster'),
      );
      return both[0] && both[1] ? both : null;
    });
    for (const sighting of seen) assert.match(sighting!.says, /cluster/);
    const [one, two] = [await standsAs(a, 'member'), await standsAs(b, 'member')];
    assert.notEqual(one.standing.cluster.id, two.standing.cluster.id);
    assert.equal((await nodesOf(a)).length, 1, 'the other one is in its books');
    assert.ok((await a.get('/node')).text.includes(two.standing.cluster.name), 'the page does not name the other cluster');
  });
});

interface Status {
  jobs: Record<'waiting' | 'running' | 'failed' | 'finished', number>;
}

interface Run {
  id: number;
  state: string;
  term: number;
}

interface NodeRow {
  id: string;
  name: string;
  standing: string;
  code: string | null;
}

interface House {
  cluster: Cluster;
  library: Library;
  /** of the books */
  ask<T>(sql: string): Promise<T[]>;
  scan(): Promise<void>;
  /** who coordinates, and who could instead */
  leader(): Promise<{ name: string; term: number; other: string }>;
  /** an attempt that this machine runs now, of a film that takes a while */
  workOf(name: string): Promise<number>;
  /** a further film, finished */
  finishOne(): Promise<void>;
  /** nobody else is given work; null: everybody is */
  only(name: string | null): Promise<void>;
  /** waits for a later term on another machine and its first job, and says how long both took */
  failover(t: TestContext, after: string, term: number, begun: number): Promise<void>;
  rest(): Promise<void>;
  proveFilms(): Promise<void>;
}

async function openHouse(t: TestContext, options: ClusterOptions): Promise<House> {
  const env = { CODECSHIFT_AT_ONCE: '1', CODECSHIFT_LEASE: '10', ...options.env };
  const cluster = await createCluster(t, { ...options, env });
  t.after(() => {
    if (!t.passed) for (const machine of cluster.machines) t.diagnostic(`${machine.name} said at last:\n${machine.output().slice(-2500)}`);
  });
  const library = createLibrary(cluster.share.path, join(cluster.base, 'pristine'), seeded(1));
  /** a machine that stood still finds its question given up */
  const ask = <T>(sql: string): Promise<T[]> => until('an answer of the database', () => cluster.database!.ask<T>(sql).catch(() => null));

  const scan = async (): Promise<void> => {
    await until('a machine that starts a scan', async () => {
      for (const machine of cluster.machines.filter(({ running, frozen }) => running && !frozen))
        if (await works(machine.api('/scan', {}))) return true;
      return false;
    });
  };
  /** a machine from which the cluster can be asked now, and what it shows */
  const anyone = (): Promise<{ machine: Machine; nodes: NodeRow[] }> =>
    until('a machine that shows the cluster', async () => {
      for (const machine of cluster.machines.filter(({ running, frozen }) => running && !frozen)) {
        const nodes = await nodesOf(machine).catch(() => null);
        if (nodes) return { machine, nodes };
      }
      return null;
    });
  const only = async (name: string | null): Promise<void> => {
    for (const node of (await anyone()).nodes)
      await until(`${node.name} to hear of it`, async () =>
        works((await anyone()).machine.api(`/nodes/${node.id}/${name === null || node.name === name ? 'undrain' : 'drain'}`, {})),
      );
  };
  const leader = async (): Promise<{ name: string; term: number } | null> => {
    const [row] = await ask<{ name: string; term: number }>(
      `select n.name, c.term from coordinator c join nodes n on n.id = c.holder where c.lease_until > clock_timestamp()`,
    );
    return row ?? null;
  };
  const waiting = async (): Promise<number> => {
    const [row] = await ask<{ n: number }>(
      `select (select count(*) from jobs where state in ('available', 'running'))::int + (select count(*) from scans where state = 'running')::int as n`,
    );
    return row!.n;
  };

  return {
    cluster,
    library,
    ask,
    scan,
    async leader() {
      const { name, term } = await until('somebody who coordinates', leader);
      return { name, term, other: cluster.candidates.find((one) => one !== name)! };
    },
    async workOf(name) {
      await only(name);
      await library.add(long);
      await scan();
      const [run] = await until(`a running file on ${name}`, async () => {
        const rows = await ask<Run>(
          `select a.* from attempts a join nodes n on n.id = a.node_id where n.name = '${name}' and a.state = 'running' order by a.id`,
        );
        return rows.length > 0 ? rows : null;
      });
      await only(null);
      return run!.id;
    },
    async finishOne() {
      const [before] = await ask<{ n: number }>(`select count(*)::int as n from jobs where state = 'completed'`);
      await library.add(everyday);
      await scan();
      await until('one more finished file', async () => {
        const [now] = await ask<{ n: number }>(`select count(*)::int as n from jobs where state = 'completed'`);
        return now!.n > before!.n;
      });
    },
    only,
    async failover(context, after, term, begun) {
      await until('a later term', async () => ((await leader())?.term ?? 0) > term);
      const elected = Date.now() - begun;
      await library.add(everyday);
      await scan();
      const [first] = await until('the first job of the later term', async () => {
        const rows = await ask<{ at: number }>(
          `select extract(epoch from min(started_at)) * 1000 as at from attempts where term > ${term} having min(started_at) is not null`,
        );
        return rows.length > 0 ? rows : null;
      });
      context.diagnostic(
        `after ${after}: the next term ${(elected / 1000).toFixed(1)} s later, its first job ${((Number(first!.at) - begun) / 1000).toFixed(1)} s later`,
      );
    },
    rest: () => until('the end of all work', async () => (await waiting()) === 0).then(() => undefined),
    async proveFilms() {
      if (!cluster.database)
        await until('the end of all work', async () => {
          const now = await cluster.machines[0]!.api<Status>('/status').catch(() => null);
          return now !== null && now.jobs.waiting === 0 && now.jobs.running === 0;
        });
      const findings: Finding[] = [];
      await checkFilms(cluster.share.path, library.films, findings);
      assert.deepEqual(
        findings.map(({ says }) => says),
        [],
      );
    },
  };
}

/** One step of a story: when it fails there is nothing to tell any more. */
async function step(t: TestContext, name: string, tell: (context: TestContext) => Promise<void>): Promise<void> {
  let problem: unknown;
  await t.test(name, async (context) => {
    try {
      await tell(context);
    } catch (error) {
      problem = error;
      throw error;
    }
  });
  assert.ok(problem === undefined, `the step before failed: ${name}`);
}

/** A machine that stood still for longer than its lease coordinates again a moment later, and says that nothing was done. */
function steady(machine: Machine, path: string, body: unknown): Promise<unknown> {
  return until(`an answer of ${machine.name} to ${path}`, () =>
    machine.api(path, body).then(
      () => true,
      (error: unknown) => {
        if (!String(error).includes('"no-coordinator"')) throw error;
        return false;
      },
    ),
  );
}

async function nodesOf(machine: Machine): Promise<NodeRow[]> {
  return (await machine.api<{ items: NodeRow[] }>('/nodes')).items;
}

async function runsOn(at: Machine, name: string): Promise<number> {
  const nodes = await at.api<{ items: { name: string; running: number[] }[] }>('/nodes');
  return nodes.items.find((node) => node.name === name)?.running.length ?? 0;
}

/** Files that this machine encoded, by the history of the API. */
async function succeededOn(at: Machine, name: string): Promise<number> {
  const { items } = await at.api<{ items: { nodeName: string | null }[] }>('/jobs?state=finished&limit=200');
  return items.filter(({ nodeName }) => nodeName === name).length;
}

function followed(here: Awaited<ReturnType<typeof hereOf>>): string | null {
  return here?.standing.state === 'member' ? (here.standing.coordinator?.name ?? null) : null;
}

function works(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  );
}

function seconds(begun: number): string {
  return `${((performance.now() - begun) / 1000).toFixed(1)} s`;
}
