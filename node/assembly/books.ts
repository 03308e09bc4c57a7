import { createHmac } from 'node:crypto';
import { createCoordinator, type Coordinator, type CoordinatorParts } from '../coordinator/coordinator.ts';
import type { SettingsStore } from '../coordinator/settings.ts';
import { standIns } from '../db/candidates.ts';
import type { Database } from '../db/connect.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Membership } from '../mesh/membership.ts';
import type { NetworkMesh } from '../mesh/network.ts';
import type { ClusterKey } from '../mesh/signing.ts';
import { version } from '../version.ts';
import type { LocalApp } from '../web/front/parts.ts';
import { createApp } from '../web/server.ts';
import { createBackups } from './backups.ts';
import { firstStart } from './first-start.ts';
import type { House } from './house.ts';
import { openOutward } from './outward.ts';
import type { Undo } from './take-down.ts';

/**
 * What of a member has the database in its hands: the coordinator, if it is elected, with its dashboard, its backups, and what
 * reaches the programs outside of the cluster. A machine without a database has none of it.
 */
export interface Books {
  coordinator: Coordinator;
  /** the dashboard, while this machine coordinates */
  local(): LocalApp | null;
  /** @param undo gets what stops it, to be done in the opposite order */
  start(undo: Undo): void;
  /** another program leads this database now: keys are exchanged with nobody any more */
  stepBack(): void;
}

export interface BooksParts {
  db: Database;
  key: ClusterKey;
  membership: Membership;
  mesh: NetworkMesh;
  settings: SettingsStore;
  /** ports of this machine that nothing outside is asked at */
  ownPorts: () => number[];
  onMembers: NonNullable<CoordinatorParts['onMembers']>;
  onRetired: NonNullable<CoordinatorParts['onRetired']>;
  /** a person puts a backup back */
  onRestore: (wish: { file: string; passphrase: string | null; by: string }) => void;
  supportBundle: (wish: { names: boolean }, signal: AbortSignal) => Promise<Uint8Array>;
  /** other clusters that were noticed */
  others: () => readonly string[];
}

export async function openBooks(house: House, parts: BooksParts, undo: Undo): Promise<Books> {
  const { options, events, log } = house;
  const { db, settings } = parts;
  const room = (name: string): Log => log.child({ room: name });
  const outward = await openOutward(house, { db, membership: parts.membership, meshPorts: parts.ownPorts, log: room('sources') });
  const coordinator = openCoordinator(house, parts, { outward: outward.outward, secretKey: outward.secretKey });
  const backups = createBackups({
    db,
    dataDir: options.dataDir,
    folder: options.backupFolder,
    passphrase: options.backupPassphrase,
    secretKeyFile: options.secretKeyFile,
    settings: settings.current,
    term: () => coordinator.term(),
    standIns: async () => (db.embedded ? [] : standIns(db, house.id)),
    restore: parts.onRestore,
    restored: () => house.restored,
    onChange: (busy) => events.emit('backup.changed', { busy }),
    onTold: (kind, severity) => events.emit('activity.added', { kind, severity }),
    log: room('backup'),
  });
  const app = await createApp({
    db,
    events,
    log: room('web'),
    logs: house.book,
    supportBundle: parts.supportBundle,
    // of the whole cluster, so that an open form stays valid when another node coordinates
    secret: createHmac('sha256', parts.key.privateKey).update('form tokens').digest('base64url'),
    commands: coordinator.commands,
    auth: {
      access: coordinator.access,
      open: options.auth === 'none',
      setup: house.setup,
      provider: { safe: coordinator.safe, outgoing: outward.outward.outgoing, clientSecret: options.oidcClientSecret },
    },
    node: { id: house.id, name: options.name, version },
    settings: () => ({ ...settings.current() }),
    backups,
    around: parts.others,
  });
  undo.push({ part: 'dashboard', end: () => app.stop() });
  undo.push({ part: 'who may come in', end: events.on('coordinator.changed', ({ term }) => term !== null && lookWhoMayComeIn()) });
  return {
    coordinator,
    local: () => (coordinator.term() === null ? null : app.fetch),
    start(later) {
      outward.start();
      later.push({ part: 'exchange of keys', end: () => outward.stop() });
      coordinator.start();
      later.push({ part: 'coordinator', end: () => coordinator.stop() });
      backups.start();
      later.push({ part: 'backups', end: () => backups.stop() });
    },
    stepBack() {
      outward.stop().catch((error: unknown) => log.debug({ why: messageOf(error) }, 'the exchange of keys did not stop cleanly'));
    },
  };

  function lookWhoMayComeIn(): void {
    firstStart({ db, access: coordinator.access, options }).then(
      (closed) => void (closed && house.onClosed()),
      (error: unknown) => log.warn({ why: messageOf(error) }, 'it could not be looked up who may come in'),
    );
  }
}

function openCoordinator(
  { id, session, options, url, events, log }: House,
  { db, key, mesh, settings, membership, onMembers, onRetired }: BooksParts,
  outside: NonNullable<CoordinatorParts['outside']>,
): Coordinator {
  return createCoordinator({
    outside,
    mesh,
    db,
    session,
    name: options.name,
    cluster: key.cluster,
    url,
    settings,
    events,
    network: mesh,
    peers: () => [
      { node: id, addresses: mesh.surroundings().listening.find((l) => l.what === 'mesh')?.addresses ?? [] },
      ...membership.remembered(),
    ],
    members: () => membership.members().signed,
    onMembers,
    onRetired,
    log: log.child({ room: 'coordinator' }),
  });
}
