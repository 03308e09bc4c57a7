import path from 'node:path';
import type { EncoderRef } from '../core/encoder-choice.ts';
import type { Standing, Surroundings } from '../core/standing.ts';
import type { Coordinator } from '../coordinator/coordinator.ts';
import type { Retirement } from '../coordinator/elector.ts';
import { createSettingsStore } from '../coordinator/settings.ts';
import { messageOf } from '../errors.ts';
import { servedSource } from '../keeper/serve.ts';
import type { Log } from '../log.ts';
import { createBulkGate } from '../mesh/bulk-gate.ts';
import { createBulkServer } from '../mesh/bulk-server.ts';
import { createGreeter, type Hello } from '../mesh/greeter.ts';
import type { Lobby } from '../mesh/lobby.ts';
import { createNetworkMesh } from '../mesh/network.ts';
import { heedOnlyTheCoordinator } from '../mesh/orders.ts';
import { createOutbox, type Outbox } from '../mesh/outbox.ts';
import { createPresence } from '../mesh/presence.ts';
import { version } from '../version.ts';
import type { LocalApp, Tunnel } from '../web/front/parts.ts';
import { tunnelEntrance } from '../web/front/proxy.ts';
import { namesOfSetting } from '../web/server.ts';
import { answerForLog } from './log-answer.ts';
import { openBooks } from './books.ts';
import type { Belonging } from './belonging.ts';
import { dashboardWay } from './dashboard.ts';
import { createDoorway } from './doorway.ts';
import { helloFacts } from './facts.ts';
import { createHands } from './hands.ts';
import type { House } from './house.ts';
import { dropWorkForOthers } from './leftovers.ts';
import { makeSupportBundle } from './support-bundle.ts';
import { withData } from './surroundings.ts';
import { takeDown, type Undo } from './take-down.ts';
import { watchVersions } from './version-trouble.ts';

/**
 * A node as a member of its cluster: everything that speaks with other members, put together, started in order and
 * stopped in the opposite one. No decision about films is made here.
 *
 *   database? ─▶ mesh · data plane ─▶ keeper (recovers first) · worker · coordinator? ─▶ dashboard · lobby
 *
 *   running ──stop()──▶ stopped
 *      ├─ removed from the list ─▶ over: 'revoked'
 *      ├─ an empty cluster met another one ─▶ over: 'dissolved'
 *      └─ a person puts a backup back ─▶ over: 'restore'
 */
export interface Member {
  /** resolves when this membership ends by itself */
  over: Promise<Ending>;
  /** `leaving`: this process ends afterwards (take-down.ts). Resolves with the parts that were left behind */
  stop(how: { how: 'cancel' | 'finish'; hurry: Promise<void>; leaving: boolean }): Promise<string[]>;
  standing(): Standing;
  surroundings(): Surroundings;
  local(): LocalApp | null;
  tunnel(): Tunnel | null;
  hostNames(): string[];
  addPeer(address: string): void;
  lobby: Lobby;
  /** a support bundle with what this machine knows of the books, if it holds them */
  supportBundle(wish: { names: boolean }, signal: AbortSignal): Promise<Uint8Array>;
  coordinator: Coordinator | null;
  /** the encoders of this machine were tested */
  encodersChanged(): void;
  /** encoders that work on films now */
  inUse(): EncoderRef[];
}

export type Ending =
  | { why: 'revoked' }
  | { why: 'dissolved'; into: string }
  /** a person puts this backup back */
  | { why: 'restore'; file: string; passphrase: string | null; by: string };

/** A coordinator that is silent for longer is not there, as far as the page is concerned. */
const SILENT_MS = 10_000;
/** how long a machine that was removed before its start looks for a newer list */
const NEWS_MS = 15_000;

export async function startMember(house: House, belonging: Belonging, onChange: () => void): Promise<Member> {
  const undo: Undo = [{ part: 'database', end: () => belonging.db?.close() }];
  try {
    return await assemble(house, belonging, onChange, undo);
  } catch (error) {
    await takeDown(undo, { log: house.log, leaving: false });
    throw error;
  }
}

