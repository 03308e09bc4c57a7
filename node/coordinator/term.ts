import { outranks, type Certificate, type Signed } from '../core/cluster.ts';
import type { PlacedFile } from '../core/source-paths.ts';
import type { Database } from '../db/connect.ts';
import { messageOf } from '../errors.ts';
import { openCertificate, type ClusterKey } from '../mesh/signing.ts';
import { createBenches, type Benches } from './benches.ts';
import { createCleaner, type Cleaner } from './cleaner.ts';
import type { CoordinatorParts } from './coordinator.ts';
import { createDispatcher, type Dispatcher } from './dispatcher.ts';
import type { Elector } from './elector.ts';
import { createFinisher, type Finisher } from './finisher.ts';
import { createMeasurer, type Measurer } from './measurer.ts';
import { createOutside, type Outside } from './outside.ts';
import { createPictureKeeping, type PictureKeeping } from './pictures.ts';
import { createProver, type Prover } from './prover.ts';
import { createRechecker, type Rechecker } from './rechecker.ts';
import { createRescuer, type Rescuer } from './rescuer.ts';
import { createRetention, type Retention } from './retention.ts';
import { createRoster, type Roster } from './roster.ts';
import { createScanner, type Scanner } from './scanner.ts';
import type { FileChange } from './source-tidings.ts';
import type { SteadyClock } from './steady-clock.ts';
import { createTickets, type Tickets } from './tickets.ts';
import { createTrashCare, type TrashCare } from './trash-care.ts';
import { createTrash, type Trash } from './trash.ts';

/** What works within one term of the coordinator, and writes with its number (coordinator.ts). */
export interface Term {
  number: number;
  db: Database;
  signal: AbortSignal;
  key: ClusterKey;
  tickets: Tickets;
  offer: () => void;
  /** signs the list of members anew and tells everybody */
  publishMembers: () => Promise<void>;
  /** something was decided about nodes: they say hello at once and learn it */
  callForHello: () => void;
  handOver: (to: string) => Promise<void>;
  prover: Prover;
  roster: Roster;
  scanner: Scanner;
  dispatcher: Dispatcher;
  finisher: Finisher;
  rescuer: Rescuer;
  trash: Trash;
  benches: Benches;
  rechecker: Rechecker;
  pictures: PictureKeeping;
  trashCare: TrashCare;
  cleaner: Cleaner;
  /** media servers and fetchers */
  outside: Outside | null;
  measurer: Measurer;
  retention: Retention;
}

/** What is known of a term before anything of it is there. */
export interface Beginning {
  number: number;
  db: Database;
  signal: AbortSignal;
  key: ClusterKey;
  incarnation: number;
  certificate: Signed;
  publishMembers: () => Promise<void>;
  callForHello: () => void;
}

export type TermParts = Pick<CoordinatorParts, 'mesh' | 'network' | 'settings' | 'events' | 'log' | 'outside'> & {
  elector: Pick<Elector, 'overtaken' | 'outranked' | 'handOver'>;
  clock: SteadyClock;
};

