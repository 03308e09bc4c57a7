import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A real, certified provider on a real port, with people that a test makes up. Its pages are plain forms: one for the
 * account, one for "yes" and "no", so that a browser or a few requests can go through them.
 */
export interface TestProvider {
  issuer: string;
  port: number;
  client: { id: string; secret: string };
  /** claims by account; whoever is not here is a person without claims */
  people: Map<string, Record<string, unknown>>;
  /** signs what the provider itself never would */
  signIdToken(claims: Record<string, unknown>, key?: KeyObject): string;
  /** ends the listener, and opens it again on the same port */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** goes through the provider's pages as a person does; resolves with the address that it sends back to */
  visit(location: string, account: string | null): Promise<URL>;
  /** paths that were asked, without their queries */
  asked: string[];
}

export interface TestProviderOptions {
  /** where it may send people to */
  redirectUris: string[];
  logoutUris?: string[];
  auth?: 'client_secret_basic' | 'client_secret_post' | 'none';
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const kid = 'test-key';

export async function startProvider(t: { after(fn: () => Promise<void>): void }, options: TestProviderOptions): Promise<TestProvider> {
  // it comes without types; what its pages use of it is written down below
  const { default: Provider } = (await import('oidc-provider' as string)) as {
    default: new (issuer: string, wish: object) => Interactions;
  };
  const client = { id: 'codecshift', secret: `secret-${randomBytes(12).toString('hex')}` };
  const people: TestProvider['people'] = new Map();
  const asked: string[] = [];
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => {};
  const server = createServer((request, response) => {
    asked.push(request.url!.split('?', 1)[0]!);
    handle(request, response);
  });
  await listening(server, 0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://localhost:${port}`;
  const auth = options.auth ?? 'client_secret_basic';
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.id,
        ...(auth === 'none' ? {} : { client_secret: client.secret }),
        grant_types: ['authorization_code'],
        response_types: ['code'],
        redirect_uris: options.redirectUris,
        post_logout_redirect_uris: options.logoutUris ?? [],
        token_endpoint_auth_method: auth,
        id_token_signed_response_alg: 'RS256',
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups', 'realm_access'],
    },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true, logoutSource: (ctx: { body: string }, form: string) => void (ctx.body = logoutPage(form)) },
    },
    interactions: { url: (_ctx: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx: unknown, id: string) => ({ accountId: id, claims: async () => ({ sub: id, ...people.get(id) }) }),
    ttl: { Session: 600, Interaction: 600, Grant: 600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
  });
  const callback = provider.callback();
  handle = (request, response) => {
    const [, first, , action] = request.url!.split('?', 1)[0]!.split('/');
    if (first !== 'interaction') return void callback(request, response);
    void interaction(provider, client.id, action, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end(String(error));
    });
  };
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.after(stop);
  return {
    issuer,
    port,
    client,
    people,
    asked,
    signIdToken: (claims, key = privateKey) => jwt({ alg: 'RS256', kid, typ: 'JWT' }, claims, key),
    stop,
    start: () => listening(server, port),
    visit: (location, account) => visit(issuer, location, account),
  };
}

/** The parts of the library's provider that its pages use. */
interface Interactions {
  callback(): (request: IncomingMessage, response: ServerResponse) => void;
  interactionDetails(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ prompt: { name: string; details: Record<string, unknown> }; session?: { accountId: string } }>;
  interactionFinished(
    request: IncomingMessage,
    response: ServerResponse,
    result: object,
    options?: { mergeWithLastSubmission: boolean },
  ): Promise<void>;
  Grant: new (about: { accountId: string; clientId: string }) => { addOIDCScope(scope: string): void; save(): Promise<string> };
}

async function interaction(
  provider: Interactions,
  clientId: string,
  action: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, session } = await provider.interactionDetails(request, response);
  if (action === 'abort')
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'the person said no' });
  if (action === 'login') {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const account = new URLSearchParams(body).get('account') ?? '';
    return provider.interactionFinished(request, response, { login: { accountId: account } });
  }
  if (action === 'confirm') {
    const grant = new provider.Grant({ accountId: session!.accountId, clientId });
    grant.addOIDCScope('openid profile email groups');
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  }
  response.setHeader('content-type', 'text/html');
  response.end(prompt.name === 'login' ? loginPage(request.url!) : consentPage(request.url!));
}

const loginPage = (path: string): string =>
  `<!doctype html><html lang="en"><title>Test provider</title><h1>Test provider</h1><form method="post" action="${path}/login"><label>Account <input name="account"></label><button>Sign in</button></form><form method="post" action="${path}/abort"><button>Cancel</button></form></html>`;
const consentPage = (path: string): string =>
  `<!doctype html><html lang="en"><title>Test provider</title><h1>Allow CodecShift?</h1><form method="post" action="${path}/confirm"><button>Allow</button></form><form method="post" action="${path}/abort"><button>Cancel</button></form></html>`;
const logoutPage = (form: string): string =>
  `<!doctype html><html lang="en"><title>Test provider</title><h1>Sign out?</h1>${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Yes, sign out</button></html>`;

/** Follows the provider's redirects with its cookies, until it sends the person back to where they came from. */
async function visit(issuer: string, location: string, account: string | null): Promise<URL> {
  const jar = new Map<string, string>();
  let next = new URL(location);
  let form: { method: string; body?: URLSearchParams } = { method: 'GET' };
  for (let step = 0; step < 20; step++) {
    if (next.origin !== issuer) return next;
    const answer = await fetch(next, {
      ...form,
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      jar.set(name!, value!);
    }
    const to = answer.headers.get('location');
    if (to !== null) {
      next = new URL(to, next);
      form = { method: 'GET' };
      continue;
    }
    const html = await answer.text();
    if (answer.status !== 200) throw new Error(`the provider answered ${answer.status}: ${html.slice(0, 500)}`);
    const action = account === null ? 'abort' : html.includes('/login"') ? 'login' : 'confirm';
    next = new URL(`${next.pathname}/${action}`, issuer);
    form = { method: 'POST', ...(action === 'login' ? { body: new URLSearchParams({ account: account! }) } : {}) };
  }
  throw new Error('the provider sent in circles');
}

export function jwt(header: object, claims: object, key: KeyObject): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, 'localhost', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