async function assemble(
  house: House,
  { membership, db, key, steppedBack: fromStart }: Belonging,
  onChange: () => void,
  undo: Undo,
): Promise<Member> {
  const { id, options, events, roots, workspace, log } = house;
  const room = (name: string): Log => log.child({ room: name });
  const over = Promise.withResolvers<Ending>();
  const settings = createSettingsStore();
  if (db) await settings.reload(db);
  let mbps = 0;

  const mesh = createNetworkMesh({
    key: house.key,
    name: options.name,
    version,
    membership,
    port: options.meshPort,
    discovery: options.discovery,
    peers: house.peers,
    log: room('mesh'),
  });
  const ordered = heedOnlyTheCoordinator({ mesh, membership, log: room('mesh') });
  answerForLog(ordered, house.book);
  const bulk = createBulkServer({ port: options.meshPort === 0 ? 0 : options.meshPort + 2, mbps: () => mbps, log: room('mesh') });
  const facts = (): Promise<Hello> =>
    helloFacts(house, { worker, keeper, watcher, membership, candidate: db !== null && !versions.steppedBack() });
  const greeter = createGreeter({ mesh, facts, membership, log: room('mesh') });
  const versions = watchVersions({
    fromStart: fromStart ?? null,
    coordinator: greeter.coordinator,
    programOf: mesh.programOf,
    nameOf: membership.nameOf,
    log,
  });
  const outbox = createOutbox({
    directory: path.join(options.dataDir, 'outbox'),
    mesh,
    coordinator: greeter.coordinator,
    log: room('mesh'),
  });
  const hands = await createHands(house, { mesh, ordered, outbox, greeter, mbps: () => mbps });
  const { keeper, watcher, worker, sampler, household, pictures } = hands;
  undo.push({ part: 'watcher', end: () => watcher.stop() });

  let dataPort = 0;
  const books =
    db && key
      ? await openBooks(
          house,
          {
            ...{ db, key, membership, mesh, settings, supportBundle },
            ownPorts: () => [...portsOf(mesh.surroundings()), dataPort],
            onMembers: adopt,
            onRetired: stepBack,
            onRestore: (wish) => over.resolve({ why: 'restore', ...wish }),
            others: () => doorway.others(),
          },
          undo,
        )
      : null;
  const coordinator = books?.coordinator ?? null;
  const local = (): LocalApp | null => books?.local() ?? null;
  createBulkGate({
    mesh,
    publicKey: membership.cluster.publicKey,
    self: id,
    server: bulk,
    source: (ticket, signal) => servedSource(roots, ticket, signal),
    output: (ticket) => worker.outputFor(ticket),
    dashboard: () => (local() ? tunnelEntrance(local) : null),
    log: room('mesh'),
  });
  const doorway = createDoorway(house, {
    membership,
    mesh,
    db,
    coordinator: greeter.coordinator,
    onDissolve: (into) => over.resolve({ why: 'dissolved', into }),
  });
  const way = dashboardWay({ mesh, coordinator: greeter.coordinator, hostOf: mesh.hostOf, onChange, log: room('web') });

  dataPort = await bulk.start();
  undo.push({ part: 'data plane', end: () => bulk.stop() });
  // a removed machine keeps neither a film nor the dashboard that it had open
  undo.push({ part: 'members of the data plane', end: membership.onMembers(() => bulk.keepOnly(membership.isMember)) });
  await mesh.start();
  undo.push({ part: 'mesh', end: () => mesh.stop() });
  await dropWorkForOthers({ dataDir: options.dataDir, cluster: membership.cluster.id, workspace, log: room('worker') });
  await outbox.start();
  undo.push({ part: 'outbox', end: () => outbox.stop() });
  await keeper.start();
  undo.push({ part: 'keeper', end: () => keeper.stop() });
  greeter.onWelcome((welcome) => {
    mbps = welcome.wishes.mbps ?? 0;
    worker.welcome(welcome);
    watcher.wish(welcome.watch ?? []);
    void keeper.seek(welcome.roots).catch((error: unknown) => log.debug({ why: messageOf(error) }, 'roots could not be looked for'));
    if (welcome.drop.length)
      void keeper.drop(welcome.drop).catch((error: unknown) => log.debug({ why: messageOf(error) }, 'an output could not be dropped'));
    for (const attempt of welcome.dropPictures ?? [])
      void Promise.all([pictures.drop(attempt), pictures.remove(attempt)]).catch((error: unknown) =>
        log.debug({ attempt, why: messageOf(error) }, 'pictures could not be removed'),
      );
    outbox.kick();
    onChange();
  });
  mesh.onMet((node) => {
    if (node === greeter.coordinator()) void greeter.tell();
    versions.say();
    onChange();
  });
  mesh.onLost(() => onChange());
  undo.push({
    part: 'members',
    end: membership.onMembers((members) => void (members.nodes.some((node) => node.id === id) || over.resolve({ why: 'revoked' }))),
  });
  undo.push({ part: 'certificates', end: membership.onCertificate(() => (way.look(), versions.say(), onChange())) });
  greeter.start();
  undo.push({ part: 'greeter', end: () => greeter.stop() });
  undo.push({ part: 'coordinator news', end: events.on('coordinator.changed', onChange) });
  books?.start(undo);
  await worker.start();
  undo.push({ part: 'worker', end: () => worker.stop('cancel') });
  await sampler.start();
  undo.push({ part: 'sampler', end: () => sampler.stop() });
  const presence = createPresence({
    mesh,
    name: options.name,
    slots: worker.slots,
    busy: worker.busy,
    freeBytes: () => workspace.freeBytes(),
    conduct: household.report,
  });
  household.onChange(presence.tell);
  presence.start();
  undo.push({ part: 'presence', end: () => presence.stop() });
  way.start();
  undo.push({ part: 'way to the dashboard', end: () => way.stop() });
  await doorway.start();
  undo.push({ part: 'lobby', end: () => doorway.stop() });
  versions.say();
  if (!membership.isMember(id)) {
    // approved again, and started again: a lobby shows the list that says so
    const outside = setTimeout(() => membership.isMember(id) || over.resolve({ why: 'revoked' }), NEWS_MS).unref();
    undo.push({ part: 'membership', end: () => clearTimeout(outside) });
  }

  return {
    over: over.promise,
    stop,
    standing,
    surroundings: () => withData(mesh.surroundings(), dataPort, options.meshPort === 0 ? 0 : options.meshPort + 2),
    local,
    tunnel: () => way.tunnel(),
    hostNames: () => (db ? namesOfSetting({ ...settings.current() }) : []),
    addPeer: (address) => mesh.addPeer(address),
    lobby: doorway.lobby,
    supportBundle,
    coordinator,
    inUse: () => worker.inUse(),
    encodersChanged() {
      events.emit('node.changed', { nodeId: id });
      worker.wake();
      void greeter.tell();
    },
  };

  function supportBundle(wish: { names: boolean }, signal: AbortSignal): Promise<Uint8Array> {
    const known = db ? () => ({ ...settings.current() }) : null;
    return makeSupportBundle({ house, db, settings: known, standing: standing(), surroundings: mesh.surroundings() }, wish, signal);
  }

  function standing(): Standing {
    const node = greeter.coordinator();
    const silent = greeter.silentMs();
    const here = node === id ? coordinator?.term() != null : silent !== null && silent < SILENT_MS;
    const trouble = versions.trouble();
    return {
      state: 'member',
      cluster: { id: membership.cluster.id, name: membership.cluster.name },
      hosts: db && !versions.steppedBack() ? (db.embedded ? 'embedded' : 'postgres') : null,
      coordinator: node && here ? { node, name: membership.nameOf(node) ?? node } : null,
      ...(trouble ? { version: trouble } : {}),
    };
  }

  /** What of this machine used the database ends; encodes and the keeper's work go on. */
  function stepBack(why: Retirement): void {
    versions.stepBack(why);
    books?.stepBack();
    void greeter.tell();
    versions.say();
    onChange();
  }

  /** Who is removed hears of it before the line is cut; whoever is new is let in at once. */
  function adopt(signed: { payload: string; signature: string }): void {
    const before = membership.members().nodes.length;
    const after = (JSON.parse(signed.payload) as { nodes: unknown[] }).nodes.length;
    if (after >= before) membership.adoptMembers(signed);
    else setTimeout(() => membership.adoptMembers(signed), 250).unref();
  }

  /** The worker first, while there still is a coordinator to give its jobs back to. */
  async function stop({ how, hurry, leaving }: Parameters<Member['stop']>[0]): Promise<string[]> {
    if (how === 'finish') await Promise.race([worker.stop('finish').then(() => settled(outbox, 600_000)), hurry]);
    const left = await takeDown([{ part: 'encodes', end: () => worker.stop('cancel') }], { log, leaving });
    await settled(outbox, 3000);
    const rest: Undo = [{ part: 'list of members', end: () => membership.flush() }, ...undo.splice(0)];
    return [...left, ...(await takeDown(rest, { log, leaving }))];
  }
}

/** Where the mesh listens; the lobby's port is the one after. */
function portsOf({ listening }: Surroundings): number[] {
  const ports = listening.flatMap(({ addresses }) => addresses.map((address) => Number(/:(\d+)$/.exec(address)?.[1] ?? 0)));
  return [...ports, ...ports.map((port) => port + 1)];
}

/** Waits until every report is in the books, at most so long. */
async function settled(outbox: Outbox, ms: number): Promise<void> {
  const until = Date.now() + ms;
  while (outbox.waiting().length > 0 && Date.now() < until) {
    outbox.kick();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
