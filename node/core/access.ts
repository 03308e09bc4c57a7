import type { Actor } from './commands.ts';

/**
 * Who may do what, as rules without a clock. A person is an admin or a viewer; a token carries scopes; a route asks for a
 * right (web/auth/rights.ts). Until somebody decided how people are let in, nobody is let in at all.
 *
 *   undecided ──set-up token──▶ local · oidc (people sign in)
 *                          └──▶ none (everybody who reaches the page may do everything; said on every page)
 */
export type Role = 'admin' | 'viewer';
export type Scope = 'read' | 'queue' | 'admin' | 'metrics' | 'hook';
export type SignInMethod = 'password' | 'oidc' | 'proxy';
export type SetupMethod = 'local' | 'oidc' | 'none';

/**
 * What a route asks for. `public`: nobody is asked. `self`: whoever is signed in, about himself. `read`: look. `queue`: order and
 * pause work. `admin`: everything else. `metrics`, `hook`: programs with exactly that. `host`: whoever has the machine's own secret.
 */
export type Right = 'public' | 'self' | 'read' | 'queue' | 'admin' | 'metrics' | 'hook' | 'host';

export const scopes: readonly Scope[] = ['read', 'queue', 'admin', 'metrics', 'hook'];

/** What a token's scopes allow. `queue` includes looking and telling of films; `admin` includes everything. */
export function scopesAllow(granted: readonly string[], right: Right): boolean {
  if (right === 'public') return true;
  if (right === 'self' || right === 'host') return false;
  if (granted.includes('admin') || granted.includes(right)) return true;
  return (right === 'read' || right === 'hook') && granted.includes('queue');
}

/** A viewer looks, and looks after himself. */
export function roleAllows(role: Role, right: Right): boolean {
  if (right === 'public' || right === 'self' || right === 'read') return true;
  if (right === 'host') return false;
  return role === 'admin';
}

/** Two names that a person would take for one are one: case, and letters that only look the same by their encoding. */
export function nameKey(name: string): string {
  return name.normalize('NFKC').toLowerCase().normalize('NFKC');
}

/** Why a name for signing in is none; null when it may be used. */
export function nameProblem(name: string): string | null {
  if (name.length === 0) return 'Choose a name to sign in with.';
  if (name.length > 60) return 'A name has 60 characters at most.';
  return /^[\p{L}\p{N}][\p{L}\p{N}\p{M}._@+-]*$/u.test(name)
    ? null
    : 'A name begins with a letter or a digit, and has only letters, digits and . _ - @ + in it.';
}

/** After so many failures in a row the next try of an account has to wait, longer each time, never for good. Seconds. */
export function waitAfter(failures: number): number {
  return failures < 5 ? 0 : Math.min(300, 2 ** Math.min(failures - 5, 20));
}

/** Failures that one address may have in its window. */
export const addressLimit = { failures: 30, windowSeconds: 900 } as const;
/** How long a proof of who somebody is lasts for dangerous things. */
export const PROOF_MS = 15 * 60_000;
/** How long a password that an admin gave out may be used. */
export const ONE_TIME_HOURS = 24;

/** Where a request came from, for the audit log and for throttling. */
export interface From {
  address: string;
  agent: string;
}

export interface AuditEntry {
  action: string;
  /** names only, never a secret */
  object?: string;
  result: 'ok' | 'refused' | 'failed';
  says?: string;
}

export interface NewUser {
  name: string;
  displayName: string;
  role: Role;
  /** PHC string, or null: signs in another way */
  password: string | null;
  oneTime: boolean;
}

/**
 * What writes about people, their sessions and tokens. The pages act only through this; the coordinator implements it
 * (coordinator/access.ts). Whatever changes what somebody may do ends the sessions that it must not outlive, in the same
 * transaction. All of them throw `PlainError` with a sentence for the person when the wish cannot be met.
 */
export interface Access {
  /** the first decision; refused once there was one. With a person it makes the first admin, and resolves with his number */
  decide(
    wish:
      | { method: 'local'; user: NewUser }
      | { method: 'oidc'; user: NewUser; identity: { issuer: string; subject: string; label: string } }
      | { method: 'none' },
    by: Actor,
    from: From,
  ): Promise<number | null>;
  /** nobody had to sign in until now: from now on people do, beginning with this admin */
  close(user: NewUser, by: Actor, from: From): Promise<number>;
  /** on the host itself: this admin with this one-time password, made or put right; all his sessions end */
  resetAdmin(wish: { name: string; password: string }, by: Actor, from: From): Promise<void>;

  /** a new session; `replaces` ends at once. `session` is the hash of what the cookie holds */
  openSession(
    wish: { session: string; userId: number; method: SignInMethod; replaces: string | null; idToken: string | null; says?: string },
    from: From,
  ): Promise<void>;
  /** he proved again who he is: the session goes on under another id */
  renewSession(wish: { session: string; next: string }, from: From): Promise<boolean>;
  /** a person did something; at most once a minute */
  sawSession(session: string): Promise<void>;
  endSession(session: string, by: Actor, from: From, how: 'signed-out' | 'revoked' | 'expired'): Promise<void>;
  /** all of a person, but perhaps one; resolves with their number */
  endSessions(userId: number, except: string | null, by: Actor, from: From): Promise<number>;

  addUser(user: NewUser, by: Actor, from: From): Promise<number>;
  /** ends his sessions when role or right to be here changed; the last admin who can sign in stays one */
  changeUser(id: number, change: { displayName?: string; role?: Role; disabled?: boolean }, by: Actor, from: From): Promise<void>;
  removeUser(id: number, by: Actor, from: From): Promise<void>;
  /** ends his other sessions; `except` stays */
  setPassword(wish: { userId: number; password: string; oneTime: boolean; except: string | null }, by: Actor, from: From): Promise<void>;
  /** the same password under today's parameters; nothing else changes */
  rehash(userId: number, before: string, after: string): Promise<void>;

  /** a provider's person is this user from now on; refused when he is another one's already */
  linkIdentity(wish: { userId: number; issuer: string; subject: string; label: string }, by: Actor, from: From): Promise<void>;
  unlinkIdentity(wish: { userId: number; issuer: string; subject: string }, by: Actor, from: From): Promise<void>;
  usedIdentity(issuer: string, subject: string): Promise<void>;

  addToken(
    token: { id: string; hash: string; name: string; scopes: Scope[]; userId: number | null; days: number | null },
    by: Actor,
    from: From,
  ): Promise<void>;
  revokeToken(id: string, by: Actor, from: From): Promise<void>;
  usedToken(id: string): Promise<void>;

  /** one failure more; resolves with how many there are now */
  failed(key: string, windowSeconds: number | null): Promise<number>;
  succeeded(keys: string[]): Promise<void>;
  /** how people are let in, what they did with whom, and what was refused */
  note(entry: AuditEntry, by: Actor, from: From): Promise<void>;
}
