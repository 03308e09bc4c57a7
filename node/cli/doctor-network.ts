import type { RunOptions } from '../config/load.ts';
import { CLOCK_LIMIT_MS, describeTrouble } from '../core/sighting.ts';
import type { Sighting, Standing, Surroundings } from '../core/standing.ts';
import type { Examination, Said } from './doctor-examination.ts';
import { lookAtPeer, lookAtPort, lookAround } from './doctor-lan.ts';
import type { Here, Program } from './doctor-program.ts';
import { standingLine } from './standing-words.ts';

/**
 * Why another machine is not seen. A running program knows it, and is only asked; without one the ways that it would
 * use are tried: its ports, multicast on each card, the addresses that it was given.
 */
export async function examineNetwork(examination: Examination, options: RunOptions, program: Program): Promise<void> {
  if (program.state === 'here') return told(examination, options, program.here);
  await examination.check('program', async () => {
    if (program.state === 'silent') throw new Error('It runs, but does not answer. Its log says why; starting it again helps if it hangs.');
    return {
      heed: `It does not run on ${options.dataDir}. Start it with "codecshift run": which machines it sees, and why it does not speak to some of them, can be said only while it runs.`,
    };
  });
  // what a program that does not answer holds is taken, of course
  if (program.state === 'off') await tryPorts(examination, options);
  await tryMulticast(examination, options);
  await tryPeers(examination, options);
}

async function told(examination: Examination, options: RunOptions, here: Here): Promise<void> {
  const { check } = examination;
  const { standing, surroundings } = here;
  await check('standing', async () => standingSaid(here));
  for (const { what, addresses, problem } of surroundings.listening)
    await check(services[what], async () => listeningSaid(addresses, problem));
  for (const card of surroundings.interfaces) await check(`interface ${card.name} (${card.address})`, async () => cardSaid(card));
  // before it belongs to a cluster only its lobby looks around, and that does not tell how it went
  if (surroundings.interfaces.length === 0) await tryMulticast(examination, options);
  const { sightings } = surroundings;
  const connected = sightings.filter((s) => s.state === 'connected' || s.state === 'clock');
  await check('machines', async () => machinesSaid(standing, connected));
  for (const sighting of sightings.filter((s) => !connected.includes(s)))
    await check(`machine ${nameOf(sighting)}`, async () => (sighting.says ? { heed: sighting.says } : 'being connected to just now'));
  for (const sighting of sightings) {
    const off = clockSaid(sighting);
    if (off) await check(`clock of ${nameOf(sighting)}`, async () => ({ heed: off }));
  }
  const others = clustersAround(sightings, standing);
  if (others) await check('other clusters', async () => ({ heed: others }));
}

const services = { mesh: 'port of the mesh', lobby: 'port for newcomers', data: 'port of film data' };

function standingSaid({ standing, node, reached }: Here): Said {
  const line = standingLine(standing, node, reached);
  const well = standing.state === 'member' && standing.coordinator !== null && reached;
  return well ? line : { heed: line };
}

function listeningSaid(addresses: readonly string[], problem: string | undefined): Said {
  const at = addresses.length > 0 ? addresses.map(plainAddress).join(', ') : 'nowhere';
  return problem || addresses.length === 0 ? { heed: [at, problem].filter(Boolean).join('. ') } : at;
}

function cardSaid({ multicast, problem }: Surroundings['interfaces'][number]): Said {
  if (multicast === 'ok') return 'machines are found by themselves here';
  if (multicast === 'off') return 'nothing is looked for here (discovery is off); only addresses named with --peer are tried';
  return { heed: `nothing is found by itself here. ${problem ?? ''} Name the other machine with --peer if this cannot be changed.` };
}

function machinesSaid(standing: Standing, connected: readonly Sighting[]): Said {
  if (connected.length > 0) {
    const all = connected.map((s) => `${nameOf(s)}${s.latencyMs === null ? '' : ` (${s.latencyMs.toFixed(1)} ms)`}`);
    return `connected with ${all.join(', ')}`;
  }
  if (standing.state !== 'member') return 'connected with none, because this machine belongs to no cluster yet';
  return 'connected with none';
}

/** A clock that is off is told even while something else is wrong with that machine too. */
function clockSaid(sighting: Sighting): string | null {
  if (sighting.state === 'clock') return sighting.says;
  if (sighting.clockMs === null || Math.abs(sighting.clockMs) <= CLOCK_LIMIT_MS) return null;
  return describeTrouble(nameOf(sighting), { state: 'clock', clockMs: sighting.clockMs });
}

function clustersAround(sightings: readonly Sighting[], standing: Standing): string | null {
  const mine = 'cluster' in standing ? standing.cluster?.id : undefined;
  const found = new Map<string, { name: string; by: string[] }>();
  for (const sighting of sightings) {
    if (!sighting.cluster || sighting.cluster.id === mine) continue;
    const { id, name } = sighting.cluster;
    found.set(id, { name, by: [...(found.get(id)?.by ?? []), nameOf(sighting)] });
  }
  if (found.size === 0) return null;
  const names = [...found.values()].map(({ name, by }) => `"${name}" (heard from ${by.slice(0, 3).join(', ')})`);
  return `${names.join(', ')}. They stay apart; to change sides, open the page "This machine" of the machine that shall go.`;
}

async function tryPorts({ check }: Examination, { host, port, meshPort }: RunOptions): Promise<void> {
  const ways = [
    { what: 'port of the dashboard', at: port, host, needed: true },
    { what: services.mesh, at: meshPort, host: null, needed: false },
    { what: services.lobby, at: meshPort + 1, host: null, needed: false },
    { what: services.data, at: meshPort + 2, host: null, needed: false },
  ];
  const fixed = ways.filter(({ needed }) => (needed ? port : meshPort) !== 0);
  await Promise.all(fixed.map(({ what, ...way }) => check(`${what} ${way.at}`, () => lookAtPort(way))));
}

async function tryMulticast({ check }: Examination, { discovery }: RunOptions): Promise<void> {
  if (discovery === 'off') {
    await check('multicast', async () => 'not tried: discovery is off, so only addresses named with --peer are tried');
    return;
  }
  const { cards, heard } = await lookAround();
  if (cards.length === 0)
    await check('interfaces', async () => ({ heed: 'this machine has no network card with an IPv4 address, so it meets nobody' }));
  for (const card of cards) await check(`interface ${card.name} (${card.address})`, async () => cardSaid(card));
  await check('around', async () =>
    heard.length > 0
      ? `machines of a cluster answer to multicast at ${heard.slice(0, 20).map(plainAddress).join(', ')}`
      : 'no machine of a cluster answered to multicast in two seconds',
  );
}

async function tryPeers({ check }: Examination, { peers, meshPort }: RunOptions): Promise<void> {
  await Promise.all(peers.map((peer) => check(`peer ${peer}`, () => lookAtPeer(peer, meshPort))));
}

/** What a person would type: 192.168.1.20:8266 for /ip4/192.168.1.20/tcp/8266/p2p/…; anything else as it is. */
function plainAddress(address: string): string {
  const [, kind, host, port] = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d+)(?:\/p2p\/\w+)?$/.exec(address) ?? [];
  if (host === undefined) return address;
  return kind === 'ip6' ? `[${host}]:${port}` : `${host}:${port}`;
}

function nameOf({ name, node, addresses }: Sighting): string {
  return name ?? addresses.map(plainAddress)[0] ?? (node ? `…${node.slice(-8)}` : 'unknown');
}
