import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Finding } from '../../../scripts/chaos/findings.ts';
import { createLibrary } from '../../../scripts/chaos/library.ts';
import { brokenLaws } from '../../../scripts/chaos/oracle-books.ts';
import { checkFilms } from '../../../scripts/chaos/oracle-films.ts';
import { seeded } from '../../../scripts/chaos/random.ts';
import { listBackups } from '../../db/backup-folder.ts';
import type { Standing } from '../../core/standing.ts';
import { openBooks } from '../books.ts';
import { emptyUrl, havePostgres, temporaryDirectory } from '../database.ts';
import { freePorts } from '../free-ports.ts';
import { makeNextVersion } from '../next-version.ts';
import { startProgram, until } from '../program.ts';
import type { Program } from '../program.ts';

/**
 * Three machines are upgraded one after the other while they work: `a` coordinates and keeps the films, `b` could
 * coordinate instead, `c` encodes and has no database. One is stopped, one is killed; at one moment nobody coordinates and
 * an encode ends just then. CODECSHIFT_UPGRADE_ORDER=coordinator-first takes the other order.
 */
const skip = havePostgres() ? false : 'the machines share an external PostgreSQL, which this machine does not have';
const order = process.env['CODECSHIFT_UPGRADE_ORDER'] ?? 'worker-first';
const everyday = { kind: 'film', long: false } as const;
const long = { kind: 'film', long: true } as const;
type Name = 'a' | 'b' | 'c';

suite('a rolling upgrade of three machines', { skip }, () => {
  test(`loses no work: ${order}`, { timeout: 900_000 }, async (t) => {
    const house = await openHouse(t);
    const { library } = house;
    await house.start('a');
    await library.add(long);
    await library.add(everyday);
    await house.start('b');
    await house.start('c');
    await house.onlyWorker('c');
    await house.working('c');

    if (order === 'worker-first') {
      await house.upgrade('c', 'stop');
      assert.match(await house.page('a', '/nodes'), /The coordinator runs 0\.1\.0, which is older/);
      await house.working('c');
      await house.upgrade('b', 'kill');
      await house.steppedBack('a');
      assert.match(await house.page('b', '/nodes'), /Older than the coordinator, which runs 0\.2\.0\. .*cannot stand in as coordinator/);
      await house.endsWhileNobodyCoordinates('b');
      await house.upgrade('a', 'stop');
    } else {
      await house.upgrade('a', 'stop');
      await house.steppedBack('b');
      await house.endsWhileNobodyCoordinates('a');
      await house.upgrade('b', 'kill');
      await house.working('c');
      await house.upgrade('c', 'stop');
    }

    await library.add(everyday);
    await house.known();
    await house.books.quiet(300_000);
    await house.prove();
  });
});

interface House {
  library: ReturnType<typeof createLibrary>;
  books: ReturnType<typeof openBooks>;
  program(name: Name): Program;
  start(name: Name): Promise<void>;
  /** ends its program and starts the next version's on the same data directory */
  upgrade(name: Name, how: 'stop' | 'kill'): Promise<void>;
  onlyWorker(name: Name): Promise<void>;
  /** resolves when it encodes a film that takes a while */
  working(name: Name): Promise<void>;
  /** resolves when a scan has found every film */
  known(): Promise<void>;
  page(name: Name, path: string): Promise<string>;
  /** resolves when it says on its page and its console that it coordinates no more, and why */
  steppedBack(name: Name): Promise<void>;
  /** an encode of `c` ends while the coordinator was killed and nobody else may lead; its report is taken afterwards */
  endsWhileNobodyCoordinates(leader: Name): Promise<void>;
  prove(): Promise<void>;
}

