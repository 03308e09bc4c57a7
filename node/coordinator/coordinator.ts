import type { Signed } from '../core/cluster.ts';
import type { Access } from '../core/access.ts';
import type { Safe } from '../core/safe.ts';
import type { Commands } from '../core/commands.ts';
import { addActivity } from '../db/activity.ts';
import { graceLeases } from '../db/claims.ts';
import { readCluster } from '../db/cluster.ts';
import { isStaleTerm, type Database } from '../db/connect.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { JoinAnswer } from '../mesh/messages.ts';
import { sign } from '../mesh/signing.ts';
import type { SecretKey } from '../sealed.ts';
import { createAccess } from './access.ts';
import { createCommands } from './commands.ts';
import { createElector, type Elector, type Retirement } from './elector.ts';
import { heedFolderChanges } from './folder-changes.ts';
import { catchUpMembers, clusterKeyOf, currentMembers, signMembers } from './members.ts';
import { noteMisfits } from './misfits.ts';
import { createPairing } from './pairing.ts';
import { createSafe } from './safe.ts';
import { createSecrets, type Secrets } from './secrets.ts';
import type { Network } from './roster.ts';
import type { SettingsStore } from './settings.ts';
import type { Outward } from './source-links.ts';
import { createSteadyClock } from './steady-clock.ts';
import { assembleTerm, dismantleTerm, type Term } from './term.ts';

/**
 * The elected role: scans, plans, hands out jobs, keeps the books. It never touches a media file. Everything it does
 * happens inside a term; when the term ends, every loop of it is stopped before another one can begin here.
 *
 *   follower ──elected(term)──▶ coordinating: scanner · dispatcher · finisher · rescuer · commands
 *      ▲                                │ lease lost, CS001 from the database, or stop()
 *      └────────────────────────────────┘
 *
 * All writes go through `term.db`, which carries the term: once another coordinator leads, PostgreSQL refuses them.
 */
export interface Coordinator {
  start(): void;
  stop(): Promise<void>;
  /** acts through whichever node coordinates; throws while there is none */
  readonly commands: Commands;
  /** the same for people, sessions and tokens */
  readonly access: Access;
  /** and for the secrets of the cluster */
  readonly safe: Safe;
  term(): number | null;
  /** this node shall not coordinate for now; another candidate may at once */
  resign(to: string): Promise<void>;
}

export interface CoordinatorParts {
  mesh: Mesh;
  db: Database;
  session: string;
  /** of this node; the first one gives its name to a new cluster */
  name: string;
  url: () => string;
  settings: SettingsStore;
  events: Events;
  /** what this node knows of the network below the mesh */
  network: Network;
  /** addresses by which members are reached, for a machine that becomes one */
  peers: () => { node: string; addresses: string[] }[];
  /** the newest list of members that this node knows, wherever it came from */
  members?: () => Signed | null;
  /** signed news of the cluster, for this node itself too */
  onMembers: (signed: Signed) => void;
  /** the cluster that this machine belongs to (elector.ts) */
  cluster?: string;
  /** the database was upgraded by a newer program, is another cluster's, or was left: this node coordinates no more */
  onRetired?: (why: Retirement) => void;
  /** how programs outside of the cluster are reached, and the key of their sign-ins; left out: there are none */
  outside?: { outward: Outward; secretKey: SecretKey };
  log: Log;
  /** for tests: seconds a lease lives */
  ttlSeconds?: number;
}

interface Reign {
  term: Term;
  ask: ReturnType<typeof createPairing>['ask'];
  commands: Commands;
  access: Access;
  safe: Safe;
  end: () => Promise<void>;
}