/** Puts the parts of a term together; none of them is started. */
export function assembleTerm(parts: TermParts, reigning: Beginning): Term {
  const { mesh, log, elector } = parts;
  const { number, db, signal, key } = reigning;
  const settings = parts.settings.current;
  const tickets = createTickets(key, number);
  const reaches = (node: string): boolean => node === mesh.self || parts.network.connected().includes(node);
  const common = { mesh, reaches, db, term: number, settings, events: parts.events, tickets, log };
  const offer = (): void => dispatcher.offer();
  // A late refusal of an earlier term says nothing of the present one. It ends by way of the elector: a term that ended
  // here alone would be renewed for ever, and nobody would coordinate.
  const onStale = (): void =>
    void elector.overtaken(number).catch((error: unknown) => log.warn({ why: messageOf(error) }, 'a term did not end'));
  const roster = createRoster({
    ...common,
    certificate: reigning.certificate,
    network: parts.network,
    onKeeper(node) {
      rescuer.askAgain(node);
      scanner.keeperReturned();
    },
    onRoots: () => void prover.kick(),
    onSaid: (node) => benches.heard(node),
    open: (signed) => openCertificate(key.publicKey, signed),
    onHigher: (signed) => compare(parts, openCertificate(key.publicKey, signed), reigning),
  });
  const prover = createProver({
    ...common,
    present: roster.present,
    onProved: () => {
      dispatcher.worldChanged();
      offer();
    },
  });
  const dispatcher = createDispatcher({ ...common, roster, wanted: (node) => measurer.wants(node) });
  const measurer = createMeasurer({ ...common, roster, offer });
  const toSources = {
    whyNotNow: async (file: PlacedFile) => (await outside?.whyNotNow(file)) ?? null,
    tidings: async (change: FileChange) => (await outside?.tidings(change)) ?? [],
    replaced: () => outside?.messenger.hurry(),
  };
  const trash = createTrash({ ...common, ...toSources, lookInTrash: (rootId) => trashCare.look(rootId) });
  const trashCare = createTrashCare({ ...common, expire: (due) => trash.expire(due) });
  const cleaner = createCleaner({ ...common, lookInTrash: (rootId) => trashCare.look(rootId) });
  const pictures = createPictureKeeping({ ...common, reachable: () => [mesh.self, ...parts.network.connected()] });
  const benches = createBenches({ ...common, offer, worldChanged: () => dispatcher.worldChanged() });
  const rechecker = createRechecker(common);
  const finisher = createFinisher({
    ...common,
    ...toSources,
    offer,
    lookAgain: (id) => scanner.scanSoon(id),
    restored: (report) => trash.report(report),
    rechecked: (report) => rechecker.report(report),
    badOutput: (attempt, code) => benches.bad(attempt, code),
  });
  const rescuer = createRescuer({
    ...common,
    offer,
    continue: (attempt) => finisher.continue(attempt),
    expire: (due) => trash.expire(due),
    clock: parts.clock,
    recheck: () => rechecker.round(),
    forgetPictures: () => pictures.forgetOld(),
    onStale,
  });
  const scanner = createScanner({
    ...common,
    offer,
    listing: async (library, onItems, signal) => (await outside?.sources.list(library, onItems, signal)) ?? null,
    settle: async (library) => outside?.sources.settle(library),
  });
  const outside = parts.outside
    ? createOutside({
        ...common,
        ...parts.outside,
        self: mesh.self,
        clientId: key.cluster,
        scanner,
        continue: (attempt) => finisher.continue(attempt),
        onStale,
        signal,
      })
    : null;
  const retention = createRetention({ ...common, onStale });
  const { publishMembers, callForHello } = reigning;
  const handOver = (to: string): Promise<void> => elector.handOver(to);
  return {
    number,
    db,
    signal,
    key,
    tickets,
    offer,
    publishMembers,
    callForHello,
    handOver,
    roster,
    prover,
    scanner,
    dispatcher,
    finisher,
    rescuer,
    trash,
    benches,
    rechecker,
    pictures,
    trashCare,
    cleaner,
    outside,
    measurer,
    retention,
  };
}

/** A node follows somebody higher. If that is of this very cluster, our database is older than the cluster's past. */
function compare(
  { elector, log }: Pick<TermParts, 'elector' | 'log'>,
  theirs: Certificate | null,
  ours: Pick<Beginning, 'number' | 'incarnation'>,
): void {
  if (!theirs || !outranks(theirs, { incarnation: ours.incarnation, term: ours.number })) return;
  if (theirs.incarnation === ours.incarnation) void elector.outranked(theirs.term);
  else log.warn({ theirs, ours: ours.number }, 'a node follows a later life of this cluster; this database was left behind');
}

/** Stops every loop of it. */
export async function dismantleTerm(term: Term): Promise<void> {
  term.dispatcher.stop();
  term.prover.stop();
  await Promise.allSettled([
    term.scanner.stop(),
    term.rescuer.stop(),
    term.cleaner.stop(),
    term.trashCare.stop(),
    term.measurer.stop(),
    term.retention.stop(),
    term.outside?.stop(),
  ]);
}
