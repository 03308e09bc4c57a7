import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { PlainError } from '../errors.ts';
import { createOutgoing, type Outgoing } from '../outgoing.ts';
import { testAuthority, testCertificate, testCertificateKey } from '../testing/certificate.ts';
import { startPlexServer } from '../testing/plex-server.ts';
import { startPlexTv, type TestPlexTv } from '../testing/plex-tv.ts';
import { createPlexAccount, type PlexAccount } from './plex-account.ts';
import { readServers } from './plex-servers.ts';

const { signal } = new AbortController();
const HASH = '0123456789abcdef0123456789abcdef';
const outgoing = createOutgoing({ ownPorts: () => [], resolve: async (host) => (host.endsWith('.plex.direct') ? ['127.0.0.1'] : []) });

test('signing in with a token: the browser agrees, and the token is asked for until it is there', async (t) => {
  const plexTv = await startPlexTv(t);
  const account = open(plexTv);
  const pin = await account.begin({ returnTo: 'http://nas:8098/sources?sign-in=1', flow: 'token' }, signal);
  const wish = new URLSearchParams(pin.url.split('#?')[1]);
  assert.ok(pin.url.startsWith(`${plexTv.addresses.app}/auth#?`));
  assert.deepEqual(
    ['clientID', 'code', 'forwardUrl', 'context[device][product]'].map((key) => wish.get(key)),
    ['client-of-the-test', pin.code, 'http://nas:8098/sources?sign-in=1', 'CodecShift'],
  );
  assert.match(pin.code, /^strong/);
  assert.deepEqual(await account.ask(pin, signal), { state: 'waiting' });
  plexTv.approve(pin.code);
  const signedIn = await account.ask(pin, signal);
  assert.ok(signedIn.state === 'signed-in');
  const { token } = signedIn.account;
  assert.deepEqual(signedIn.account, { token, expiresAt: null, deviceKey: null });
  assert.equal(await account.whose(token, signal), 'me@example.test');
  assert.deepEqual(await account.renew(signedIn.account, signal), signedIn.account, 'an old token has no end');
  assert.deepEqual(plexTv.inAddress(token), []);
  assert.ok(
    plexTv.heard.every(
      ({ headers }) => headers['x-plex-client-identifier'] === 'client-of-the-test' && headers['x-plex-product'] === 'CodecShift',
    ),
  );
  for (const returnTo of ['javascript:alert(1)', 'no address', 'file:///etc', null]) {
    assert.ok(!(await account.begin({ returnTo, flow: 'token' }, signal)).url.includes('forwardUrl'));
  }
});

test('signing in with a key of ours: the token is renewed by signing a nonce, also after its end', async (t) => {
  const plexTv = await startPlexTv(t);
  const account = open(plexTv);
  const pin = await account.begin({ returnTo: null, flow: 'jwt' }, signal);
  assert.match(pin.deviceKey!, /BEGIN PRIVATE KEY/);
  assert.ok(!JSON.stringify(plexTv.heard).includes('PRIVATE'), 'the secret half stays here');
  assert.deepEqual(await account.ask(pin, signal), { state: 'waiting' });
  plexTv.approve(pin.code);
  const signedIn = await account.ask(pin, signal);
  assert.ok(signedIn.state === 'signed-in');
  const week = Date.now() + 7 * 86_400_000;
  assert.ok(Math.abs(signedIn.account.expiresAt! - week) < 60_000);
  const renewed = await account.renew(signedIn.account, signal);
  assert.notEqual(renewed.token, signedIn.account.token);
  assert.equal(renewed.deviceKey, pin.deviceKey);
  assert.equal(await account.whose(renewed.token, signal), 'me@example.test');
  const another = await account.begin({ returnTo: null, flow: 'jwt' }, signal);
  await assert.rejects(account.renew({ ...renewed, deviceKey: another.deviceKey }, signal), code('source-refuses'));
});

test('a sign-in ends with its pin, and an outage is never taken for a refusal', async (t) => {
  const plexTv = await startPlexTv(t);
  let clock = 1_000_000;
  const account = open(plexTv, () => clock);
  const pin = await account.begin({ returnTo: null, flow: 'token' }, signal);
  assert.equal(pin.expiresAt, 1_000_000 + 1_800_000);
  const asks = plexTv.heard.length;
  clock = pin.expiresAt;
  assert.deepEqual(await account.ask(pin, signal), { state: 'expired' });
  assert.equal(plexTv.heard.length, asks, 'nobody is asked any more');
  clock = 1_000_000;
  plexTv.approve(pin.code);
  plexTv.expire();
  assert.deepEqual(await account.ask(pin, signal), { state: 'expired' });
  const reasons = {
    498: 'source-refuses',
    422: 'source-refuses',
    401: 'source-refuses',
    429: 'source-away',
    503: 'source-away',
    302: 'source-odd',
  };
  const token = [...plexTv.tokens][0]!;
  for (const [status, reason] of Object.entries(reasons)) {
    plexTv.trouble = { status: Number(status), times: 1 };
    await assert.rejects(account.servers(token, signal), code(reason), status);
  }
  for (const [status, whose] of [
    [401, null],
    [498, null],
    [503, 'source-away'],
    [429, 'source-away'],
  ] as const) {
    plexTv.trouble = { status, times: 1 };
    const asked = account.whose(token, signal);
    if (whose === null) assert.equal(await asked, null);
    else await assert.rejects(asked, code(whose));
  }
  assert.equal(await account.whose(token, signal), 'me@example.test');
  plexTv.revoke();
  assert.equal(await account.whose(token, signal), null);
  await plexTv.stop();
  await assert.rejects(account.whose(token, signal), code('source-away'));
});

