import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { Surroundings } from '../core/standing.ts';
import { codeOf, messageOf } from '../errors.ts';
import { createLog } from '../log.ts';
import { formatAddress, requireAddress } from '../mesh/addresses.ts';
import { MESH_TAG } from '../mesh/discovery.ts';
import { createLanMdns } from '../mesh/lan-mdns.ts';
import type { Said } from './doctor-examination.ts';

const PEER_MS = 2000;
const AROUND_MS = 2000;

/** Can the program listen there? A port that it needs and cannot have is thrown, one that it can do without is heeded. */
export async function lookAtPort({ at, host, needed }: { at: number; host: string | null; needed: boolean }): Promise<Said> {
  const problem = await new Promise<unknown>((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ port: at, ...(host ? { host } : {}) }, () => server.close(() => resolve(null)));
  });
  if (problem === null) return 'free';
  if (needed) throw new Error(`${portProblem(problem)} Choose another with --port, or stop the program that has it.`);
  return {
    heed: `${portProblem(problem)} The program takes any free port instead, so machines that were given this one with --peer do not find it; a firewall may let only this one through.`,
  };
}

function portProblem(error: unknown): string {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') return 'Another program has it.';
  if (code === 'EACCES' || code === 'EPERM') return 'This user may not listen there.';
  if (code === 'EADDRNOTAVAIL') return 'The address to listen on is none of this machine.';
  return `It cannot be listened on: ${messageOf(error)}.`;
}

/**
 * Sends and hears multicast on every card for two seconds, with the very sockets of the program, and says nothing of
 * this machine. `heard`: multiaddrs at which members of any cluster say they are.
 */
export async function lookAround(): Promise<{ cards: Surroundings['interfaces']; heard: string[] }> {
  const heard = new Set<string>();
  const lan = createLanMdns({
    tag: MESH_TAG,
    id: 'doctor',
    addresses: () => [],
    onFound: (_node, addresses) => void (heard.size < 100 && addresses.slice(0, 4).forEach((one) => heard.add(one))),
    log: createLog({ level: 'error', pretty: true }),
    intervalMs: AROUND_MS / 4,
  });
  lan.start();
  try {
    await wait(AROUND_MS);
    return { cards: lan.interfaces(), heard: [...heard] };
  } finally {
    lan.stop();
  }
}

/** Does anybody listen at an address given with --peer? @throws Error with what helps */
export async function lookAtPeer(peer: string, meshPort: number): Promise<string> {
  const target = requireAddress(peer, meshPort);
  const at = formatAddress(target);
  const problem = await knock(target.host, target.port);
  if (problem === null) return `somebody listens at ${at}; whether it is a machine of this cluster can be said while the program runs`;
  throw new Error(peerProblem(problem, at, target.host));
}

/** Null when somebody opened. */
function knock(host: string, port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (problem: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(problem);
    };
    const timer = setTimeout(() => done(new Error('silent')), PEER_MS);
    socket.once('connect', () => done(null)).on('error', done);
  });
}

function peerProblem(error: unknown, at: string, host: string): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `Nothing listens at ${at}. Start CodecShift there, and look on its page "This machine" for its port.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `There is no machine called ${host} on this network. Try its address in numbers.`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `There is no way from here to ${host}: the machine is off, or in a network that this one does not reach.`;
    default:
      return `Nothing answered at ${at} within ${PEER_MS / 1000} seconds: the machine is off, the address is wrong, or a firewall in between drops what is sent.`;
  }
}
