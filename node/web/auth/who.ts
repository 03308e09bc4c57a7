import { roleAllows, scopesAllow, type Right } from '../../core/access.ts';
import type { Actor } from '../../core/commands.ts';
import type { ApiToken } from '../../db/api-tokens.ts';
import type { SessionOwner } from '../../db/sessions.ts';

/** Who sends a request, as far as it is proved. */
export type Who =
  /** `why`: a proxy says who it is, and that is nobody here */
  | { kind: 'nobody'; why?: string }
  /** nobody has to sign in here */
  | { kind: 'open' }
  /** the command line, with the secret of a machine; `remote`: of another machine than this one; `open`: nobody has to sign in */
  | { kind: 'host'; remote: boolean; open: boolean }
  | { kind: 'person'; session: SessionOwner }
  | { kind: 'token'; token: ApiToken; role: 'admin' | 'viewer' | null };

export function mayDo(who: Who, right: Right): boolean {
  if (right === 'public') return true;
  switch (who.kind) {
    case 'nobody':
      return false;
    case 'open':
      return right !== 'host';
    case 'host':
      if (right === 'host' || right === 'self') return right === 'host' && !who.remote;
      // a machine can claim to be its command line: one that went bad must not become the master of all of them
      return !who.remote || who.open || right === 'read' || right === 'queue';
    case 'person':
      return roleAllows(who.session.role, right);
    case 'token':
      // it can never do more than the person who made it may do today
      return scopesAllow(who.token.scopes, right) && (who.role === null || roleAllows(who.role, right));
  }
}

/** May this visitor change anything but his own things? Decides what a page shows. */
export function mayChange(who: Who): boolean {
  return mayDo(who, 'admin');
}

export function actorOf(who: Who, path: string): Actor {
  switch (who.kind) {
    case 'host':
      return { name: 'the command line', via: 'cli' };
    case 'person':
      return { name: who.session.name, via: 'page', user: who.session.userId };
    case 'token':
      return { name: `the token ${who.token.name}`, via: 'api', ...(who.token.userId === null ? {} : { user: who.token.userId }) };
    default:
      return { name: 'the dashboard', via: path.startsWith('/api/') ? 'api' : 'page' };
  }
}
