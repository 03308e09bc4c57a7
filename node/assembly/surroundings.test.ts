import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sighting } from '../core/standing.ts';
import type { Seen } from '../mesh/neighbours.ts';
import { withData, withLobby } from './surroundings.ts';

const seen = (node: string, cluster: string | null): Seen => ({
  ...{ node, name: `machine ${node}`, version: '1.2.3', addresses: ['10.0.0.9:8267'], lookingMs: null, seenMs: 500 },
  cluster: cluster === null ? null : { id: cluster, name: `cluster ${cluster}`, publicKey: '', established: true, nodes: 2 },
  ...{ founding: false, foundingMs: null, told: false, peers: [], silentMs: 0 },
});
const noticed = (node: string, state: Sighting['state'] = 'not-approved'): Sighting => ({
  ...{ node, name: null, addresses: ['10.0.0.9:8266'], by: 'mdns', state, says: 'not a member here' },
  ...{ latencyMs: null, clockMs: null, version: null, cluster: null, lastSeenMs: 100 },
});
const lobbyOf = (...around: Seen[]) => ({
  around: () => around,
  addresses: () => ['/ip4/10.0.0.1/tcp/8267/p2p/me', '/ip6/::1/tcp/8267/p2p/me', '/ip4/127.0.0.1/tcp/8267/p2p/me'],
});

test('a stranger is called what its lobby says it is: of another cluster, or new', () => {
  const mesh = { listening: [], interfaces: [], sightings: [noticed('other'), noticed('new'), noticed('unheard')] };
  const { sightings, listening } = withLobby(mesh, lobbyOf(seen('other', 'x'), seen('new', null)), 'mine');
  assert.deepEqual(
    sightings.map(({ node, state, cluster }) => [node, state, cluster?.name]),
    [
      ['other', 'other-cluster', 'cluster x'],
      ['new', 'fresh', undefined],
      ['unheard', 'not-approved', undefined],
    ],
  );
  assert.match(sightings[0]!.says, /machine other belongs to the cluster "cluster x"/);
  assert.deepEqual(listening, [{ what: 'lobby', addresses: ['10.0.0.1:8267'] }]);
});

test('a member is left as the mesh sees it, and who is only heard at a lobby is in the list too', () => {
  const mesh = { listening: [], interfaces: [], sightings: [noticed('member', 'connected'), noticed('cut off', 'unreachable')] };
  const { sightings } = withLobby(mesh, lobbyOf(seen('member', 'old'), seen('cut off', 'mine'), seen('far', 'x')), 'mine');
  assert.deepEqual(
    sightings.map(({ node, state }) => [node, state]),
    [
      ['member', 'connected'],
      ['cut off', 'unreachable'],
      ['far', 'other-cluster'],
    ],
  );
});

test('a machine without a cluster sees the clusters that it could join', () => {
  const { sightings } = withLobby(null, lobbyOf(seen('a', 'x')), null);
  assert.match(sightings[0]!.says, /can ask to join/);
  assert.deepEqual(withLobby(null, null, null), { listening: [], interfaces: [], sightings: [] });
});

test('a port that was taken is told, for newcomers and for film data', () => {
  const mesh = { listening: [{ what: 'mesh' as const, addresses: ['10.0.0.1:8266', '[fd00::1]:8266'] }], interfaces: [], sightings: [] };
  const well = withLobby(withData(mesh, 8268, 8268), lobbyOf(), 'mine', 8267).listening;
  assert.deepEqual(
    well.map(({ what, addresses, problem }) => [what, addresses[0], problem]),
    [
      ['mesh', '10.0.0.1:8266', undefined],
      ['data', '10.0.0.1:8268', undefined],
      ['lobby', '10.0.0.1:8267', undefined],
    ],
  );
  const taken = withLobby(withData(mesh, 40_000, 8268), lobbyOf(), 'mine', 9267).listening;
  assert.match(taken[1]!.problem!, /^Port 8268 is taken/);
  assert.match(taken[2]!.problem!, /^Port 9267 is taken/);
  assert.equal(withLobby(withData(mesh, 40_000, 0), lobbyOf(), 'mine').listening[1]!.problem, undefined);
});