test('servers: only servers, never relays, those in the house first, plain http only in the house', () => {
  const connection = (more: Record<string, unknown>): unknown => ({
    protocol: 'https',
    address: '192.168.1.9',
    port: 32_400,
    relay: false,
    IPv6: false,
    local: true,
    ...more,
  });
  const [server, ...rest] = readServers([
    { provides: 'client,player', clientIdentifier: 'tv', accessToken: 'x', connections: [] },
    { provides: 'server', clientIdentifier: 'no-token', connections: [] },
    {
      provides: 'client,server',
      clientIdentifier: 'mine',
      name: 'Living room',
      productVersion: '1.40',
      owned: true,
      accessToken: 'server-token',
      connections: [
        connection({ uri: `https://relay.${HASH}.plex.direct:8443`, relay: true, local: false }),
        connection({ uri: `https://1-2-3-4.${HASH}.plex.direct:32400`, address: '1.2.3.4', local: false }),
        connection({ uri: 'http://1.2.3.4:32400', address: '1.2.3.4', local: false }),
        connection({ uri: `https://192-168-1-9.${HASH}.plex.direct:32400` }),
        connection({ uri: `https://fd00--9.${HASH}.plex.direct:32400`, address: 'fd00::9', IPv6: true }),
        connection({ uri: 'javascript:alert(1)', address: 'x y' }),
        'nonsense',
      ],
    },
  ]);
  assert.deepEqual(rest, []);
  assert.deepEqual(server, {
    id: 'mine',
    name: 'Living room',
    version: '1.40',
    owned: true,
    accessToken: 'server-token',
    connections: [
      { url: `https://192-168-1-9.${HASH}.plex.direct:32400`, local: true, secure: true },
      { url: `https://fd00--9.${HASH}.plex.direct:32400`, local: true, secure: true },
      { url: 'http://192.168.1.9:32400', local: true, secure: false },
      { url: 'http://[fd00::9]:32400', local: true, secure: false },
      { url: `https://1-2-3-4.${HASH}.plex.direct:32400`, local: false, secure: true },
    ],
  });
  for (const hostile of [null, {}, 'x', [null, [], { provides: 7 }]]) assert.deepEqual(readServers(hostile), []);
});

test('the way to a server is the first at which this very server answers, and no token is sent on the search', async (t) => {
  const plexTv = await startPlexTv(t);
  const [plex, rogue] = [await startPlexServer(t), await startPlexServer(t, { identity: 'rogue' })];
  const secure = createServer({ cert: testCertificate, key: testCertificateKey }, (_request, response) =>
    response.end(JSON.stringify({ MediaContainer: { machineIdentifier: plex.identity } })),
  ).listen(0, '127.0.0.1');
  await new Promise((resolve) => secure.once('listening', resolve));
  t.after(() => secure.close().closeAllConnections());
  const direct = `https://127-0-0-1.${HASH}.plex.direct:${(secure.address() as AddressInfo).port}`;
  const at = (url: string): PlexServerWay => ({ url, local: true, secure: url.startsWith('https') });
  const server = { id: plex.identity, name: 'Living room', version: '', owned: true, accessToken: plex.token };
  const ways = [at('http://127.0.0.1:1'), at(rogue.url), at(direct), at(plex.url)];
  const account = open(plexTv);
  const others = ways.map(({ url }) => url).filter((url) => url !== plex.url);
  assert.deepEqual(
    await account.findWay({ ...server, connections: ways }, signal),
    { url: plex.url, secure: false, others },
    'its certificate is nobody’s',
  );
  // a world in which the authority of that certificate is trusted
  const trusting: Outgoing = { ...outgoing, fetch: (url, init) => outgoing.fetch(url, { ...init, ca: testAuthority }) };
  const found = await open(plexTv, undefined, trusting).findWay({ ...server, connections: ways }, signal);
  assert.deepEqual([found.url, found.secure], [direct, true]);
  await assert.rejects(account.findWay({ ...server, connections: [at(rogue.url)] }, signal), code('source-is-another'));
  await assert.rejects(
    account.findWay({ ...server, connections: [at('http://127.0.0.1:1'), at('http://169.254.1.1')] }, signal),
    code('source-away'),
  );
  await assert.rejects(account.findWay({ ...server, connections: [] }, signal), code('source-away'));
  for (const asked of [plex, rogue]) {
    assert.deepEqual(new Set(asked.asked()), new Set(['GET /identity']));
    assert.ok(!JSON.stringify(asked.heard).includes(plex.token));
  }
});

type PlexServerWay = { url: string; local: boolean; secure: boolean };

function open(plexTv: TestPlexTv, now?: () => number, by: Outgoing = outgoing): PlexAccount {
  return createPlexAccount({ outgoing: by, clientId: 'client-of-the-test', addresses: plexTv.addresses, ...(now && { now }) });
}

function code(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof PlainError && error.reason?.code === reason;
}
