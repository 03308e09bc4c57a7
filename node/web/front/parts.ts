import type { ClientRequest, OutgoingHttpHeaders } from 'node:http';
import type { ClusterName, Standing, Surroundings } from '../../core/standing.ts';
import type { LogBook } from '../../log-book.ts';
import type { Log } from '../../log.ts';
import type { SetupToken } from '../auth/setup-token.ts';
import type { Visitor } from '../security.ts';
import type { TlsWish } from './tls.ts';

/** What the composition root hands to the front. Everything is read anew for every use. */
export interface FrontParts {
  /** address to listen on; 127.0.0.1 unless a person opened it */
  host: string;
  /** 0 takes any free port */
  port: number;
  /** this node's own secret: lets the command line in and signs the forms of this machine's own pages */
  secret: string;
  /** without TLS unless said */
  tls?: TlsWish;
  /** its certificate is another one now */
  onRenewed?: () => void;
  node: { id: string; name: string; version: string };
  access: FrontAccess;
  log: Log;
  /** the newest lines of this machine; left out where none are kept */
  logs?: LogBook;
  /** a support bundle of this machine */
  supportBundle?(wish: { names: boolean }, signal: AbortSignal): Promise<Uint8Array>;
  /** the application while this node coordinates, else null */
  local: () => LocalApp | null;
  /**
   * The way to the coordinator while another node coordinates, is connected and has given a key for its data plane; else
   * null. Asked several times for every request and once a second, so it must cost nothing and change nothing.
   */
  tunnel: () => Tunnel | null;
  standing: () => Standing;
  surroundings: () => Surroundings;
  actions: FrontActions;
  /** further names by which people reach this machine, for example "media.example.org" */
  allowedHosts: () => readonly string[];
  /** true in tests and development: a view that prints undefined fails instead of printing nothing */
  strict?: boolean;
}

/** How somebody shows that he has this very machine (door.ts). */
export interface FrontAccess {
  /** CODECSHIFT_AUTH=none */
  open: boolean;
  token: SetupToken | null;
}

/** `fetch` of the application (server.ts). */
export type LocalApp = (request: Request, env: { visitor: Visitor }) => Promise<Response> | Response;

/** Opens one HTTP request to the coordinator. It throws or emits `error` when that fails; it may answer late, never twice. */
export type Tunnel = (options: { method: string; path: string; headers: OutgoingHttpHeaders }) => ClientRequest;

/** What a person may do at this machine itself, whether or not anybody coordinates. A PlainError's sentence is shown. */
export interface FrontActions {
  /** asks for approval again: at this cluster, or at whichever is found */
  askAgain(cluster: string | null): Promise<void>;
  foundOwn(): Promise<void>;
  leaveAndJoin(cluster: string): Promise<void>;
  /** an address to try for ever: host:port or a multiaddr */
  addPeer(address: string): Promise<void>;
  /**
   * Ends this program in order. 'finish': after the encodes that run; 'cancel': they are given back, also those that an
   * earlier stop lets finish; null: as it was started to (`--stop`). Resolves at once.
   */
  stop(how: 'cancel' | 'finish' | null): Promise<void>;
  /** machines around that answer strangers; what a lobby knows fits */
  neighbours(): NeighbourNode[];
}

export interface NeighbourNode {
  node: string;
  name: string;
  /** null: it belongs to no cluster yet */
  cluster: (ClusterName & { established: boolean; nodes: number }) | null;
}