async function openHouse(t: TestContext): Promise<House> {
  const [films, base] = [temporaryDirectory(t), temporaryDirectory(t)];
  const next = makeNextVersion(temporaryDirectory(t), { version: '0.2.0', speaks: { min: 1, max: 2 } });
  const url = await emptyUrl(t);
  const books = openBooks(url);
  t.after(() => books.close());
  const library = createLibrary(films, join(base, 'pristine'), seeded(7));
  const ports = await freePorts(9);
  const port = { a: ports, b: ports + 3, c: ports + 6 };
  const running = new Map<Name, Program>();
  const said = new Map<Name, string>();
  const upgraded = new Set<Name>();
  const begun = performance.now();
  t.after(async () => {
    for (const [name, program] of running) {
      if (!t.passed) t.diagnostic(`${name} said at last:\n${(said.get(name) ?? '') + program.output().slice(-4000)}`);
      await program.kill();
    }
  });
  const dataOf = (name: Name): string => join(base, `machine-${name}`);
  const program = (name: Name): Program => running.get(name)!;
  const tell = (what: string): void => t.diagnostic(`${what} after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  const ask = async <T>(sql: string): Promise<T> => (await books.query<T>(sql))[0]!;

  async function start(name: Name): Promise<void> {
    const shared = { DATABASE_URL: url, CODECSHIFT_AT_ONCE: '1', CODECSHIFT_SPEED: 'slow', CODECSHIFT_LEASE: '30' };
    const others = (['a', 'b'] as const).filter((one) => one !== name).flatMap((one) => ['--peer', `127.0.0.1:${port[one]}`]);
    const token = name === 'c' && !upgraded.has(name) ? (await program('a').api<{ token: string }>('/nodes/tokens', {})).token : null;
    const made = await startProgram({
      dataDir: dataOf(name),
      libraries: name === 'a' ? [films] : [],
      args: ['--name', name, '--mesh-port', String(port[name]), ...others, ...(token ? ['--join', token] : [])],
      env: name === 'c' ? { CODECSHIFT_CLUSTER: 'join' } : shared,
      ...(upgraded.has(name) ? { entry: next.entry } : {}),
    });
    running.set(name, made);
    await until(`${name} to be a member that reaches the coordinator`, async () => (await hereOf(name)).reached);
    tell(`${name} is there`);
  }

  const timesLed = (name: Name): number => program(name).output().split('this node coordinates"').length - 1;

  async function hereOf(name: Name): Promise<{ standing: Standing; reached: boolean }> {
    return (await (await program(name).request('/api/v1/node')).json()) as { standing: Standing; reached: boolean };
  }

  const page = (name: Name, path: string): Promise<string> => program(name).page(path);

  async function end(name: Name, how: 'stop' | 'kill'): Promise<void> {
    const ended = await program(name)[how]();
    assert.deepEqual([ended.code, ended.signal], how === 'stop' ? [0, null] : [null, 'SIGKILL'], ended.output);
    said.set(name, ended.output.slice(-3000));
    tell(`${name} is gone (${how})`);
  }

  const isRunningOn = (name: Name): string =>
    `select a.id from attempts a join nodes n on n.id = a.node_id where n.name = '${name}' and a.state = 'running' order by a.id`;

  /** A machine that is fast may have finished before anybody looked: then it gets another film. */
  async function working(name: Name): Promise<void> {
    await until(`${name} to encode`, async () => {
      if ((await books.query(isRunningOn(name))).length > 0) return isEncoding();
      if ((await books.query(`select 1 from jobs where state in ('available', 'running')`)).length > 0) return false;
      await library.add(long);
      return known().then(() => false);
    });
    tell(`${name} encodes`);
  }

  /** A scan that began before a film was there does not find it; one whose line to the keeper breaks has failed, and is wished again. */
  async function known(): Promise<void> {
    await until(
      'the new film to be known',
      async () =>
        (await books.files()).length === library.films.length ||
        (await program('a')
          .api('/scan', {})
          .catch(() => null),
        false),
    );
  }

  /** the only film that runs is past its fetching, by whoever shows it first */
  async function isEncoding(): Promise<boolean> {
    const ask = async (one: Program): Promise<boolean> => {
      const { running: now } = await one.api<{ running: { progress: { phase: string } | null }[] }>('/status');
      return now.some(({ progress }) => progress?.phase === 'encoding');
    };
    return (await Promise.all([...running.values()].map((one) => ask(one).catch(() => false)))).includes(true);
  }

  return {
    library,
    books,
    program,
    start,
    working,
    known,
    page,
    async upgrade(name, how) {
      await end(name, how);
      upgraded.add(name);
      await start(name);
      const { items } = await program(name).api<{ items: { name: string; version: string }[] }>('/nodes');
      await until(
        `${name} to be known with its new version`,
        async () => (await books.query(`select 1 from nodes where name = '${name}' and version = '${next.version}'`)).length === 1,
      );
      assert.equal(items.length, 3);
      tell(`${name} is upgraded`);
    },
    async onlyWorker(name) {
      const nodes = await until('the three machines to be known', async () => {
        const { items } = await program('a').api<{ items: { id: string; name: string }[] }>('/nodes');
        return items.length === 3 ? items : null;
      });
      for (const node of nodes) if (node.name !== name) await program('a').api(`/nodes/${node.id}/drain`, {});
    },
    async steppedBack(name) {
      const { standing } = await until(`${name} to step back`, async () => {
        const here = await hereOf(name);
        return here.standing.state === 'member' && here.standing.version ? here : null;
      });
      assert.ok(standing.state === 'member' && standing.version);
      assert.equal(standing.version.state, 'stepped-back');
      assert.match(
        standing.version.says,
        /brought up to date by CodecShift 0\.2\.0 .*this machine still runs 0\.1\.0\. Upgrade this machine\./,
      );
      assert.match(await page(name, '/node'), /this machine still runs 0\.1\.0\. Upgrade this machine\./);
      assert.match(program(name).output(), /this machine still runs 0\.1\.0/);
      tell(`${name} has stepped back`);
    },
    async endsWhileNobodyCoordinates(leader) {
      const outbox = join(dataOf('c'), 'outbox');
      const id = await until('the coordinator to die in the middle of an encode', async () => {
        await working('c');
        const [now] = await books.query<{ id: number }>(isRunningOn('c'));
        if (!now || readdirSync(outbox).length > 0) return null;
        await end(leader, 'kill');
        // one that ended while it was looked at, or while the kill came, is none whose report nobody took
        const { state } = await ask<{ state: string }>(`select state from attempts where id = ${now.id}`);
        if (state === 'running') return now.id;
        await start(leader);
        return null;
      });
      await until('the encode to end and its report to wait', () => readdirSync(outbox).some((file) => file.endsWith('.json')));
      await until(
        'the lease to run out',
        async () => (await ask<{ over: boolean }>(`select lease_until < clock_timestamp() as over from coordinator`)).over,
      );
      const before = await ask<{ term: number; state: string }>(
        `select (select term from coordinator), state from attempts where id = ${id}`,
      );
      const older = leader === 'a' ? 'b' : 'a';
      const ledBefore = timesLed(older);
      assert.equal(before.state, 'running', 'nobody could take the report');
      tell('an encode has ended, and nobody coordinates');
      await start(leader);
      await until('the report to be taken', () => readdirSync(outbox).length === 0);
      const after = await ask<{ term: number; holder: string; sha256: string | null }>(
        `select c.term, n.name as holder, a.sha256 from attempts a, coordinator c join nodes n on n.id = c.holder where a.id = ${id}`,
      );
      // a machine that stood still for longer than its lease takes it again with a further term: who has it is what counts
      assert.ok(after.term > before.term);
      assert.deepEqual([after.holder, timesLed(older)], [leader, ledBefore], 'an older machine took the lead of a newer database');
      assert.ok(after.sha256, 'the finished encode was thrown away');
      await until(
        'that film to be replaced',
        async () => (await ask<{ state: string }>(`select state from attempts where id = ${id}`)).state === 'succeeded',
      );
      tell('its report was taken and the film is replaced');
    },
    prove,
  };

  async function prove(): Promise<void> {
    const found: Finding[] = [];
    const became = await checkFilms(films, library.films, found);
    assert.deepEqual([...found.map(({ says }) => says), ...(await brokenLaws(books))], []);
    assert.deepEqual(
      became.filter(({ how }) => how !== 'converted'),
      [],
      'a film is still as it was',
    );
    assert.deepEqual(
      await books.query(`select id, state from attempts where sha256 is not null and state <> 'succeeded'`),
      [],
      'a finished encode was thrown away',
    );
    assert.deepEqual(
      await books.query(`select name, version from nodes order by name`),
      [...'abc'].map((name) => ({ name, version: next.version })),
    );
    assert.deepEqual(await ask(`select max(version) as schema, max(program) as program from schema_migrations`), {
      schema: next.schema,
      program: next.version,
    });
    assert.deepEqual(await ask(`select count(*)::int as n from nodes where favourite`), { n: 1 }, 'the migration changed rows in its term');
    for (const name of ['a', 'b', 'c'] as const) {
      const text = await until(`${name} to show three machines of the new version`, async () => {
        const shown = await page(name, '/nodes');
        return [...shown.matchAll(/>0\.2\.0</g)].length === 3 ? shown : null;
      });
      assert.doesNotMatch(text, /Older than the coordinator|which is older/);
    }
    const backups = (await Promise.all((['a', 'b'] as const).map((name) => listBackups(join(dataOf(name), 'backups'))))).flat();
    assert.deepEqual(
      backups.map(({ label }) => label),
      [`before-upgrade-from-${next.schema - 1}`],
      'one backup, made by the one that upgraded',
    );
    tell('everything is proved');
  }
}
