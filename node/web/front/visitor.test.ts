import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlainError } from '../../errors.ts';
import { emptyBooks, webParts } from '../../testing/web.ts';
import type { Visitor } from '../security.ts';
import { createApp } from '../server.ts';
import { plainAddress, readNetworks } from './networks.ts';
import { judgeVisitor } from './visitor.ts';

const proxies = '172.18.0.0/16, 192.168.1.2 fd00:1::/64';

function seen(peer: string, forwardedFor: string | null, forwardedProto: string | null = null): [string, boolean] {
  const visitor: Visitor = { asks: 'page', address: peer, peer, tunnelled: false, secure: false, forwardedFor, forwardedProto };
  const { address, secure } = judgeVisitor(visitor, proxies);
  return [address, secure];
}

test('17. X-Forwarded-For and -Proto count only when the socket’s own end is a proxy that was named', () => {
  assert.deepEqual(seen('203.0.113.9', '10.0.0.1', 'https'), ['203.0.113.9', false]);
  assert.deepEqual(seen('192.168.1.3', '10.0.0.1', 'https'), ['192.168.1.3', false]);
  assert.deepEqual(seen('172.18.0.5', '198.51.100.7', 'https'), ['198.51.100.7', true]);
  assert.deepEqual(seen('fd00:1::9', '2001:db8::7', 'HTTPS'), ['2001:db8::7', true]);
  assert.deepEqual(seen('172.18.0.5', null), ['172.18.0.5', false]);
});

test('17. of a chain the last hop that is no proxy counts; what a stranger wrote in front of it never does', () => {
  assert.deepEqual(seen('172.18.0.5', '127.0.0.1, 198.51.100.7'), ['198.51.100.7', false]);
  assert.deepEqual(seen('172.18.0.5', '127.0.0.1, 198.51.100.7, 192.168.1.2'), ['198.51.100.7', false]);
  assert.deepEqual(seen('172.18.0.5', '198.51.100.7, <script>, 192.168.1.2'), ['192.168.1.2', false]);
  assert.deepEqual(seen('172.18.0.5', '"[2001:db8::7]:4711"'), ['2001:db8::7', false]);
  assert.deepEqual(seen('172.18.0.5', '198.51.100.7:4711'), ['198.51.100.7', false]);
  assert.deepEqual(seen('172.18.0.5', Array<string>(500).fill('192.168.1.2').join(',')), ['192.168.1.2', false]);
  assert.deepEqual(seen('172.18.0.5', 'x', 'http, https'), ['172.18.0.5', true]);
  assert.deepEqual(seen('172.18.0.5', 'x', 'https, http'), ['172.18.0.5', false]);
});

test('17. an IPv4 address in IPv6 clothes is the same address', () => {
  for (const mapped of ['::ffff:172.18.0.5', '::FFFF:172.18.0.5', '0:0:0:0:0:ffff:ac12:5', '::ffff:ac12:0005'])
    assert.equal(plainAddress(mapped), '172.18.0.5', mapped);
  assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1');
  const networks = readNetworks('172.18.0.0/16');
  assert.deepEqual(
    ['::ffff:172.18.0.5', '172.18.255.255', '172.19.0.1', '::ac12:5', 'unknown', ''].map((a) => networks.has(a)),
    [true, true, false, false, false, false],
  );
  assert.equal(readNetworks('').has('127.0.0.1'), false);
  for (const wrong of ['proxy.lan', '10.0.0.0/33', '10.0.0.0/0', '::/0', '10.0.0.0/8/8', '10.0.0.256', 'fe80::1%eth0', '10.0.0.0/-1'])
    assert.throws(() => readNetworks(wrong), PlainError, wrong);
});

test('browsers are told to insist on https under the name that has it, when they came by https, and never otherwise', async (t) => {
  const made = webParts({ db: emptyBooks });
  made.settings['web.url'] = 'https://films.example.org';
  made.settings['web.proxies'] = proxies;
  const app = await createApp(made.parts);
  t.after(() => app.stop());
  const told = async (host: string, peer: string, proto: string | null): Promise<boolean> => {
    const visitor = {
      asks: 'page',
      address: peer,
      peer,
      tunnelled: false,
      secure: false,
      forwardedFor: null,
      forwardedProto: proto,
    } as const;
    const answer = await app.fetch(new Request('http://x/healthz', { headers: { host } }), { visitor });
    return answer.headers.has('strict-transport-security');
  };
  assert.equal(await told('films.example.org', '172.18.0.5', 'https'), true);
  assert.equal(await told('films.example.org', '172.18.0.5', 'http'), false);
  assert.equal(await told('films.example.org', '203.0.113.9', 'https'), false);
  assert.equal(await told('192.168.1.10:8265', '172.18.0.5', 'https'), false);
});
