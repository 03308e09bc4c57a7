import { timingSafeEqual } from 'node:crypto';
import type { Access, From, SetupMethod } from '../../core/access.ts';
import { readApiToken } from '../../db/api-tokens.ts';
import type { Queryable } from '../../db/connect.ts';
import type { SessionOwner } from '../../db/sessions.ts';
import { readSetup, userByIdentity } from '../../db/users.ts';
import { messageOf } from '../../errors.ts';
import type { Events } from '../../events.ts';
import type { Log } from '../../log.ts';
import { refuse } from '../errors.ts';
import type { Ctx } from '../web.ts';
import { createCookies, externalUrl, type Cookies } from './cookies.ts';
import { createGuessing, type Guessing } from './guessing.ts';
import { createPasswords, type Passwords } from './password.ts';
import { createSessions, hashOf, type Sessions } from './sessions.ts';
import { createProvider, type Provider, type ProviderParts } from './provider.ts';
import { strangerOfProxy } from './proxy-sign-in.ts';
import type { SetupToken } from './setup-token.ts';
import { personHere } from './strangers.ts';
import type { Who } from './who.ts';

/**
 * Who may come in, on the node that coordinates. `gate.ts` asks it before every page; the pages of signing in act through it.
 *
 *   request ─▶ who is it? ─┬─ the machine's own secret ─▶ the command line        (front.ts)
 *                          ├─ Authorization: Bearer cs_… ─▶ a token, by its scopes
 *                          ├─ nobody has to sign in ─▶ everybody
 *                          └─ cookie ─▶ a session, by its person's role            (sessions.ts)
 */
export interface Auth {
  access: Access;
  cookies: Cookies;
  sessions: Sessions;
  guessing: Guessing;
  passwords: Passwords;
  /** of this machine; null in tests that never set anything up */
  setup: SetupToken | null;
  /** null in tests that speak with nobody outside */
  provider: Provider | null;
  /** `open`: by the environment nobody signs in here, whatever was decided */
  state(): Promise<SetupMethod | 'undecided' | 'open'>;
  who(c: Ctx): Promise<Who>;
  from(c: Ctx): From;
  stop(): void;
}

/** What the composition root hands in. */
export interface AuthParts {
  access: Access;
  /** CODECSHIFT_AUTH=none */
  open: boolean;
  setup: SetupToken | null;
  passwords?: Passwords;
  provider?: ProviderParts;
}

export interface AuthNeeds extends AuthParts {
  db: Queryable;
  events: Events;
  settings(): Record<string, unknown>;
  secret: string;
  now(): Date;
  log: Log;
}

const USED_MS = 60_000;

export function createAuth(needs: AuthNeeds): Auth {
  const { db, access, events, secret } = needs;
  const cookies = createCookies({ secret, externalUrl: () => externalUrl(needs.settings()) });
  const sessions = createSessions({ ...needs, cookies });
  const provider = needs.provider
    ? createProvider({ ...needs.provider, db, values: () => needs.settings(), now: needs.now, log: needs.log })
    : null;
  const used = new Map<string, number>();
  let decided: SetupMethod | null = null;
  let decisions = 0;
  const forget = (): void => {
    decided = null;
    decisions++;
  };
  const off = events.on('access.changed', ({ what }) => void (what === 'setup' && forget()));
  const offTerm = events.on('coordinator.changed', ({ term }) => {
    forget();
    if (term !== null) provider?.warm();
  });

  return {
    access,
    cookies,
    sessions,
    guessing: createGuessing({ db, access, secret }),
    passwords: needs.passwords ?? createPasswords(),
    setup: needs.setup,
    provider,
    state,
    async who(c) {
      const visitor = c.env?.visitor;
      if (visitor?.asks === 'cli') return { kind: 'host', remote: visitor.tunnelled, open: isOpen(await state()) };
      const bearer = /^Bearer (cs_\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
      if (bearer !== undefined) return token(bearer);
      if (isOpen(await state())) return { kind: 'open' };
      // a program shows a token: what a browser has with it opens no interface for programs
      if (c.req.path.startsWith('/api/')) return { kind: 'nobody' };
      const session = await sessions.of(c);
      if (session && session.method !== 'proxy') return { kind: 'person', session };
      return provider ? throughProxy(c, provider, session) : { kind: 'nobody' };
    },
    from: fromOf,
    stop() {
      off();
      offTerm();
      sessions.stop();
    },
  };

  async function state(): Promise<SetupMethod | 'undecided' | 'open'> {
    if (needs.open) return 'open';
    // it never goes back to undecided, so only that is asked again
    if (decided) return decided;
    const before = decisions;
    const method = (await readSetup(db))?.method ?? null;
    // decided anew while the answer was on its way: it is not remembered
    if (before === decisions) decided = method;
    return method ?? 'undecided';
  }

  /** What the proxy says counts at every request: without its word a session that it began is nobody's. */
  async function throughProxy(c: Ctx, provider: Provider, session: SessionOwner | null): Promise<Who> {
    const spoken = await strangerOfProxy(c, needs.settings(), provider).catch((error: unknown) => {
      needs.log.warn({ why: messageOf(error) }, 'the word of the proxy could not be checked, so it was not believed');
      return null;
    });
    if (!spoken) return { kind: 'nobody' };
    const known = session && (await userByIdentity(db, spoken.stranger.issuer, spoken.stranger.subject));
    if (session && known?.id === session.userId) return { kind: 'person', session };
    // pages only: whoever keeps no cookies must not fill the books with sessions
    if (c.req.method !== 'GET' || !(c.req.header('accept') ?? '').includes('text/html')) return { kind: 'nobody' };
    const from = fromOf(c);
    const found = await personHere({ db, access }, spoken.stranger, spoken.rules, from);
    if (!found.user) return { kind: 'nobody', why: found.why };
    const opened = await sessions.open(c, { userId: found.user.id, method: 'proxy', says: spoken.stranger.label }, from);
    return opened ? { kind: 'person', session: opened } : { kind: 'nobody' };
  }

  async function token(bearer: string): Promise<Who> {
    const match = /^cs_([a-z0-9]{10})_([\w-]{43})$/.exec(bearer);
    const row = match ? await readApiToken(db, match[1]!) : null;
    if (!row || !same(row.hash, hashOf(bearer))) throw refuse('wrong-api-token');
    const { hash: _, role, ...rest } = row;
    noteUse(rest.id);
    return { kind: 'token', token: rest, role };
  }

  function noteUse(id: string): void {
    const now = needs.now().getTime();
    if (now - (used.get(id) ?? 0) < USED_MS) return;
    if (used.size > 1000) used.clear();
    used.set(id, now);
    access
      .usedToken(id)
      .catch((error: unknown) => needs.log.debug({ why: messageOf(error) }, 'the use of a token could not be written down'));
  }
}

/** Nobody has to sign in: so it was decided, or so the program was started. */
function isOpen(state: SetupMethod | 'undecided' | 'open'): boolean {
  return state === 'open' || state === 'none';
}

function fromOf(c: Ctx): From {
  return { address: c.env?.visitor?.address ?? '', agent: (c.req.header('user-agent') ?? '').slice(0, 200) };
}

/** A house without a door, for tests about everything behind it. */
export const openHouse: AuthParts = {
  access: new Proxy({} as Access, { get: (_, name) => () => Promise.reject(new Error(`nobody signs in here: ${String(name)}`)) }),
  open: true,
  setup: null,
};

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
