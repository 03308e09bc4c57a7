import type { Actor, Commands } from '../core/commands.ts';
import { createEvents, type Events } from '../events.ts';
import type { LogBook } from '../log-book.ts';
import { createLog } from '../log.ts';
import type { Queryable } from '../db/connect.ts';
import { readMigrations } from '../db/migrate.ts';
import { openHouse, type AuthParts } from '../web/auth/auth.ts';
import { createWeb, type AloneParts } from '../web/server.ts';

/** The real web room on a real port, with commands that are written down instead of carried out. */
export interface TestWeb {
  url: string;
  port: number;
  events: Events;
  settings: Record<string, unknown>;
  /** what was asked for, oldest first */
  asked: { name: string; args: unknown[]; by: Actor }[];
  /** lines of the log at warn and above */
  complaints: string[];
  stop(): Promise<void>;
  /** on the same port, as after an upgrade or a crash */
  start(): Promise<void>;
}

export interface TestWebOptions {
  db: Queryable;
  /** what a command does beside being written down; it may throw */
  answer?: (name: string, args: unknown[]) => unknown;
  port?: number;
  allowedHosts?: string[];
  /** who may come in; everybody unless said */
  auth?: (events: Events) => AuthParts;
  now?: () => Date;
  /** the lines of this machine */
  logs?: LogBook;
}

/** Books without a film and without a coordinator, for tests that need no rows. */
export const emptyBooks: Queryable = {
  query: async (sql) =>
    (/\bfrom coordinator\b/.test(sql) ? [{ term: 0, holder: null, session: null, url: null, held: false }] : []) as never,
};

/** The same, with somebody who leads and the schema of this program. */
export const readyBooks: Queryable = {
  query: async (sql, params) => {
    if (/from schema_migrations/.test(sql)) return [{ schema: readMigrations().length }] as never;
    if (/\bfrom coordinator\b/.test(sql)) return [{ term: 1, holder: 'node-atlas', session: null, url: null, held: true }] as never;
    return emptyBooks.query(sql, params);
  },
};

/** What an application is made of in a test: its commands are written down in `asked`. */
export interface TestWebParts {
  parts: AloneParts;
  events: Events;
  settings: Record<string, unknown>;
  asked: TestWeb['asked'];
  complaints: string[];
}

export function webParts(options: TestWebOptions): TestWebParts {
  const complaints: string[] = [];
  const log = createLog({ level: 'warn', pretty: false, write: (line) => complaints.push(line) });
  const events = createEvents((error) => complaints.push(String(error)));
  const settings: Record<string, unknown> = { 'queue.paused': false, 'queue.order': 'saving' };
  const asked: TestWeb['asked'] = [];
  const commands = new Proxy({} as Commands, {
    get:
      (_target, name: string) =>
      async (...args: unknown[]) => {
        asked.push({ name, args: args.slice(0, -1), by: args.at(-1) as Actor });
        if (name === 'pauseAll' || name === 'resumeAll') {
          settings['queue.paused'] = name === 'pauseAll';
          events.emit('settings.changed', { keys: ['queue.paused'] });
        }
        return (await options.answer?.(name, args)) ?? (name === 'saveSettings' ? [] : 1);
      },
  });
  const parts: AloneParts = {
    db: options.db,
    commands,
    events,
    log,
    host: '127.0.0.1',
    port: options.port ?? 0,
    node: { id: 'node-atlas', name: 'atlas', version: '0.1.0' },
    settings: () => settings,
    secret: 'a-secret-of-this-test',
    strict: true,
    auth: options.auth?.(events) ?? openHouse,
    ...(options.now ? { now: options.now } : {}),
    ...(options.logs ? { logs: options.logs } : {}),
    allowedHosts: options.allowedHosts ?? [],
  };
  return { parts, events, settings, asked, complaints };
}

export async function startWeb(t: { after(fn: () => Promise<void>): void }, options: TestWebOptions): Promise<TestWeb> {
  const { parts, events, settings, asked, complaints } = webParts(options);
  let web = createWeb(parts);
  const { url } = await web.start();
  const port = Number(new URL(url).port);
  t.after(() => web.stop());
  return {
    url: url.replace(/\/$/, ''),
    port,
    events,
    settings,
    asked,
    complaints,
    stop: () => web.stop(),
    async start() {
      web = createWeb({ ...parts, port });
      await web.start();
    },
  };
}
