import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createAnnounced } from './lobby-announced.ts';
import { createNeighbours } from './neighbours.ts';
import type { Heard, Statement } from './neighbours.ts';

const said = (node: string, tick = 1, some: Partial<Statement> = {}): Statement => ({
  node,
  name: node,
  version: '1',
  addresses: [],
  cluster: null,
  lookingMs: 0,
  founding: false,
  session: 'first start',
  tick,
  ...some,
});
const came: Heard = { address: null, peer: null, told: false };
const answered: Heard = { address: '10.0.0.1:8267', peer: null, told: false };

suite('neighbours', () => {
  test('are gone when nothing was heard of them for half a minute', () => {
    let now = 0;
    const table = createNeighbours('me', () => now);
    table.heard(said('a'), answered);
    now = 29_999;
    assert.equal(table.list()[0]!.silentMs, 29_999);
    now = 30_000;
    assert.deepEqual([table.list(), table.get('a')], [[], null]);
  });

  test('are known by their newest word: one that was overtaken on the way changes nothing, a new start does', () => {
    const table = createNeighbours('me');
    table.heard(said('a', 5, { founding: true }), came);
    table.heard(said('a', 4, { founding: false }), came);
    assert.equal(table.get('a')!.founding, true);
    table.heard(said('a', 1, { session: 'second start' }), came);
    assert.equal(table.get('a')!.founding, false);
  });

  test('claim for as long as it is known without a break', () => {
    let now = 0;
    const table = createNeighbours('me', () => now);
    for (const [tick, claims] of [true, true, false, true].entries()) {
      table.heard(said('a', tick, { founding: claims }), came);
      now += 1000;
      assert.equal(table.get('a')!.foundingMs, [1000, 2000, null, 1000][tick]);
    }
  });

  test('know of our claim only as long as it lasts', () => {
    const table = createNeighbours('me');
    table.heard(said('a', 1), { ...answered, told: true });
    assert.equal(table.get('a')!.told, true);
    table.heard(said('a', 2), came);
    assert.equal(table.get('a')!.told, true);
    table.forgetTold();
    assert.equal(table.get('a')!.told, false);
  });

  test('are never this machine itself', () => {
    const table = createNeighbours('me');
    table.heard(said('me'), answered);
    assert.deepEqual(table.list(), []);
  });

  test('are at most a hundred: who only comes makes room for who answers, and that for whom a person named', () => {
    let now = 0;
    const table = createNeighbours('me', () => now++);
    for (let i = 0; i < 150; i++) table.heard(said(`visitor${i}`), came);
    assert.equal(table.list().length, 100);
    for (let i = 0; i < 150; i++) table.heard(said(`lobby${i}`), answered);
    assert.deepEqual(
      table.list().filter(({ node }) => node.startsWith('visitor')),
      [],
    );
    table.heard(said('named'), { ...answered, peer: 'nas:8266' });
    table.heard(said('late visitor'), came);
    assert.deepEqual([table.list().length, table.get('named')!.peers, table.get('late visitor')], [100, ['nas:8266'], null]);
  });
});

suite('announced lobbies', () => {
  const at = ['/ip4/10.0.0.1/tcp/8267/p2p/x'];

  test('are places to look at: numbers only, few for each, a minute long', () => {
    let now = 0;
    const announced = createAnnounced(() => now);
    assert.equal(
      announced.heard('a', ['/dns4/evil.example/tcp/1', '/ip4/1.2.3.4/udp/5/quic', 'x'], () => false),
      false,
    );
    assert.equal(
      announced.heard('a', Array(50).fill(at[0]) as string[], () => false),
      true,
    );
    assert.equal(
      announced.heard('a', at, () => false),
      false,
    );
    assert.deepEqual([announced.nodes(), announced.of('a')], [['a'], at]);
    now = 60_001;
    assert.deepEqual(announced.nodes(), []);
  });

  test('a flood of invented names does not push out those that answer', () => {
    const announced = createAnnounced();
    const keep = (node: string): boolean => node === 'true';
    announced.heard('true', at, keep);
    for (let i = 0; i < 1000; i++) announced.heard(`invented${i}`, at, keep);
    assert.deepEqual([announced.nodes().length, announced.nodes().includes('true')], [100, true]);
  });
});
