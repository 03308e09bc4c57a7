import type { LogsPart } from './logs.ts';
import type { Role, Scope } from '../../core/access.ts';
import type { ApiToken } from '../../db/api-tokens.ts';
import type { AuditRow } from '../../db/audit.ts';
import type { Session } from '../../db/sessions.ts';
import type { Identity, User } from '../../db/users.ts';
import type { SettingGroup } from '../../config/setting.ts';

/** A way to sign in beside a password: its button. */
export interface Provider {
  label: string;
  href: string;
}

export interface SignInView {
  back: string;
  name: string;
  problem: string;
  /** false: passwords are switched off beside a provider */
  withPassword: boolean;
  /** the form all the same, for somebody with a one-time password */
  oneTimeHref: string;
  providers: Provider[];
  nodeName: string;
}

export interface ClosedView {
  name: string;
}

export interface SetupTokenView {
  nodeName: string;
  problem: string;
}

export interface SetupView {
  nodeName: string;
  name: string;
  problem: string;
  /** what has to be typed for a house without a door */
  phrase: string;
  noneProblem: string;
  /** everybody comes in already, so nothing else is offered */
  closing: boolean;
  providers: Provider[];
}

export interface SignedOutView {
  /** where the provider signs out, or '' */
  elsewhereHref: string;
}

export interface ProveView {
  back: string;
  name: string;
  problem: string;
  withPassword: boolean;
  providers: Provider[];
}

export interface SessionLine {
  id: string;
  device: string;
  address: string;
  method: string;
  created: Date;
  seen: Date;
  here: boolean;
}

export interface AccountPage {
  name: string;
  displayName: string;
  role: Role;
  hasPassword: boolean;
  oneTime: boolean;
  problem: string;
  sessions: SessionLine[];
  identities: Identity[];
  /** accounts of a provider that can be linked */
  providers: Provider[];
  now: Date;
}

export interface Pills {
  groups: { name: SettingGroup; label: string }[];
  group: 'people' | 'api-tokens' | 'audit' | 'logs';
}

/** The log of the machine that coordinates. */
export interface LogsPage extends Pills, LogsPart {
  /** a support bundle can be made here */
  bundle: boolean;
}

export interface PeoplePage extends Pills {
  people: User[];
  me: number | null;
  form: { name: string; displayName: string; role: Role; problem: string };
  /** shown once */
  made: { name: string; password: string } | null;
  now: Date;
}

export interface PersonPage {
  user: User;
  me: boolean;
  sessions: SessionLine[];
  identities: Identity[];
  made: { name: string; password: string } | null;
  now: Date;
}

export interface TokensPage extends Pills {
  tokens: ApiToken[];
  form: { name: string; scopes: Scope[]; days: string; problem: string };
  made: { name: string; token: string } | null;
  now: Date;
}

export interface AuditPage extends Pills {
  rows: AuditLine[];
  olderHref: string | null;
  newestHref: string | null;
  now: Date;
}

export interface AuditLine {
  id: number;
  at: Date;
  who: string;
  what: string;
  object: string;
  from: string;
  device: string;
  result: 'ok' | 'refused' | 'failed';
}

export function sessionLine(session: Session, here: string | null): SessionLine {
  const methods = { password: 'with a password', oidc: 'through a provider', proxy: 'through a proxy' } as const;
  return {
    id: session.id,
    device: deviceOf(session.agent),
    address: session.address,
    method: methods[session.method],
    created: session.createdAt,
    seen: session.seenAt,
    here: session.id === here,
  };
}

export function auditLine(row: AuditRow): AuditLine {
  return {
    id: row.id,
    at: row.at,
    who: row.actor,
    what: row.says ? `${row.action}: ${row.says}` : row.action,
    object: row.object,
    from: row.address,
    device: row.agent ? deviceOf(row.agent) : row.via,
    result: row.result,
  };
}

/** A browser and a system as a person knows them; what it says of itself is not believed for anything else. */
export function deviceOf(agent: string): string {
  const browser = /\bEdg\//.test(agent)
    ? 'Edge'
    : /\bOPR\//.test(agent)
      ? 'Opera'
      : /\bFirefox\//.test(agent)
        ? 'Firefox'
        : /\bChrome\//.test(agent)
          ? 'Chrome'
          : /\bSafari\//.test(agent)
            ? 'Safari'
            : '';
  const system =
    /\b(iPhone|iPad)\b/.exec(agent)?.[1] ??
    (/Android/.test(agent)
      ? 'Android'
      : /Windows/.test(agent)
        ? 'Windows'
        : /Mac OS X|Macintosh/.test(agent)
          ? 'a Mac'
          : /Linux|X11/.test(agent)
            ? 'Linux'
            : '');
  if (browser && system) return `${browser} on ${system}`;
  return browser || system || agent.slice(0, 40) || 'unknown';
}
