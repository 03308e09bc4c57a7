import { randomBytes } from 'node:crypto';
import { nameProblem, type Access, type From } from '../../core/access.ts';
import type { Actor } from '../../core/commands.ts';
import { admit, type Claims, type SignInRules } from '../../core/sign-in-rules.ts';
import type { Queryable } from '../../db/connect.ts';
import type { OidcPerson } from './oidc-flow.ts';
import { userByIdentity, userByName, type User } from '../../db/users.ts';

/** Somebody whom another program knows: a provider, or a proxy in front of this page. */
export interface Stranger {
  /** with `subject` who it is; an e-mail address never is, because anybody may claim one */
  issuer: string;
  subject: string;
  name: string;
  /** to recognise it on a page */
  label: string;
  claims: Claims;
}

/** Made such a person, and decides at every sign-in what he may. A person whom somebody here made keeps the role of here. */
const providerActor: Actor = { name: 'the sign-in provider', via: 'system' };
const MAX_NAMES = 20;

/**
 * Who that is here.
 *
 *   known ─┬─ made here, then linked ─▶ that person, with the role of here
 *          └─ made by a provider ─────▶ the rules say what he may today ─┬─ nobody ─▶ his sessions end, and why
 *   unknown ──────────────────────────▶ the rules ─┬─ a role ─▶ a new person, never one of the same name or address
 *                                                  └─ nobody ─▶ why
 *
 * @throws PlainError when the last admin would be lost, or the name cannot be made
 */
export async function personHere(
  parts: { db: Queryable; access: Access },
  stranger: Stranger,
  rules: SignInRules,
  from: From,
): Promise<{ user: User } | { user: null; why: string }> {
  const { db, access } = parts;
  const known = await userByIdentity(db, stranger.issuer, stranger.subject);
  if (known?.disabled) return { user: null, why: 'This person may not sign in here any more. An administrator can change that.' };
  if (known && known.createdBy !== providerActor.name) return { user: known };
  const admission = admit(stranger.claims, rules);
  if (admission.role === null) {
    if (known) await access.endSessions(known.id, null, providerActor, from);
    return { user: null, why: admission.why };
  }
  if (known && known.role !== admission.role) await access.changeUser(known.id, { role: admission.role }, providerActor, from);
  if (known) return { user: { ...known, role: admission.role } };
  const name = await freeName(db, stranger.name);
  const displayName = shownName(stranger);
  const id = await access.addUser({ name, displayName, role: admission.role, password: null, oneTime: false }, providerActor, from);
  await access.linkIdentity({ userId: id, issuer: stranger.issuer, subject: stranger.subject, label: stranger.label }, providerActor, from);
  return { user: (await userByIdentity(db, stranger.issuer, stranger.subject))! };
}

export function strangerOf({ issuer, subject, name, claims }: OidcPerson, label: string): Stranger {
  return { issuer, subject, name, label, claims };
}

/** Whoever is called like somebody here already is still somebody else. */
export async function freeName(db: Queryable, wished: string): Promise<string> {
  const letters = wished
    .normalize('NFKC')
    .replaceAll(/[^\p{L}\p{N}\p{M}._@+-]/gu, '')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .slice(0, 50);
  const base = nameProblem(letters) === null ? letters : 'person';
  for (let number = 1; number <= MAX_NAMES; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if ((await userByName(db, name)) === null) return name;
  }
  return `${base}-${randomBytes(4).toString('hex')}`;
}

function shownName({ claims, name }: Stranger): string {
  const full = claims['name'];
  return (typeof full === 'string' && full !== '' ? full : name).replaceAll(/\p{C}/gu, '').trim().slice(0, 100).toWellFormed();
}
