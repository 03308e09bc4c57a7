import type { Commands } from '../core/commands.ts';
import { addActivity } from '../db/activity.ts';
import { graceLeases } from '../db/claims.ts';
import type { Database } from '../db/connect.ts';
import { messageOf, PlainError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { createCommands } from './commands.ts';
import { createDispatcher, type Dispatcher } from './dispatcher.ts';
import { createElector, type Elector } from './elector.ts';
import { createFinisher, type Finisher } from './finisher.ts';
import { createRescuer, type Rescuer } from './rescuer.ts';
import { createScanner, type Scanner } from './scanner.ts';
import { createRoster, type Roster } from './roster.ts';
import type { SettingsStore } from './settings.ts';
import { createTrash, type Trash } from './trash.ts';

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
  term(): number | null;
}

export interface CoordinatorParts {
  mesh: Mesh;
  db: Database;
  session: string;
  url: () => string;
  settings: SettingsStore;
  events: Events;
  log: Log;
  /** for tests: seconds a lease lives */
  ttlSeconds?: number;
}

export interface Term {
  number: number;
  db: Database;
  signal: AbortSignal;
  offer: () => void;
  roster: Roster;
  scanner: Scanner;
  dispatcher: Dispatcher;
  finisher: Finisher;
  rescuer: Rescuer;
  trash: Trash;
}

interface Reign {
  term: Term;
  commands: Commands;
  end: () => Promise<void>;
}

export function createCoordinator(parts: CoordinatorParts): Coordinator {
  const { mesh, log } = parts;
  let reign: Reign | null = null;
  const elector: Elector = createElector({
    db: parts.db,
    node: mesh.self,
    session: parts.session,
    url: parts.url,
    log,
    onElected: begin,
    onDeposed: end,
    ...(parts.ttlSeconds ? { ttlSeconds: parts.ttlSeconds } : {}),
  });

  mesh.handle('hello', (facts) => leading().term.roster.hello(facts));
  mesh.handle('claim', (wish) => leading().term.dispatcher.claim(wish));
  mesh.handle('report', (report) => leading().term.finisher.report(report));
  mesh.subscribe('presence', (presence) => {
    void reign?.term.roster
      .heard(presence)
      .catch((error: unknown) => log.debug({ why: messageOf(error) }, 'a presence could not be written down'));
  });
  mesh.subscribe('progress', (progress, from) => reign?.term.rescuer.heard(progress, from));

  return {
    start: () => elector.start(),
    stop: () => elector.stop(),
    commands: whicheverLeads(),
    term: () => reign?.term.number ?? null,
  };

  function leading(): Reign {
    if (!reign) throw new PlainError('No machine coordinates at this moment. That lasts a few seconds; try again.', { retry: true });
    return reign;
  }

  /** The same object for the whole life of the process, so that pages can hold it. */
  function whicheverLeads(): Commands {
    return new Proxy({} as Commands, {
      get:
        (_, name) =>
        async (...args: unknown[]) =>
          (leading().commands[name as keyof Commands] as (...a: unknown[]) => Promise<unknown>)(...args),
    });
  }

  async function begin(number: number): Promise<void> {
    const over = new AbortController();
    const db = parts.db.withTerm(number);
    await parts.settings.reload(db);
    await graceLeases(db, parts.settings.current()['jobs.leaseSeconds']);
    const term = assemble(number, db, over.signal);
    const announce = setInterval(tellEveryone, 2000);
    announce.unref();
    reign = { term, commands: createCommands(parts, term), end: () => dismantle(term, over, announce) };
    await addActivity(db, { kind: 'coordinator-changed', nodeId: mesh.self, params: { term: number } });
    tellEveryone();
    parts.events.emit('coordinator.changed', { term: number });
    term.rescuer.start();
    void term.scanner.start().catch((error: unknown) => log.warn({ why: messageOf(error) }, 'the first scan could not begin'));

    function tellEveryone(): void {
      mesh.publish('coordinator', { node: mesh.self, term: number, certificate: null });
    }
  }

  function assemble(number: number, db: Database, signal: AbortSignal): Term {
    const settings = parts.settings.current;
    const common = { mesh, db, term: number, settings, events: parts.events, log };
    const offer = (): void => dispatcher.offer();
    const roster = createRoster({ ...common, onKeeper: (node) => rescuer.askAgain(node) });
    const dispatcher = createDispatcher({ ...common, roster });
    const trash = createTrash(common);
    const finisher = createFinisher({
      ...common,
      offer,
      lookAgain: (id) => scanner.scanSoon(id),
      restored: (report) => trash.report(report),
    });
    const rescuer = createRescuer({
      ...common,
      offer,
      continue: (attempt) => finisher.continue(attempt),
      expire: (due) => trash.expire(due),
      onStale: () => void end(),
    });
    const scanner = createScanner({ ...common, offer });
    return { number, db, signal, offer, roster, scanner, dispatcher, finisher, rescuer, trash };
  }

  async function end(): Promise<void> {
    const ending = reign;
    reign = null;
    if (!ending) return;
    await ending.end();
    parts.events.emit('coordinator.changed', { term: null });
  }
}

async function dismantle(term: Term, over: AbortController, announce: NodeJS.Timeout): Promise<void> {
  clearInterval(announce);
  over.abort();
  term.dispatcher.stop();
  await Promise.allSettled([term.scanner.stop(), term.rescuer.stop()]);
}