export function createCoordinator(parts: CoordinatorParts): Coordinator {
  const { mesh, log } = parts;
  let reign: Reign | null = null;
  const clock = createSteadyClock(log);
  const elector: Elector = createElector({
    db: parts.db,
    node: mesh.self,
    session: parts.session,
    url: parts.url,
    reaches: () => parts.network.connected().length,
    log,
    onElected: begin,
    onDeposed: end,
    ...(parts.cluster === undefined ? {} : { cluster: parts.cluster }),
    ...(parts.onRetired ? { onRetired: parts.onRetired } : {}),
    ...(parts.ttlSeconds ? { ttlSeconds: parts.ttlSeconds } : {}),
  });

  mesh.handle('hello', (facts) => asLeader(({ term }) => term.roster.hello(facts)));
  mesh.handle('claim', (wish, from) => asLeader(({ term }) => term.dispatcher.claim(wish, from)));
  mesh.handle('report', (report, from) => asLeader(({ term }) => term.finisher.report(report, from)));
  mesh.handle('changed', (news, from) => asLeader(({ term }) => heedFolderChanges(term, news, from)));
  mesh.handle('join', (asked) => asLeader(({ ask }) => ask(asked)));
  mesh.subscribe('presence', (presence) => {
    void reign?.term.roster
      .heard(presence)
      .catch((error: unknown) => log.debug({ why: messageOf(error) }, 'a presence could not be written down'));
  });
  mesh.subscribe('progress', (progress, from) => reign?.term.rescuer.heard(progress, from));

  return {
    start: () => elector.start(),
    stop: () => elector.stop(),
    commands: whicheverLeads(({ commands }) => commands),
    access: whicheverLeads(({ access }) => access),
    safe: whicheverLeads(({ safe }) => safe),
    term: () => reign?.term.number ?? null,
    resign: (to) => elector.handOver(to),
  };

  function leading(): Reign {
    if (!reign) throw nobodyLeads();
    return reign;
  }

  /** A term that ended while it was asked is nobody's fault: whoever asked tries again and finds the next one. */
  async function asLeader<T>(work: (reign: Reign) => Promise<T>): Promise<T> {
    try {
      return await work(leading());
    } catch (error) {
      throw isStaleTerm(error) ? nobodyLeads(error) : error;
    }
  }

  /** The same object for the whole life of the process, so that pages can hold it. */
  function whicheverLeads<T extends object>(of: (reign: Reign) => T): T {
    return new Proxy({} as T, {
      get:
        (_, name) =>
        async (...args: unknown[]) =>
          asLeader((reign) => (of(reign)[name as keyof T] as (...a: unknown[]) => Promise<unknown>)(...args)),
    });
  }

  async function begin(number: number): Promise<void> {
    const over = new AbortController();
    const db = parts.db.withTerm(number);
    await parts.settings.reload(db);
    await graceLeases(db, parts.settings.current()['jobs.leaseSeconds']);
    const key = await clusterKeyOf(parts.db, parts.name);
    const incarnation = (await readCluster(db))?.incarnation ?? 1;
    const certificate = sign(key, { kind: 'certificate', cluster: key.cluster, incarnation, term: number, node: mesh.self });
    let revision = 0;
    let told = 0;
    // it ended while it began: what comes after it must not be overwritten
    if (elector.term() !== number) return;
    const term = assembleTerm(
      { ...parts, elector, clock },
      { number, db, signal: over.signal, key, incarnation, certificate, publishMembers, callForHello },
    );
    const announce = setInterval(() => {
      tellEveryone();
      void tellMembers().catch((error: unknown) => log.debug({ why: messageOf(error) }, 'the list of members could not be read'));
    }, 2000);
    announce.unref();
    const misfits = noteMisfits({
      db,
      network: parts.network,
      events: parts.events,
      leaseSeconds: () => parts.settings.current()['jobs.leaseSeconds'],
      log,
    });
    const pairing = createPairing({ db, key, events: parts.events, publishMembers, welcome });
    reign = {
      term,
      ask: (asked) => pairing.ask(asked),
      commands: createCommands(parts, term),
      access: createAccess({ db, events: parts.events }),
      safe: createSafe({ db, secrets: secretsOf(db), events: parts.events }),
      async end() {
        misfits.stop();
        clearInterval(announce);
        over.abort();
        await dismantleTerm(term);
      },
    };
    // the one before may have ended between a person's decision and its signature
    await catchUp();
    await currentMembers(db, key);
    await tellMembers();
    await addActivity(db, { kind: 'coordinator-changed', nodeId: mesh.self, params: { term: number } });
    if (reign?.term !== term) return;
    tellEveryone();
    parts.events.emit('coordinator.changed', { term: number });
    term.rescuer.start();
    term.retention.start();
    term.outside?.start();
    void term.scanner.start().catch((error: unknown) => log.warn({ why: messageOf(error) }, 'the first scan could not begin'));
    void term.measurer.start().catch((error: unknown) => log.warn({ why: messageOf(error) }, 'old measurements could not be ended'));
    void term.cleaner.start().catch((error: unknown) => log.warn({ why: messageOf(error) }, 'a begun clean-up could not go on'));

    function tellEveryone(): void {
      mesh.publish('coordinator', { node: mesh.self, term: number, certificate, revision });
    }

    function callForHello(): void {
      revision++;
      tellEveryone();
    }

    async function publishMembers(): Promise<void> {
      await signMembers(db, key);
      await tellMembers();
    }

    async function catchUp(): Promise<void> {
      if (!(await catchUpMembers(db, key, parts.members?.() ?? null, mesh.self))) return;
      log.warn('the machines know a newer list of members than the database, which was put back: their list is taken over');
      parts.events.emit('node.changed', { nodeId: mesh.self });
    }

    /** Also what a candidate added that was given the database just now: it signs for itself. */
    async function tellMembers(): Promise<void> {
      await catchUp();
      const cluster = await readCluster(db);
      if (!cluster?.members || cluster.membersVersion <= told) return;
      told = cluster.membersVersion;
      parts.onMembers(cluster.members);
      mesh.publish('members', cluster.members);
    }

    async function welcome(): Promise<Pick<Extract<JoinAnswer, { state: 'approved' }>, 'members' | 'certificate' | 'peers'>> {
      const members = await currentMembers(db, key);
      return { members, certificate, peers: parts.peers().slice(0, 100) };
    }
  }

  function secretsOf(db: Database): Secrets | null {
    return parts.outside ? createSecrets({ db, self: mesh.self, key: parts.outside.secretKey }) : null;
  }

  async function end(): Promise<void> {
    const ending = reign;
    reign = null;
    if (!ending) return;
    await ending.end();
    parts.events.emit('coordinator.changed', { term: null });
  }
}

function nobodyLeads(cause?: unknown): PlainError {
  return new PlainError('No machine coordinates at this moment. That lasts a few seconds; try again.', { retry: true, cause });
}
