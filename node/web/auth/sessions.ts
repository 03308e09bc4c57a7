import { createHash, randomBytes } from 'node:crypto';
import { PROOF_MS, type Access, type From, type SignInMethod } from '../../core/access.ts';
import type { Queryable } from '../../db/connect.ts';
import { readSession, type SessionOwner } from '../../db/sessions.ts';
import { messageOf } from '../../errors.ts';
import type { Events } from '../../events.ts';
import type { Log } from '../../log.ts';
import type { Ctx } from '../web.ts';
import type { Cookies } from './cookies.ts';

/**
 * Who is signed in. The cookie holds 32 random bytes, the database their hash. What was read is remembered until something about
 * people or sessions changed, so that looking at a page writes nothing and mostly reads nothing.
 *
 *   open ──▶ valid ──(nobody did anything for too long · too old · ended · its person changed)──▶ over: its streams end too
 *              └── proved again: the same session under another id
 */
export interface Sessions {
  /** the valid session of this request, or null */
  of(c: Ctx): Promise<SessionOwner | null>;
  /** a person did something: it lives on. Written at most once a minute */
  deed(session: SessionOwner): void;
  open(
    c: Ctx,
    wish: { userId: number; method: SignInMethod; idToken?: string | null; says?: string },
    from: From,
  ): Promise<SessionOwner | null>;
  renew(c: Ctx, session: SessionOwner, from: From): Promise<boolean>;
  isProved(session: SessionOwner): boolean;
  /** aborted when the session ends; looked at every half minute and at every change */
  whileValid(session: SessionOwner): { signal: AbortSignal; release(): void };
  stop(): void;
}

export interface SessionParts {
  db: Queryable;
  access: Access;
  events: Events;
  cookies: Cookies;
  settings(): Record<string, unknown>;
  now(): Date;
  log: Log;
}

const LOOK_MS = 30_000;
const SEEN_MS = 60_000;
const REMEMBERED = 2000;

export function createSessions(parts: SessionParts): Sessions {
  const { db, access, cookies } = parts;
  const known = new Map<string, SessionOwner>();
  const written = new Map<string, number>();
  const watched = new Map<AbortController, SessionOwner>();
  let forgotten = 0;
  const forget = (): void => {
    known.clear();
    forgotten++;
    void lookAtStreams();
  };
  const offs = [parts.events.on('access.changed', forget), parts.events.on('coordinator.changed', forget)];
  const timer = setInterval(() => void lookAtStreams(), LOOK_MS).unref();

  return {
    async of(c) {
      const cookie = cookies.read(c, 'session');
      return cookie && /^[\w-]{43}$/.test(cookie) ? valid(hashOf(cookie)) : null;
    },

    deed(session) {
      session.seenAt = parts.now();
      const now = parts.now().getTime();
      if (now - (written.get(session.id) ?? session.createdAt.getTime()) < SEEN_MS) return;
      if (written.size > REMEMBERED) written.clear();
      written.set(session.id, now);
      access
        .sawSession(session.id)
        .catch((error: unknown) => parts.log.debug({ why: messageOf(error) }, 'it could not be written down that somebody is here'));
    },

    async open(c, { userId, method, idToken = null, says }, from) {
      const secret = randomBytes(32).toString('base64url');
      const before = cookies.read(c, 'session');
      await access.openSession(
        { session: hashOf(secret), userId, method, replaces: before ? hashOf(before) : null, idToken, ...(says ? { says } : {}) },
        from,
      );
      cookies.write(c, 'session', secret);
      return valid(hashOf(secret));
    },

    async renew(c, session, from) {
      const secret = randomBytes(32).toString('base64url');
      const renewed = await access.renewSession({ session: session.id, next: hashOf(secret) }, from);
      if (renewed) cookies.write(c, 'session', secret);
      return renewed;
    },

    isProved: (session) => parts.now().getTime() - session.authenticatedAt.getTime() < PROOF_MS,

    whileValid(session) {
      const over = new AbortController();
      watched.set(over, session);
      return { signal: over.signal, release: () => void watched.delete(over) };
    },

    stop() {
      clearInterval(timer);
      offs.forEach((off) => off());
    },
  };

  async function valid(id: string): Promise<SessionOwner | null> {
    let session = known.get(id) ?? null;
    if (!session) {
      const before = forgotten;
      session = await readSession(db, id);
      if (!session) return null;
      if (known.size > REMEMBERED) known.clear();
      // it may have been ended while its row was on the way here
      if (before === forgotten) known.set(id, session);
    }
    return isAlive(session) ? session : null;
  }

  function isAlive(session: SessionOwner): boolean {
    const now = parts.now().getTime();
    const idle = hours(parts.settings()['access.idleHours'], 24);
    // a provider may have taken somebody's right away since: it is asked anew every day
    const whole = session.method === 'password' ? hours(parts.settings()['access.sessionDays'], 30) * 24 : 24;
    return !session.disabled && now - session.seenAt.getTime() < idle * 3_600_000 && now - session.createdAt.getTime() < whole * 3_600_000;
  }

  async function lookAtStreams(): Promise<void> {
    for (const [over, { id }] of [...watched]) {
      // a database that is away for a moment ends nobody's page
      const session = await valid(id).catch(() => undefined);
      if (session !== null) continue;
      watched.delete(over);
      over.abort();
    }
  }
}

export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function hours(value: unknown, otherwise: number): number {
  return typeof value === 'number' && value > 0 ? value : otherwise;
}
