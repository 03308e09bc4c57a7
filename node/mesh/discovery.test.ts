import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import path from 'node:path';
import type { Surroundings } from '../core/standing.ts';
import { cluster, machines, memoryMembership, startMesh, until, type Cluster, type Machine } from '../testing/mesh-nodes.ts';
import type { MachineOrders } from '../testing/mesh-machine.ts';
import { createNetwork, networkProblem } from '../testing/network.ts';
import { readResponse } from './lan-mdns.ts';
import { MESH_TAG } from './discovery.ts';

interface Said {
  event: string;
  node?: string;
  from?: string;
  listening?: string[];
  connected?: string[];
  around?: Surroundings;
}

const program = [process.execPath, path.join(import.meta.dirname, '..', 'testing', 'mesh-machine.ts')];

function orders(house: Cluster, who: Machine, all: Machine[], more: Partial<MachineOrders> = {}): NodeJS.ProcessEnv {
  const { cluster: id, publicKey } = house.key;
  const told: MachineOrders = {
    key: Buffer.from(who.key).toString('base64'),
    name: who.name,
    cluster: { cluster: id, publicKey },
    list: house.list(1, ...all),
    discovery: 'off',
    port: 0,
    peers: [],
    ...more,
  };
  return { ...process.env, MESH_MACHINE: JSON.stringify(told) };
}

function listen(t: TestContext, child: ChildProcess): Said[] {
  const said: Said[] = [];
  t.after(() => void child.kill('SIGKILL'));
  createInterface({ input: child.stdout! }).on('line', (line) => said.push(JSON.parse(line) as Said));
  return said;
}

test('machines on a network without any way out find each other with nothing configured, and say that multicast works', async (t) => {
  const problem = networkProblem();
  if (problem !== null) return t.skip(problem);
  const house = cluster();
  const all = machines('a', 'b', 'c');
  const bed = await createNetwork(t, { machines: ['a', 'b', 'c'] });
  const children = all.map((who, i) =>
    bed.spawn(['a', 'b', 'c'][i]!, program, { env: orders(house, who, all, { discovery: 'lan' }), stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const said = children.map((child) => listen(t, child));
  await until(
    'everybody has met everybody',
    () => said.every((lines) => lines.filter(({ event }) => event === 'met').length >= 2),
    240_000,
  );
  await until('a hint reaches the others', () => {
    children[0]!.stdin!.write('?\n');
    return said.slice(1).every((lines) => lines.some(({ event, from }) => event === 'heard' && from === all[0]!.id));
  });
  // A third machine may have told of it first; that it is heard by itself too shows that multicast arrives from each.
  const last = (): Said | undefined => said[0]!.findLast(({ event }) => event === 'around');
  await until(
    'each of the others is heard by multicast',
    () => {
      children[0]!.stdin!.write('?\n');
      return last()?.around?.sightings.filter(({ by }) => by === 'mdns').length === 2;
    },
    240_000,
  );
  const { around, connected } = last()!;
  assert.equal(connected!.length, 2);
  assert.ok(around!.interfaces.length > 0);
  assert.deepEqual(
    around!.interfaces.map(({ multicast, problem: why }) => [multicast, why]),
    around!.interfaces.map(() => ['ok', null]),
  );
  assert.deepEqual(
    around!.sightings.map(({ name, state }) => [name, state]),
    [
      ['b', 'connected'],
      ['c', 'connected'],
    ],
  );
});

test('two machines with the data folder of one are told so, each with the address of the other', async (t) => {
  const problem = networkProblem();
  if (problem !== null) return t.skip(problem);
  const house = cluster();
  const [a] = machines('a') as [Machine];
  const bed = await createNetwork(t, { machines: ['one', 'copy'] });
  const children = ['one', 'copy'].map((name) =>
    bed.spawn(name, program, { env: orders(house, a, [a], { discovery: 'lan' }), stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const said = children.map((child) => listen(t, child));
  const around = (i: number): Surroundings | undefined => said[i]!.findLast(({ event }) => event === 'around')?.around;
  await until(
    'both have noticed',
    () => {
      for (const child of children) child.stdin!.write('?\n');
      return [0, 1].every((i) => around(i)?.sightings.some(({ state }) => state === 'twin'));
    },
    240_000,
  );
  for (const i of [0, 1]) {
    const [twin] = around(i)!.sightings;
    assert.deepEqual([twin!.node, twin!.name, twin!.by], [a.id, 'a', 'mdns']);
    assert.match(twin!.says, /^Another machine runs with the identity of a: its data folder was copied there/);
    const others = around(1 - i)!.listening.flatMap(({ addresses }) => addresses);
    assert.ok(twin!.addresses.length > 0 && twin!.addresses.every((address) => others.includes(address)), JSON.stringify(twin));
  }
});

test('a machine that is killed is noticed at once and met again when it comes back', async (t) => {
  const house = cluster();
  const all = machines('a', 'b') as [Machine, Machine];
  const mesh = await startMesh(t, all[0], memoryMembership(house, house.list(1, ...all)));
  const start = (): { child: ChildProcess; said: Said[] } => {
    const door = `127.0.0.1:${mesh
      .surroundings()
      .listening[0]!.addresses.find((one) => !one.startsWith('['))!
      .split(':')
      .at(-1)}`;
    const child = spawn(program[0]!, program.slice(1), {
      env: orders(house, all[1], all, { peers: [door] }),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return { child, said: listen(t, child) };
  };
  const first = start();
  await until('it is met', () => mesh.connected().includes(all[1].id), 240_000);
  const lost = new Promise<string>((resolve) => mesh.onLost(resolve));
  first.child.kill('SIGKILL');
  assert.equal(await lost, all[1].id);
  const second = start();
  await until('it is met again', () => second.said.some(({ event }) => event === 'met') && mesh.connected().includes(all[1].id), 240_000);
});

test('an answer is read only when it names a node and its own addresses', () => {
  const text = (data: string | Buffer) => ({ type: 'TXT' as const, name: `x.${MESH_TAG}`, data });
  const id = '12D3KooWGRUbvuHxqHhdNsmZ6bGzyWvKhYtMZpDUtUhNSbAsqqRG';
  const read = (...answers: object[]) => readResponse({ type: 'response', answers } as never, MESH_TAG);
  assert.deepEqual(
    read(text(Buffer.from(`dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/${id}`)), text('dnsaddr=/ip4/10.0.0.9/tcp/1/p2p/12D3KooWsomebodyelse')),
    {
      node: id,
      addresses: [`/ip4/10.0.0.1/tcp/1/p2p/${id}`],
    },
  );
  assert.equal(read(text('dnsaddr=/ip4/10.0.0.1/tcp/1')), null);
  assert.equal(read({ type: 'TXT', name: 'x._other._udp.local', data: `dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/${id}` }), null);
  assert.equal(read(text('x'.repeat(5000))), null);
  assert.equal(read(), null);
});
