import type { Context, Hono } from 'hono';
import type { Backups } from '../core/backups.ts';
import type { Actor, Commands } from '../core/commands.ts';
import type { Queryable } from '../db/connect.ts';
import type { Events } from '../events.ts';
import type { LogBook } from '../log-book.ts';
import type { Log } from '../log.ts';
import type { Act, RenderBare, RenderPage } from './page.ts';
import type { Visitor } from './security.ts';
import type { Auth, AuthParts } from './auth/auth.ts';
import type { Who } from './auth/who.ts';
import type { Live } from './live.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { Views } from './views.ts';
import type { Feed } from './api/feed.ts';
import type { Barcodes } from './barcodes.ts';
import type { Forecasts } from './forecasts.ts';

/** What the composition root hands to the web room. */
export interface WebParts {
  /** reads only; whatever changes something goes through `commands` */
  db: Queryable;
  commands: Commands;
  events: Events;
  log: Log;
  /** the newest lines of this machine; left out where none are kept */
  logs?: LogBook;
  /** makes a support bundle (assembly/support-bundle.ts); left out where none is made */
  supportBundle?(wish: { names: boolean }, signal: AbortSignal): Promise<Uint8Array>;
  /** who may come in; `openHouse` (auth/auth.ts) lets everybody in */
  auth: AuthParts;
  /** the node that makes this page: the one that coordinates */
  node: { id: string; name: string; version: string };
  /** of this machine; absent where a test has none */
  backups?: Backups;
  /** names of other clusters in this network, for the link to "This machine" */
  around?(): readonly string[];
  /** effective settings, read anew for every use */
  settings(): Record<string, unknown>;
  /** a random text of the whole cluster: a form stays valid over restarts, at every node, under every coordinator */
  secret: string;
  /** true in tests and development: a view that prints undefined fails instead of printing nothing */
  strict?: boolean;
  now?: () => Date;
}

/** What a page module works with. */
export interface Web extends Omit<WebParts, 'auth'> {
  auth: Auth;
  now(): Date;
  views: Views;
  live: Live;
  /** what happens, for programs */
  feed: Feed;
  metrics: Metrics;
  barcodes: Barcodes;
  forecasts: Forecasts;
  page: RenderPage;
  bare: RenderBare;
  act: Act;
}

export interface Env {
  /** absent in tests that ask the application without a front */
  Bindings: { visitor?: Visitor };
  Variables: {
    requestId: string;
    csrf: string;
    who: Who;
    actor: Actor;
    /** what a change was about, for the audit log: names, never a secret */
    object?: string;
    /** this change is in the audit log already */
    noted?: boolean;
  };
}

export type Ctx = Context<Env>;

/** One resource's routes. Listed in `pages/all.ts`. */
export type PageModule = (app: Hono<Env>, web: Web) => void;
