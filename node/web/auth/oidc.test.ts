import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { admit } from '../../core/sign-in-rules.ts';
import { PlainError } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { createOutgoing, type Outgoing, type OutgoingAnswer } from '../../outgoing.ts';
import { startProvider, type TestProvider } from '../../testing/oidc-provider.ts';
import { issuerUrl, readOidcSettings, type OidcConfig } from './oidc-config.ts';
import { createDiscovery, type Discovery } from './oidc-discovery.ts';
import { signOutAddress } from './oidc-flow.ts';
import { createOidc, type Oidc, type Purpose } from './oidc.ts';

/**
 * Tests 13, 14 and 15 of research/integrations §4.11, as far as the conversation with the provider goes. The provider is a
 * real and certified one; where it has to lie, its answers are changed on the way, as a bad proxy could.
 */
const redirectUri = 'http://localhost:9/sign-in/oidc/callback';
const cleanups: (() => Promise<void>)[] = [];
let provider: TestProvider;
let config: OidcConfig;
let clock = 0;
/** changes an answer on its way here; the path says of what */
let tamper: ((path: string, answer: OutgoingAnswer) => OutgoingAnswer) | null = null;
let discovery: Discovery;
let oidc: Oidc;
const { signal } = new AbortController();

suite('the conversation with a provider', () => {
  before(async () => {
    provider = await startProvider({ after: (fn) => void cleanups.push(fn) }, { redirectUris: [redirectUri] });
    config = { ...configOf(provider), clientSecret: provider.client.secret };
    const real = createOutgoing({ ownPorts: () => [] });
    const outgoing: Pick<Outgoing, 'fetch'> = {
      fetch: async (url, init) => {
        const answer = await real.fetch(url, init);
        return tamper ? tamper(new URL(url).pathname, answer) : answer;
      },
    };
    discovery = createDiscovery({ outgoing, log: createLog({ level: 'error', pretty: false, write() {} }), now: () => Date.now() + clock });
    oidc = createOidc({ discovery, now: () => Date.now() + clock });
    provider.people.set('ann', {
      name: 'Ann',
      preferred_username: 'ann',
      email: 'ann@example.org',
      email_verified: false,
      groups: ['media-admins'],
    });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  test('13. a sign-in ends with the person that the provider knows, with what only userinfo tells', async () => {
    const { person, login } = await signIn('ann', { kind: 'sign-in' });
    assert.deepEqual([person.issuer, person.subject, person.name, person.email], [provider.issuer, 'ann', 'ann', 'ann@example.org']);
    assert.deepEqual(person.claims['groups'], ['media-admins']);
    assert.deepEqual([login.returnTo, login.purpose.kind], ['/queue', 'sign-in']);
    const out = new URL(
      signOutAddress(await discovery.get(config, signal), { config, idToken: person.idToken, back: 'http://localhost:9/' })!,
    );
    assert.deepEqual([out.origin, out.searchParams.get('client_id')], [provider.issuer, 'codecshift']);
  });

  test('13. refused, in words: cancelled, another state, iss missing or wrong, no code', async () => {
    await refused({ account: null }, /cancelled at the provider/);
    await refused({ change: (answer) => answer.set('state', 'another') }, /already used/);
    await refused({ change: (answer) => answer.set('iss', 'http://localhost:1') }, /does not fit this sign-in/);
    await refused({ change: (answer) => answer.delete('iss') }, /does not fit this sign-in/);
    await refused({ change: (answer) => answer.set('code', 'made-up') }, /used up or took too long/);
    await refused({ change: (answer) => answer.append('iss', provider.issuer) }, /does not fit|did not work/);
  });

  test('13. refused: the callback once more, in another browser, without a cookie, and after ten minutes', async () => {
    const one = await begin('ann');
    await oidc.finish(one.answer, one.browser, signal);
    await assert.rejects(oidc.finish(one.answer, one.browser, signal), /already used/);
    const two = await begin('ann');
    await assert.rejects(oidc.finish(two.answer, 'x'.repeat(43), signal), /another browser/);
    await assert.rejects(oidc.finish(two.answer, two.browser, signal), /already used/, 'a failed try uses it up');
    const three = await begin('ann');
    await assert.rejects(oidc.finish(three.answer, undefined, signal), /another browser/);
    const four = await begin('ann');
    clock = 601_000;
    await assert.rejects(oidc.finish(four.answer, four.browser, signal), /longer than ten minutes/);
    clock = 0;
  });

  test('13. refused: an ID token of another nonce, client or issuer, expired, from the future, with a foreign or no signature', async () => {
    const now = Math.floor(Date.now() / 1000);
    const { privateKey: foreign } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const cases: [RegExp, (claims: Record<string, unknown>) => Record<string, unknown>][] = [
      [/another sign-in or another program/, (claims) => ({ ...claims, nonce: 'another' })],
      [/another sign-in or another program/, (claims) => ({ ...claims, aud: 'another-client' })],
      [/another sign-in or another program/, (claims) => ({ ...claims, iss: 'http://localhost:1' })],
      [/clocks .* differ/, (claims) => ({ ...claims, exp: now - 60 })],
      [/clock of this machine is behind/, (claims) => ({ ...claims, iat: now + 3600, exp: now + 7200 })],
      [/no usable name/, (claims) => ({ ...claims, sub: 'x'.repeat(256) })],
    ];
    for (const [words, change] of cases) await refused({ tamper: idToken((claims) => provider.signIdToken(change(claims))) }, words);
    await refused({ tamper: idToken((claims) => provider.signIdToken(claims, foreign)) }, /its signature is not right/);
    await refused({ tamper: idToken((claims) => `${b64({ alg: 'none' })}.${b64(claims)}.`) }, /does not fit|not supported|did not work/);
    // exactly what the provider signed, but userinfo is about somebody else
    await refused({ tamper: json('/me', (body) => ({ ...body, sub: 'mallory' })) }, /another|does not fit|did not work/);
  });

  test('13. refused: another PKCE verifier, and a client secret that is wrong in both shapes', async () => {
    const stolen = await begin('ann');
    await refused({ change: (answer) => answer.set('code', stolen.answer.get('code')!) }, /used up or took too long/);
    await refused({ tamper: null, config: { ...config, clientSecret: 'wrong' } }, /client id or the client secret is wrong/);
    await refused(
      { tamper: null, config: { ...config, clientSecret: 'wrong', clientAuth: 'post' } },
      /client id or the client secret is wrong/,
    );
    await assert.rejects(
      discovery.get({ ...config, issuer: provider.issuer.replace('localhost', '127.0.0.1') }, signal),
      /calls itself by another name/,
    );
    await assert.rejects(discovery.get({ ...config, issuer: `${provider.issuer}/realms/x` }, signal), /no sign-in provider, or the path/);
  });

  test('13. an issuer without TLS is asked only when a person allowed it, and only at home', () => {
    assert.throws(() => issuerUrl({ issuer: 'http://nas.lan', allowHttp: false }), /without TLS/);
    assert.throws(() => issuerUrl({ issuer: 'http://login.example.org', allowHttp: true }), /not an address of a home network/);
    for (const issuer of [
      'http://nas',
      'http://192.168.1.2:9091',
      'http://[fd00::1]',
      'http://auth.home.arpa',
      'https://login.example.org/realms/x',
    ])
      assert.doesNotThrow(() => issuerUrl({ issuer, allowHttp: true }), issuer);
    for (const issuer of ['', 'login.example.org', 'ftp://x', 'https://a:b@x', 'https://x/?a=b', 'javascript:alert(1)'])
      assert.throws(() => issuerUrl({ issuer, allowHttp: true }), PlainError, issuer);
  });

  test('13. endpoints at another host or scheme are used only when a person confirmed them', async () => {
    const elsewhere = (endpoint: string, at: string) => json('/.well-known/openid-configuration', (body) => ({ ...body, [endpoint]: at }));
    tamper = elsewhere('token_endpoint', 'http://evil.test/token');
    clock += 3_700_000;
    await assert.rejects(discovery.get(config, signal), /points to other addresses than its own: evil\.test/);
    assert.deepEqual((await discovery.fresh(config, signal)).otherHosts, ['evil.test']);
    assert.equal((await discovery.get({ ...config, hosts: ['evil.test'] }, signal)).token_endpoint, 'http://evil.test/token');
    tamper = elsewhere('authorization_endpoint', 'javascript:alert(1)');
    await assert.rejects(discovery.fresh(config, signal), /changes between http and https/);
    tamper = null;
    await discovery.fresh(config, signal);
    clock = 0;
  });

  test('14. who a person is goes by issuer and subject, and what they may by the rules, which allow nobody by themselves', async () => {
    const { person } = await signIn('ann', { kind: 'sign-in' });
    const rules = { ...config.rules, adminEmails: ['ann@example.org'] };
    assert.equal(admit(person.claims, config.rules).role, null);
    const answer = admit(person.claims, rules);
    assert.match('why' in answer ? answer.why : '', /e-mail is not verified/);
    assert.equal(admit(person.claims, { ...config.rules, viewerGroups: ['media-admins'] }).role, 'viewer');
    provider.people.set('ann2', { email: 'ann@example.org', email_verified: true });
    const other = await signIn('ann2', { kind: 'sign-in' });
    assert.notEqual(other.person.subject, person.subject, 'the same address is another person');
  });

  test('15. a provider that is down ends no more than the sign-in, in words, and is asked again when it is back', async () => {
    const fresh = createDiscovery({
      outgoing: createOutgoing({ ownPorts: () => [] }),
      log: createLog({ level: 'error', pretty: false, write() {} }),
      now: () => Date.now() + clock,
    });
    const begun = await begin('ann');
    await provider.stop();
    fresh.warm(config);
    await assert.rejects(fresh.get(config, signal), /does not answer: nothing listens there/);
    await assert.rejects(oidc.finish(begun.answer, begun.browser, signal), /does not answer/);
    clock = 3_700_000;
    assert.equal((await discovery.get(config, signal)).issuer, provider.issuer, 'what it said last is good for a day');
    clock = 26 * 3_600_000;
    await assert.rejects(discovery.get(config, signal), /does not answer/);
    await provider.start();
    clock = 0;
    await fresh.get(config, signal);
    await signIn('ann', { kind: 'sign-in' });
  });

  test('one address begins no more than twenty sign-ins a minute', async () => {
    const some = createOidc({ discovery });
    const wish = { config, redirectUri, purpose: { kind: 'sign-in' }, returnTo: '/', browser: undefined, address: '192.0.2.7' } as const;
    for (let i = 0; i < 20; i++) await some.begin(wish, signal);
    await assert.rejects(some.begin(wish, signal), /Too many sign-ins/);
    await some.begin({ ...wish, address: '192.0.2.8' }, signal);
  });
});

function configOf({ issuer, client }: TestProvider): Omit<OidcConfig, 'clientSecret'> {
  const values = {
    'oidc.enabled': true,
    'oidc.issuer': issuer,
    'oidc.clientId': client.id,
    'oidc.allowHttp': true,
    'oidc.scopes': 'openid profile email groups',
  };
  return readOidcSettings(values).config!;
}

async function begin(
  account: string | null,
  more: { config?: OidcConfig; purpose?: Purpose } = {},
): Promise<{ answer: URLSearchParams; browser: string }> {
  const wish = {
    config: more.config ?? config,
    redirectUri,
    purpose: more.purpose ?? { kind: 'sign-in' },
    returnTo: '/queue',
    browser: undefined,
  };
  const { location, browser } = await oidc.begin({ ...wish, address: String(Math.random()) } as Parameters<Oidc['begin']>[0], signal);
  return { answer: (await provider.visit(location, account)).searchParams, browser };
}

async function signIn(account: string, purpose: Purpose): ReturnType<Oidc['finish']> {
  const { answer, browser } = await begin(account, { purpose });
  return oidc.finish(answer, browser, signal);
}

async function refused(
  how: { account?: string | null; config?: OidcConfig; change?: (answer: URLSearchParams) => void; tamper?: typeof tamper },
  words: RegExp,
): Promise<void> {
  const { answer, browser } = await begin(how.account === undefined ? 'ann' : how.account, how.config ? { config: how.config } : {});
  how.change?.(answer);
  tamper = how.tamper ?? null;
  try {
    await assert.rejects(oidc.finish(answer, browser, signal), (error) => {
      assert.ok(error instanceof PlainError);
      assert.match(error.message, words);
      return true;
    });
  } finally {
    tamper = null;
  }
}

function json(path: string, change: (body: Record<string, unknown>) => Record<string, unknown>): NonNullable<typeof tamper> {
  return (at, answer) =>
    at === path
      ? { ...answer, body: Buffer.from(JSON.stringify(change(JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>))) }
      : answer;
}

function idToken(change: (claims: Record<string, unknown>) => string): NonNullable<typeof tamper> {
  return json('/token', (body) => ({
    ...body,
    id_token: change(JSON.parse(Buffer.from(String(body['id_token']).split('.')[1]!, 'base64url').toString()) as Record<string, unknown>),
  }));
}

function b64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
