import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readNetworks } from '../front/networks.ts';
import type { Visitor } from '../security.ts';
import { isHeaderName, isThroughProxy, readProxyConfig, strangerFrom } from './proxy-sign-in.ts';

const rules = { groupsClaim: 'roles', adminGroups: ['admins'], viewerGroups: [], adminEmails: [], viewerEmails: [], requireVerified: true };
const config = readProxyConfig({ 'proxy.signIn': true, 'proxy.networks': '172.18.0.5' }, rules)!;

const visitor = (peer: string, change: Partial<Visitor> = {}): Visitor => ({
  asks: 'page',
  address: '172.18.0.5',
  peer,
  tunnelled: false,
  secure: false,
  forwardedFor: '172.18.0.5',
  forwardedProto: null,
  ...change,
});

test('17. only the other end of the connection itself counts, whatever X-Forwarded-For says', () => {
  const { networks } = config;
  assert.ok(isThroughProxy(visitor('172.18.0.5'), networks, null, undefined));
  assert.ok(isThroughProxy(visitor('::ffff:172.18.0.5'), networks, null, undefined));
  for (const peer of ['172.18.0.6', '127.0.0.1', '::1', '::ffff:127.0.0.1', '::ac12:5', 'unknown'])
    assert.ok(!isThroughProxy(visitor(peer), networks, null, undefined), peer);
  assert.ok(!isThroughProxy(visitor('172.18.0.5'), readNetworks(''), null, undefined));
});

test('17. where a secret is kept it has to be shown, and through another machine there has to be one', () => {
  const { networks } = config;
  const far = visitor('172.18.0.5', { tunnelled: true });
  assert.ok(!isThroughProxy(far, networks, null, undefined), 'another machine alone is not believed');
  assert.ok(isThroughProxy(far, networks, 'secret', 'secret'));
  for (const shown of [undefined, '', 'secret2', 'Secret']) assert.ok(!isThroughProxy(visitor('172.18.0.5'), networks, 'secret', shown));
});

test('17. two names in one header are nobody, and so is none', () => {
  const from = (headers: Record<string, string>): string | null => strangerFrom(config, (name) => headers[name])?.subject ?? null;
  assert.equal(from({ 'remote-user': 'ann' }), 'ann');
  for (const text of ['ann, root', 'ann,', ' ', '', 'x'.repeat(201)]) assert.equal(from({ 'remote-user': text }), null, text);
  assert.equal(from({ 'x-remote-user': 'ann' }), null);
  const all = strangerFrom(
    config,
    (name) => ({ 'remote-user': 'ann', 'remote-groups': 'family|admins, x', 'remote-email': 'a@b.test' })[name],
  )!;
  assert.deepEqual(all.claims, {
    sub: 'ann',
    preferred_username: 'ann',
    groups: ['family', 'admins', 'x'],
    email: 'a@b.test',
    email_verified: true,
  });
  assert.equal(config.rules.groupsClaim, 'groups');
});

test('a header that browsers or proxies use for something else cannot be chosen, and without networks it is off', () => {
  for (const name of ['Cookie', 'Host', 'X-Forwarded-For', 'Sec-Fetch-Site', 'Accept-Language', 'a b', 'HX-Request', ''])
    assert.ok(!isHeaderName(name), name);
  assert.ok(isHeaderName('X-authentik-username'));
  assert.equal(readProxyConfig({ 'proxy.signIn': true, 'proxy.networks': '' }, rules), null);
  assert.equal(readProxyConfig({ 'proxy.signIn': true, 'proxy.networks': 'everywhere' }, rules), null);
  assert.equal(readProxyConfig({ 'proxy.networks': '172.18.0.5' }, rules), null);
});
