import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from './database.ts';
import { createNetwork, networkProblem } from './network.ts';
import type { Network } from './network.ts';
import { lineProblem } from './network-lines.ts';
import { until } from './program.ts';

/** The bed itself: what the other tests believe about their network has to be true. */
suite('the bed of network namespaces', { skip: networkProblem() ?? false }, () => {
  test('every machine reaches every other and hears its multicast, and nothing outside', async (t) => {
    const bed = await house(t, ['a', 'b', 'c']);
    assert.deepEqual(await bed.reaches('a'), ['b', 'c']);
    await hearsOnly(bed, 'a', ['a', 'b', 'c']);
    assert.equal(routes(bed.network, 'a').filter((line) => line.startsWith('default')).length, 0);
    const before = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });
    assert.doesNotMatch(before, /lan-\d|lan0|db0/, 'the network of this computer was touched');
  });

  test('a partition cuts groups apart while the link stays up, and healing joins them', async (t) => {
    const bed = await house(t, ['a', 'b', 'c', 'd']);
    await bed.network.partition(['a', 'b'], ['c', 'd']);
    assert.deepEqual(await bed.reaches('a'), ['b']);
    assert.deepEqual(await bed.reaches('c'), ['d']);
    await hearsOnly(bed, 'a', ['a', 'b']);
    await bed.network.cut('b');
    assert.deepEqual(await bed.reaches('a'), []);
    const link = execFileSync('ip', ['-n', bed.network.namespace('b'), '-o', 'link', 'show', 'lan'], { encoding: 'utf8' });
    assert.match(link, /LOWER_UP/, 'the machine was told that its cable is out');
    await bed.network.heal();
    assert.deepEqual(await bed.reaches('a'), ['b', 'c', 'd']);
  });

  test('on the way to the database machines reach the hub and not each other, and it is cut by itself', async (t) => {
    const bed = await house(t, ['db', 'a', 'b', 'c'], { hub: 'db', machines: ['a', 'b'] });
    assert.deepEqual(await bed.reaches('a', 'db'), ['db']);
    assert.deepEqual(await bed.reaches('c', 'db'), [], 'a machine without that cable reaches it');
    await bed.network.cut('a', 'db');
    assert.deepEqual(await bed.reaches('a', 'db'), []);
    assert.deepEqual(await bed.reaches('b', 'db'), ['db']);
    assert.deepEqual(await bed.reaches('a'), ['db', 'b', 'c'], 'the other network suffers');
    await bed.network.heal('db');
    assert.deepEqual(await bed.reaches('a', 'db'), ['db']);
  });

  test('a bad line delays and loses, and a good one again is not', { skip: lineProblem() ?? false }, async (t) => {
    const bed = await house(t, ['a', 'b']);
    await bed.network.netem('a', { delayMs: 60 });
    const slow = await bed.reach('a', bed.network.address('b'));
    assert.ok(slow !== null && slow >= 120, `one way 60 ms in both directions, and a round trip took ${slow} ms`);
    await bed.network.netem('a', { lossPercent: 100 });
    assert.equal(await bed.reach('a', bed.network.address('b')), null);
    await bed.network.netem('a', { delayMs: 5 });
    await bed.network.cut('a');
    assert.equal(await bed.reach('a', bed.network.address('b')), null, 'a bad line is cut like any other');
    await bed.network.heal();
    assert.deepEqual(await bed.reaches('a'), ['b']);
    await hearsOnly(bed, 'b', ['a', 'b']);
    await bed.network.clear('a');
    assert.deepEqual(await bed.reaches('a'), ['b']);
  });

  test('what runs on a machine may have mounts of its own, and ends with the bed', async (t) => {
    const [shown, hidden] = [temporaryDirectory(t), temporaryDirectory(t)];
    mkdirSync(join(shown, 'film'));
    const network = await createNetwork(t, { machines: ['a', 'b'] });
    const look = async (machine: string, mounts: string[]): Promise<string> => {
      const child = network.spawn(machine, ['ls', hidden], { mounts });
      const text: Buffer[] = await child.stdout!.toArray();
      return Buffer.concat(text).toString().trim();
    };
    assert.equal(await look('a', [`mount --bind ${shown} ${hidden}`]), 'film');
    assert.equal(await look('b', []), '');
    assert.deepEqual(readdirSync(hidden), [], 'the mount reached this process');
    const child = network.spawn('a', ['sh', '-c', 'sleep 100 & sleep 100']);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const name = network.namespace('a');
    network.close();
    await ended;
    assert.ok(!existsSync(`/run/netns/${name}`));
  });

  test('what a run that died left behind is removed by the next one', async (t) => {
    const name = `codecshift-${deadProcess()}-1-a`;
    execFileSync('ip', ['netns', 'add', name]);
    await createNetwork(t, { machines: ['a'] });
    assert.ok(!existsSync(`/run/netns/${name}`));
  });
});

interface House {
  network: Network;
  /** the machines that answer this one */
  reaches(from: string, where?: 'lan' | 'db'): Promise<string[]>;
  /** milliseconds, or null */
  reach(from: string, address: string): Promise<number | null>;
  /** whose multicast arrives here, listened to anew; not before those are heard that should be */
  hears(machine: string, expected: string[]): Promise<string[]>;
}

async function house(t: TestContext, machines: string[], database?: { hub: string; machines: string[] }): Promise<House> {
  const network = await createNetwork(t, { machines, ...(database ? { database } : {}) });
  const echo = join(import.meta.dirname, 'network-echo.ts');
  const lines = new Map<string, string[]>();
  const programs = new Map<string, ChildProcess>();
  for (const machine of machines) {
    const said: string[] = [];
    const child = network.spawn(machine, [process.execPath, echo, machine, network.address(machine)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdout!.on('data', (chunk: Buffer) => said.push(...chunk.toString().trim().split('\n')));
    lines.set(machine, said);
    programs.set(machine, child);
  }
  for (const said of lines.values()) await until('an echo that is ready', () => said.includes('ready'));
  const reach = async (from: string, address: string): Promise<number | null> => {
    const said = lines.get(from)!;
    said.length = 0;
    programs.get(from)!.stdin!.write(`reach ${address}\n`);
    const line = await until('an answer or none', () => said.find((one) => one.startsWith(`reached ${address}`)));
    return line.endsWith(' no') ? null : Number(line.split(' ')[2]);
  };
  return {
    network,
    reach,
    async reaches(from, where = 'lan') {
      const there = where === 'lan' ? machines : [database!.hub, ...database!.machines];
      const found: string[] = [];
      for (const to of there.filter((machine) => machine !== from))
        if ((await reach(from, network.address(to, where))) !== null) found.push(to);
      return found;
    },
    async hears(machine, expected) {
      const said = lines.get(machine)!;
      said.length = 0;
      await until(`${expected.join(', ')} to be heard`, () => expected.every((one) => said.includes(`heard ${one}`)));
      // its own voice comes back every 50 ms: after twenty of them every other was heard as often
      await until('twenty shouts', () => said.filter((line) => line === `heard ${machine}`).length >= 20);
      return [...new Set(said.filter((line) => line.startsWith('heard ')).map((line) => line.slice('heard '.length)))].toSorted();
    },
  };
}

async function hearsOnly(bed: House, machine: string, expected: string[]): Promise<void> {
  assert.deepEqual(await bed.hears(machine, expected), expected);
}

function routes(network: Network, machine: string): string[] {
  return execFileSync('ip', ['-n', network.namespace(machine), 'route'], { encoding: 'utf8' }).split('\n');
}

function deadProcess(): number {
  return Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
}
