import type { ProviderHelp } from '../models/provider-page.ts';

/** What is special about the providers that people have at home, as measured or as their own notes say (research §3.4). */
export const providerHelp: readonly ProviderHelp[] = [
  {
    name: 'Authelia',
    steps: [
      'Clients are written into its configuration file: client_id, a hashed client_secret, the return address as redirect_uris, and scopes openid, profile, email, groups.',
      'Issuer: the address of Authelia itself, without a path. Add groups to the scopes here.',
      'Since 4.39 the ID token says little; groups and e-mail are asked for separately, which happens by itself.',
      'token_endpoint_auth_method there and “How the client secret is shown” here must be the same.',
    ],
  },
  {
    name: 'Authentik',
    steps: [
      'Make a provider of type OAuth2/OpenID and an application. Issuer: https://host/application/o/the-slug/ with the slash at its end, as its page shows it.',
      'Choose a signing key: without one it signs with HS256, which is not accepted here.',
      'Groups come with the scope profile, so the default scopes are enough.',
      'Since 2025.10 it says of every e-mail address that it is not verified: allow people by groups, or switch off “Only verified e-mail addresses”.',
    ],
  },
  {
    name: 'Keycloak',
    steps: [
      'Issuer: https://host/realms/the-realm, without a slash at its end. Client authentication on; the secret is under Credentials.',
      'It sends no groups by itself: add a mapper “Group Membership” with the claim groups and “Full group path” off, or use realm roles with the claim realm_access.roles.',
      'The e-mail address of somebody whom an admin made is not verified until it is ticked there.',
    ],
  },
  {
    name: 'Pocket ID',
    steps: [
      'Issuer: its bare address. Add groups to the scopes here.',
      'Groups are sent only if the client has the scope, and only people in the allowed user groups of the client come in.',
      'Whether an e-mail address is verified is new there and may be missing: groups are the better way.',
    ],
  },
  {
    name: 'Zitadel',
    steps: [
      'Issuer: its bare address. A web application with code, PKCE and a client secret; tick “User roles inside ID token” there, and “Assert roles on authentication” on the project.',
      'Roles count as groups: write urn:zitadel:iam:org:project:roles into “Claim with the groups”.',
    ],
  },
  {
    name: 'Google',
    steps: [
      'Issuer: https://accounts.google.com. Make an OAuth client of type “Web application” in its console.',
      'It has no groups: allow people by their e-mail addresses, or @your-domain for a Workspace.',
      'It spreads its endpoints over several hosts: press “Test these settings” and confirm them.',
      'It accepts only return addresses with https and a public name, or localhost.',
    ],
  },
  {
    name: 'Any other',
    steps: [
      'A confidential client (or a public one with PKCE), authorization code, ID tokens signed with RS256, PS256, ES256 or EdDSA, and the page /.well-known/openid-configuration below the issuer.',
      'Many providers refuse a return address like http://192.168.1.10: give this page a name with https first.',
    ],
  },
];
