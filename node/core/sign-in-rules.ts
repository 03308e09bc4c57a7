/**
 * Who of the people that a provider knows may come in, and as what. Nobody, unless a rule names them: a provider of a whole
 * family, or of everybody with an account there, must not open this page by being asked.
 *
 *   groups of the claim ∋ admin group, or a verified address ∈ admin addresses   ─▶ admin
 *   groups of the claim ∋ viewer group, or a verified address ∈ viewer addresses ─▶ viewer
 *   else ─▶ nobody, with the sentence why
 */
export interface SignInRules {
  /** dotted path of the claim with the groups: `groups`, `realm_access.roles`, `resource_access.codecshift.roles` */
  groupsClaim: string;
  adminGroups: readonly string[];
  viewerGroups: readonly string[];
  /** whole addresses, or `@example.org` for everybody of a domain */
  adminEmails: readonly string[];
  viewerEmails: readonly string[];
  requireVerified: boolean;
}

export type SignInRole = 'admin' | 'viewer';
export type Admission = { role: SignInRole } | { role: null; why: string };

/** What a provider said about a person, ID token and userinfo together. */
export type Claims = Readonly<Record<string, unknown>>;

const MAX_GROUPS = 2000;

export function admit(claims: Claims, rules: SignInRules): Admission {
  const groups = new Set(groupsOf(claims, rules.groupsClaim));
  const email = emailOf(claims);
  const usable = email !== null && (!rules.requireVerified || isVerified(claims));
  const isIn = (named: readonly string[], addresses: readonly string[]): boolean =>
    named.some((group) => groups.has(group)) || (usable && isListed(email, addresses));
  if (isIn(rules.adminGroups, rules.adminEmails)) return { role: 'admin' };
  if (isIn(rules.viewerGroups, rules.viewerEmails)) return { role: 'viewer' };
  return { role: null, why: whyNobody(email, usable, groups.size, rules) };
}

/** A list, one text, or Zitadel's roles: `{"admin": {"<organisation>": "<its domain>"}}`. Anything else is no group. */
export function groupsOf(claims: Claims, path: string): string[] {
  const found = claimAt(claims, path);
  const list = Array.isArray(found) ? found : isRecord(found) ? Object.keys(found).filter((name) => isRecord(found[name])) : [found];
  return list.slice(0, MAX_GROUPS).filter((group): group is string => typeof group === 'string' && group !== '');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The value at a dotted path. A claim whose own name has dots, as `https://example.org/roles`, is found by its whole name
 * first. Only own fields count: `__proto__` is no claim.
 */
function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let at: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Claims)[name];
  }
  return at;
}

/** A list as people type it: commas or lines. Group names keep their case, because providers tell them apart. */
export function namesIn(text: unknown): string[] {
  if (typeof text !== 'string') return [];
  return [
    ...new Set(
      text
        .split(/[,\n]/)
        .map((name) => name.trim())
        .filter(Boolean),
    ),
  ];
}

function emailOf(claims: Claims): string | null {
  const email = claims['email'];
  return typeof email === 'string' && email.length <= 320 && /^[^\s@]+@[^\s@]+$/.test(email) ? email.toLowerCase() : null;
}

/** Some providers send the text "true". */
function isVerified(claims: Claims): boolean {
  return claims['email_verified'] === true || claims['email_verified'] === 'true';
}

function isListed(email: string, addresses: readonly string[]): boolean {
  const domain = email.slice(email.lastIndexOf('@'));
  return addresses.some((address) => address.toLowerCase() === email || address.toLowerCase() === domain);
}

function whyNobody(email: string | null, usable: boolean, groups: number, rules: SignInRules): string {
  const named = [rules.adminGroups, rules.viewerGroups, rules.adminEmails, rules.viewerEmails].some((list) => list.length > 0);
  if (!named) return 'Nobody may sign in through the provider yet: no group and no e-mail address is allowed in the sign-in settings.';
  if (email !== null && !usable && isListed(email, [...rules.adminEmails, ...rules.viewerEmails]))
    return 'Your provider says this e-mail is not verified (Authentik since 2025.10 always does). An administrator can allow you by a group, or switch off “Only verified e-mail addresses”.';
  const byGroup = rules.adminGroups.length + rules.viewerGroups.length > 0;
  if (byGroup && groups === 0)
    return `Your provider named no group of yours in “${rules.groupsClaim}”, and neither your e-mail address is on the list. An administrator has to let the provider send groups, or to allow your address.`;
  return 'Your account at the provider is known, but it is not among those that may sign in here. An administrator has to allow one of your groups, or your e-mail address.';
}
