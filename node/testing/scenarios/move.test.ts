import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { Standing } from '../../core/standing.ts';
import { openBooks } from '../books.ts';
import { decodesCleanly } from '../compare.ts';
import { emptyUrl, havePostgres, temporaryDirectory } from '../database.ts';
import { encoderOf } from '../encoder-of.ts';
import { freePorts } from '../free-ports.ts';
import { makeLibrary } from '../media.ts';
import { idle, startProgram, until, type Program } from '../program.ts';
import { unlessAll } from '../thorough.ts';
import { repository } from '../tools.ts';

/**
 * The database is moved while other machines have it too: `a` keeps the films, `b` could coordinate instead, `c` encodes and has
 * no database. Whatever is killed or wakes up, only one of the two databases is led.
 */
const skip = unlessAll || (havePostgres() ? false : 'the machines share an external PostgreSQL, which this machine does not have');
type Name = 'a' | 'b' | 'c';

suite('a house of several machines', { skip }, () => {
  test('is taken home by one of them, which is killed in the middle; the one that led wakes up and does not lead', async (t) => {
    const [folder, url] = [temporaryDirectory(t), await emptyUrl(t)];
    const house = await openHouse(t);
    const books = openBooks(url);
    t.after(() => books.close());
    const a = await house.start('a', { libraries: [folder], env: { DATABASE_URL: url } });
    await house.start('b', { env: { DATABASE_URL: url } });
    const token = await house.token();
    const c = await house.start('c', { args: ['--join', token], env: { CODECSHIFT_CLUSTER: 'join' } });
    const nodes = await until('the three machines to be known', async () => {
      const { items } = await a.api<{ items: { id: string; name: string }[] }>('/nodes');
      return items.length === 3 ? items : null;
    });
    for (const { id, name } of nodes) if (name !== 'c') await a.api(`/nodes/${id}/drain`, {});
    const [film] = await makeLibrary(folder, ['film']);
    await a.api('/scan', {});
    const encoder = await until('c to encode', () => encoderOf(c.pid, house.dataOf('c')));
    process.kill(-encoder, 'SIGSTOP');
    t.after(() => quietly(() => process.kill(-encoder, 'SIGKILL')));

    await house.end('a', 'stop');
    const idOf = (name: Name): string => nodes.find((node) => node.name === name)!.id;
    const lease = async (): Promise<{ holder: string; held: boolean }> =>
      (await books.query<{ holder: string; held: boolean }>('select holder, lease_until > clock_timestamp() as held from coordinator'))[0]!;
    await until('b to lead', async () => (await lease()).holder === idOf('b'));
    await assert.rejects(
      house.database('a', ['move', '--to', 'embedded', '--database-url', url]),
      /CodecShift is running with this database/,
    );

    const b = house.program('b');
    process.kill(b.pid, 'SIGSTOP');
    await until('its lease to run out', async () => !(await lease()).held);
    assert.equal(await killedMove(house.dataOf('a'), url), 'SIGKILL');
    process.kill(b.pid, 'SIGCONT');
    const words =
      /This database was left on 20\d\d-\d\d-\d\d: everything is in the built-in database of attic now\. Start this machine without/;
    await house.steppedBack('b', words);
    assert.equal((await lease()).holder, 'a move', 'nobody leads in the database that was left');

    const home = await house.start('a', { libraries: [folder] });
    assert.equal((await house.standing('a')).hosts, 'embedded');
    process.kill(-encoder, 'SIGCONT');
    const { jobs, replaced } = await idle(home);
    assert.deepEqual([jobs.finished, jobs.failed, replaced], [1, 0, 1]);
    const { items } = await home.api<{ items: { id: number }[] }>('/jobs?state=finished');
    const { attempts } = await home.api<{ attempts: { state: string }[] }>(`/jobs/${items[0]!.id}`);
    assert.deepEqual(
      attempts.map(({ state }) => state),
      ['succeeded'],
      'the encode that ran all the time was thrown away',
    );
    assert.ok(await decodesCleanly(film!.path));

    await house.end('b', 'kill');
    await house.start('b', { env: { DATABASE_URL: url } });
    await house.steppedBack('b', words);
    for (const name of ['b', 'c'] as const)
      await until(`${name} to follow a`, async () => (await house.standing(name)).coordinator?.node === idOf('a'));
    assert.equal((await lease()).holder, 'a move', 'somebody led in the database that was left');
  });

  test('is moved into a database that another machine was given before: that one waits, founds nothing, and comes in', async (t) => {
    const url = await emptyUrl(t);
    const house = await openHouse(t);
    const books = openBooks(url);
    t.after(() => books.close());
    await house.start('a');
    await house.start('b', { args: ['--join', await house.token()], env: { CODECSHIFT_CLUSTER: 'join' } });
    await house.end('b', 'stop');
    const b = await house.start('b', { env: { DATABASE_URL: url } }, false);
    const words = /The database that this machine was given is empty: the books of the cluster "a", to which it belongs, are elsewhere/;
    await until('b to wait', async () => {
      const here = await house.anyStanding('b');
      return here.state === 'asking' && words.test(here.problem ?? '');
    });
    await until('its page', async () =>
      words.test((await (await b.request('/node', { headers: { accept: 'text/html' } })).text()).replaceAll('&quot;', '"')),
    );
    await until('its console', () => words.test(b.output().replaceAll('\\"', '"')));

    await house.end('a', 'stop');
    await house.database('a', ['move', '--to', url]);
    await house.start('a');
    for (const name of ['a', 'b'] as const)
      await until(`${name} to have the external database`, async () => {
        const here = await house.anyStanding(name);
        return here.state === 'member' && here.hosts === 'postgres' && here.coordinator !== null;
      });
    assert.deepEqual(await books.query('select name from nodes order by name'), [{ name: 'a' }, { name: 'b' }]);
    await until('both to be candidates', async () => (await books.query('select 1 from candidates')).length === 2);
  });
});

