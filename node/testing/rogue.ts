import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Signed } from '../core/cluster.ts';
import { messageOf } from '../errors.ts';
import { createBulkServer } from '../mesh/bulk-server.ts';
import { createGreeter } from '../mesh/greeter.ts';
import { joinOrFound } from '../mesh/join.ts';
import { createLobby } from '../mesh/lobby.ts';
import type { GrantedJob, ProtocolRequest, ProtocolResponse } from '../mesh/messages.ts';
import { createNetworkMesh, type NetworkMesh } from '../mesh/network.ts';
import { openTicket } from '../mesh/signing.ts';
import { machine, quiet } from './mesh-nodes.ts';
import { helloOf } from './mesh-samples.ts';
import { until } from './program.ts';

/**
 * A machine that a person approved, with a real key, a real connection and a real data plane, but with a will of its own:
 * every message of the protocol can be sent with any content. It speaks; a test judges what the others made of it.
 */
export interface Rogue {
  id: string;
  mesh: NetworkMesh;
  coordinator: string;
  /** the latest hello is repeated every second, as a machine does */
  hello(change?: Partial<ProtocolRequest<'hello'>>): Promise<ProtocolResponse<'hello'>>;
  claim(change?: Partial<ProtocolRequest<'claim'>>): Promise<ProtocolResponse<'claim'>>;
  /** a job of its own, as soon as there is one */
  granted(): Promise<GrantedJob>;
  /** says that an attempt is encoded, and gives out this file when its keeper comes for it */
  deliver(
    grant: Pick<GrantedJob, 'job' | 'attempt'>,
    file: string,
    change?: { sizeBytes?: number; sha256?: string; encoder?: string },
  ): Promise<Answer>;
  report(report: ProtocolRequest<'report'>): Promise<Answer>;
  /** gives back every job it was granted, as an orderly stop does; what is over already is refused */
  giveUp(): Promise<void>;
  /** attempts whose output a keeper came for */
  fetched: number[];
  stop(): Promise<void>;
}

export type Answer = ProtocolResponse<'report'> | { threw: string };

export interface RogueOptions {
  name: string;
  dataDir: string;
  /** host:port of the lobby and of the mesh of the cluster */
  lobby: string;
  mesh: string;
  token: string;
}

/** An encoder with two bad copies is benched: a machine that wants to go on lying says that it has others. */
export const claimed = ['libx265', 'hevc_nvenc', 'hevc_qsv', 'hevc_vaapi', 'hevc_amf'];
const encoders = claimed.map((name) => ({
  name,
  device: null,
  works: true,
  tenBit: true,
  hardware: name !== 'libx265',
  reason: null,
  testedAt: '2026-01-01T00:00:00Z',
}));

export async function joinAsRogue(t: { after(fn: () => Promise<void>): void }, options: RogueOptions): Promise<Rogue> {
  const { key, id } = machine(options.name);
  const membership = await join(key, id, options);
  const mesh = createNetworkMesh({
    key,
    name: options.name,
    version: '0.1.0',
    membership,
    port: 0,
    discovery: 'off',
    peers: [options.mesh],
    log: quiet,
  });
  const server = createBulkServer({ port: 0, mbps: () => 0, log: quiet });
  await server.start();
  await mesh.start();
  const session = randomUUID();
  let said: Partial<ProtocolRequest<'hello'>> = {};
  const facts = (): ProtocolRequest<'hello'> =>
    helloOf(id, {
      name: options.name,
      session,
      slots: 3,
      classes: [1, 2, 3],
      encoders,
      candidate: false,
      freeBytes: 1e12,
      ...said,
    });
  const greeter = createGreeter({ mesh, facts: async () => facts(), membership, log: quiet, everyMs: 1000 });
  greeter.start();
  const stop = async (): Promise<void> => {
    greeter.stop();
    await mesh.stop();
    await server.stop();
  };
  t.after(stop);
  const held = new Map<number, GrantedJob>();
  const outputs = new Map<number, string>();
  const fetched: number[] = [];
  mesh.handle('bulk', async (asked, from) => {
    const ticket = asked.op === 'file' ? openTicket(membership.cluster.publicKey, asked.ticket) : null;
    const file = ticket && outputs.get(ticket.attempt);
    if (!file) return { op: 'refused', reason: { code: 'delivery-failed' }, retry: false };
    fetched.push(ticket.attempt);
    const { size } = statSync(file);
    return { op: 'open', port: server.port(), ...server.offerFile({ file, sizeBytes: size, reader: from, seconds: 60 }), sizeBytes: size };
  });
  mesh.handle('control', async () => ({ accepted: true }));
  const coordinator = await until('the rogue to know the coordinator', () => greeter.coordinator());
  await until('the rogue to be connected', () => mesh.connected().includes(coordinator));
  const report: Rogue['report'] = (wish) =>
    mesh.request(coordinator, 'report', wish).catch((error: unknown) => ({ threw: messageOf(error) }));
  const claim: Rogue['claim'] = (change = {}) =>
    mesh.request(coordinator, 'claim', { node: id, session, classes: [1, 2, 3], freeSlots: 1, freeBytes: 1e12, ahead: false, ...change });
  return {
    id,
    mesh,
    coordinator,
    fetched,
    claim,
    report,
    hello(change = {}) {
      said = change;
      return mesh.request(coordinator, 'hello', facts());
    },
    async granted() {
      const grant = await until('a job for the rogue', async () => (await claim()).granted);
      held.set(grant.attempt, grant);
      return grant;
    },
    async giveUp() {
      for (const { job, attempt } of held.values()) await report({ event: 'released', job, attempt, reason: { code: 'shut-down' } });
      held.clear();
    },
    deliver({ job, attempt }, file, { encoder = 'libx265', ...change } = {}) {
      outputs.set(attempt, file);
      const output = { node: id, sizeBytes: statSync(file).size, sha256: sha256Of(file), frames: null, ...change };
      return report({ event: 'encoded', job, attempt, output, encoder, command: [], stderrTail: '', stats: {} });
    },
    stop,
  };
}

/** By token, through the real lobby: the cluster has no reason to doubt it. */
async function join(key: Uint8Array, id: string, { name, dataDir, lobby: door, token }: RogueOptions) {
  const lobby = createLobby({
    key,
    port: 0,
    discovery: 'off',
    peers: [door],
    self: () => ({ node: id, name, version: '0.1.0', cluster: null, lookingMs: 0 }),
    onJoin: null,
    members: () => null,
    log: quiet,
  });
  await lobby.start();
  try {
    const self = { id, name, version: '0.1.0', platform: 'linux', hardware: {} };
    const signal = AbortSignal.timeout(240_000);
    const joining = joinOrFound({
      dataDir,
      self,
      lobby,
      mode: 'join',
      token,
      peers: [door],
      wanted: null,
      onCode: () => {},
      signal,
      log: quiet,
    });
    const outcome = await joining.outcome;
    if (!('joined' in outcome)) throw new Error('the rogue was to join, not to found');
    return outcome.joined;
  } finally {
    await lobby.stop();
  }
}

export function sha256Of(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** A ticket that says something else than what was signed. */
export function forged(ticket: Signed, change: Record<string, unknown>): Signed {
  return { ...ticket, payload: JSON.stringify({ ...(JSON.parse(ticket.payload) as object), ...change }) };
}
