import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decideFounding } from '../core/founding.ts';
import type { FoundingDecision } from '../core/founding.ts';
import { aroundOf } from './join-facts.ts';
import { createNeighbours } from './neighbours.ts';
import type { Neighbours, Statement } from './neighbours.ts';

/**
 * Fresh machines that see each other, in simulated time: the real decision and the real table of neighbours, with a
 * network that delays, loses and reorders what the lobbies say, and that may carry looks in one direction only.
 */
interface Fresh {
  id: string;
  startsAt: number;
  foundingTakes: number;
  table: Neighbours;
  claiming: boolean;
  claims: number;
  outcome: 'none' | 'founds' | 'asks';
  hasCluster: boolean;
  ticks: number;
}

/** asker → answerer */
type Reach = (from: number, to: number) => boolean;

const machine = fc.record({ startsAt: fc.integer({ min: 0, max: 9000 }), foundingTakes: fc.integer({ min: 0, max: 20_000 }) });
/** What happens to the looks, one after the other: milliseconds there and back. The second look of a machine is answered before it has listened to the end. */
interface Way {
  there: number;
  back: number;
  lost: 'there' | 'back' | null;
}
const ms = fc.integer({ min: 0, max: 950 });
const lost = fc.constantFrom(null, null, null, 'there' as const, 'back' as const);
const network = fc.array(fc.record({ there: ms, back: ms, lost }), { minLength: 1, maxLength: 40 });

test('two fresh machines that see each other, from both sides or from one, end with exactly one founder', () => {
  fc.assert(
    fc.property(fc.tuple(machine, machine), network, fc.constantFrom('both', 'first', 'second'), (machines, ways, sees) => {
      const reach: Reach = (from) => sees === 'both' || (sees === 'first') === (from === 0);
      const nodes = race(machines, ways, reach);
      assert.deepEqual(nodes.map(({ outcome }) => outcome).toSorted(), ['asks', 'founds']);
    }),
    { numRuns: 400 },
  );
});

test('so do three', () => {
  fc.assert(
    fc.property(fc.tuple(machine, machine, machine), network, (machines, ways) => {
      const nodes = race(machines, ways, () => true);
      assert.deepEqual(nodes.map(({ outcome }) => outcome).toSorted(), ['asks', 'asks', 'founds']);
    }),
    { numRuns: 150 },
  );
});

test('two that are cut off from each other both found, and neither waits for ever', () => {
  fc.assert(
    fc.property(fc.tuple(machine, machine), network, (machines, ways) => {
      assert.deepEqual(
        race(machines, ways, () => false).map(({ outcome }) => outcome),
        ['founds', 'founds'],
      );
    }),
    { numRuns: 30 },
  );
});

test('a machine whose rival vanishes while it founds goes on alone', () => {
  const machines = [
    { startsAt: 0, foundingTakes: 1e9 },
    { startsAt: 2000, foundingTakes: 100 },
  ];
  let now = 0;
  const nodes = race(
    machines,
    [{ there: 10, back: 10, lost: null }],
    () => now < 8000,
    (time) => (now = time),
  );
  assert.deepEqual(
    nodes.map(({ outcome }) => outcome),
    ['founds', 'founds'],
  );
});

function race(
  machines: readonly Pick<Fresh, 'startsAt' | 'foundingTakes'>[],
  ways: readonly Way[],
  reach: Reach,
  onTime: (now: number) => void = () => {},
): Fresh[] {
  let now = 0;
  let sent = 0;
  const lostBefore = new Set<string>();
  const events: { at: number; run: () => void }[] = [];
  const at = (time: number, run: () => void): void => void events.push({ at: time, run });
  const nodes = machines.map((each, i): Fresh => {
    const id = `node${i}`;
    return {
      ...each,
      id,
      table: createNeighbours(id, () => now),
      claiming: false,
      claims: 0,
      outcome: 'none',
      hasCluster: false,
      ticks: 0,
    };
  });

  for (const [i, node] of nodes.entries()) {
    at(node.startsAt, () => {
      decide(node);
      lookAround(i);
    });
  }
  while (events.length > 0 && now < 150_000) {
    const next = events.reduce((a, b) => (b.at < a.at ? b : a));
    events.splice(events.indexOf(next), 1);
    now = next.at;
    onTime(now);
    next.run();
  }
  return nodes;

  function decide(node: Fresh): void {
    if (node.outcome !== 'none') return;
    const decision = decideFounding({
      self: node.id,
      mode: 'auto',
      token: null,
      wanted: null,
      own: false,
      lookedMs: now - node.startsAt,
      silentPeers: 0,
      unanswered: 0,
      around: node.table.list().map(aroundOf),
      asked: null,
      claiming: node.claiming,
    });
    obey(node, decision);
    at(now + 200, () => decide(node));
  }

  function obey(node: Fresh, decision: FoundingDecision): void {
    if (decision.do === 'ask') node.outcome = 'asks';
    const claims = decision.do === 'claim' || decision.do === 'found';
    if (claims !== node.claiming) {
      node.claiming = claims;
      node.claims++;
      node.table.forgetTold();
    }
    if (decision.do !== 'found') return;
    node.outcome = 'founds';
    at(now + node.foundingTakes, () => (node.hasCluster = true));
  }

  function lookAround(i: number): void {
    for (const to of nodes.keys()) if (to !== i && reach(i, to)) look(i, to);
    at(now + 1000, () => lookAround(i));
  }

  function look(from: number, to: number): void {
    const [asker, asked] = [nodes[from]!, nodes[to]!];
    const way = wayOf(`${from}→${to}`);
    if (way.lost === 'there') return;
    const said = say(asker);
    const knows = asker.table.get(asked.id)?.founding ?? false;
    const claim = asker.claiming ? asker.claims : null;
    at(now + way.there, () => {
      if (now < asked.startsAt || !reach(from, to)) return;
      asked.table.heard(said, { address: null, peer: null, told: knows && asked.claiming });
      const answer = say(asked);
      if (way.lost === 'back') return;
      at(now + way.back, () =>
        asker.table.heard(answer, { address: asked.id, peer: null, told: claim !== null && asker.claiming && claim === asker.claims }),
      );
    });
  }

  /** Never two looks in a row are lost in one direction, or it would be a cable that was cut. */
  function wayOf(direction: string): Way {
    const way = ways[sent++ % ways.length]!;
    const spared = lostBefore.delete(direction);
    if (way.lost && !spared) lostBefore.add(direction);
    return spared ? { ...way, lost: null } : way;
  }

  function say(node: Fresh): Statement {
    const cluster = node.hasCluster ? { id: `cluster of ${node.id}`, name: 'Home', publicKey: 'key', established: false, nodes: 1 } : null;
    const founding = node.claiming && !node.hasCluster;
    const { id } = node;
    return { node: id, name: id, version: '1', addresses: [id], cluster, lookingMs: 0, founding, session: id, tick: ++node.ticks };
  }
}