type MemberStanding = Extract<Standing, { state: 'member' }>;

interface House {
  start(name: Name, more?: { libraries?: string[]; args?: string[]; env?: Record<string, string> }, comesIn?: boolean): Promise<Program>;
  end(name: Name, how: 'stop' | 'kill'): Promise<void>;
  program(name: Name): Program;
  dataOf(name: Name): string;
  /** for one more machine, from `a` */
  token(): Promise<string>;
  /** `codecshift database …` on a machine that is stopped */
  database(name: Name, words: string[]): Promise<void>;
  standing(name: Name): Promise<MemberStanding>;
  anyStanding(name: Name): Promise<Standing>;
  /** resolves when it says on its page and its console that it coordinates no more, and why */
  steppedBack(name: Name, words: RegExp): Promise<void>;
}

async function openHouse(t: TestContext): Promise<House> {
  const base = temporaryDirectory(t);
  const ports = await freePorts(9);
  const portOf = (name: Name): number => ports + 3 * ['a', 'b', 'c'].indexOf(name);
  const running = new Map<Name, Program>();
  t.after(async () => {
    for (const [name, program] of running) {
      if (!t.passed) t.diagnostic(`${name} said at last:\n${program.output().slice(-4000)}`);
      quietly(() => process.kill(program.pid, 'SIGCONT'));
      await program.kill();
    }
  });
  const dataOf = (name: Name): string => join(base, `machine-${name}`);
  const program = (name: Name): Program => running.get(name)!;

  async function anyStanding(name: Name): Promise<Standing> {
    return ((await (await program(name).request('/api/v1/node')).json()) as { standing: Standing }).standing;
  }

  function standing(name: Name): Promise<MemberStanding> {
    return until(`${name} to be a member`, async () => {
      const here = await anyStanding(name);
      return here.state === 'member' ? here : null;
    });
  }

  return {
    async start(name, { libraries = [], args = [], env = {} } = {}, comesIn = true) {
      const others = (['a', 'b'] as const).filter((one) => one !== name).flatMap((one) => ['--peer', `127.0.0.1:${portOf(one)}`]);
      const made = await startProgram({
        dataDir: dataOf(name),
        libraries,
        args: ['--name', name, '--mesh-port', String(portOf(name)), ...others, ...args],
        // a job outlives whatever a busy machine makes of a restart
        env: { CODECSHIFT_AT_ONCE: '1', CODECSHIFT_SPEED: 'slow', CODECSHIFT_LEASE: '600', ...env },
      });
      running.set(name, made);
      if (comesIn) await until(`${name} to know who coordinates`, async () => (await standing(name)).coordinator);
      return made;
    },
    async end(name, how) {
      const { output, code, signal } = await program(name)[how]();
      running.delete(name);
      assert.deepEqual([code, signal], how === 'stop' ? [0, null] : [null, 'SIGKILL'], output);
    },
    program,
    dataOf,
    token: async () => (await program('a').api<{ token: string }>('/nodes/tokens', {})).token,
    async database(name, words) {
      const way = [join(repository, 'scripts', 'node.cjs'), join(repository, 'node', 'main.ts'), 'database'];
      await promisify(execFile)(process.execPath, [...way, ...words, '--yes', '--name', name, '--data-dir', dataOf(name)]);
    },
    standing,
    anyStanding,
    async steppedBack(name, words) {
      const { version, hosts } = await until(`${name} to step back`, async () => {
        const here = await standing(name);
        return here.version ? here : null;
      });
      assert.deepEqual([version?.state, hosts], ['stepped-back', null]);
      assert.match(version!.says, words);
      await until('its console', () => words.test(program(name).output()));
      // while it looks for its coordinator the page says that
      await until('its page', async () =>
        words.test(await (await program(name).request('/node', { headers: { accept: 'text/html' } })).text()),
      );
    },
  };
}

/** Killed right after the external database was left, before anything was exchanged here. */
function killedMove(dataDir: string, url: string): Promise<string | null> {
  const entry = join(import.meta.dirname, '..', 'faulty-database.ts');
  const child = spawn(process.execPath, [entry, 'move', dataDir, url, 'embedded'], {
    env: { ...process.env, CODECSHIFT_TEST_CRASH_AT: 'move:left' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (_, signal) => resolve(signal));
  });
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // it has ended
  }
}
