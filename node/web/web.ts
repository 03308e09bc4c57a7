import type { Context, Hono } from 'hono';
import type { Actor, Commands } from '../core/commands.ts';
import type { Queryable } from '../db/connect.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Act, RenderPage } from './page.ts';
import type { Live } from './live.ts';
import type { Views } from './views.ts';

/** What the composition root hands to the web room. */
export interface WebParts {
  /** reads only; whatever changes something goes through `commands` */
  db: Queryable;
  commands: Commands;
  events: Events;
  log: Log;
  /** address to listen on; 127.0.0.1 unless a person opened it */
  host: string;
  /** 0 takes any free port */
  port: number;
  /** the node that serves this page */
  node: { id: string; name: string; version: string };
  /** effective settings, read anew for every use */
  settings(): Record<string, unknown>;
  /** a random text that stays the same over restarts: forms of an open page stay valid, the command line is let in */
  secret: string;
  /** further names by which people reach this machine, for example "media.example.org" */
  allowedHosts?: readonly string[];
  /** true in tests and development: a view that prints undefined fails instead of printing nothing */
  strict?: boolean;
  now?: () => Date;
}

/** What a page module works with. */
export interface Web extends WebParts {
  now(): Date;
  views: Views;
  live: Live;
  page: RenderPage;
  act: Act;
}

export interface Env {
  Variables: {
    requestId: string;
    csrf: string;
    actor: Actor;
  };
}

export type Ctx = Context<Env>;

/** One resource's routes. Listed in `pages/all.ts`. */
export type PageModule = (app: Hono<Env>, web: Web) => void;
