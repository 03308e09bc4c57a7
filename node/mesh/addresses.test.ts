import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAddressBook } from './address-book.ts';
import { distance, formatAddress, parseAddress, toMultiaddr } from './addresses.ts';

const id = '12D3KooWGRUbvuHxqHhdNsmZ6bGzyWvKhYtMZpDUtUhNSbAsqqRG';

test('every way to write an address is understood', () => {
  const cases: [string, string][] = [
    ['192.168.1.5:4001', '/ip4/192.168.1.5/tcp/4001'],
    ['192.168.1.5', '/ip4/192.168.1.5/tcp/8266'],
    ['[fd00::5]:4001', '/ip6/fd00::5/tcp/4001'],
    ['fd00::5', '/ip6/fd00::5/tcp/8266'],
    ['nas:4001', '/dns/nas/tcp/4001'],
    [' nas.local ', '/dns/nas.local/tcp/8266'],
    ['/ip4/10.0.0.5/tcp/4001', '/ip4/10.0.0.5/tcp/4001'],
    [`/dns4/nas/tcp/4001/p2p/${id}`, `/dns/nas/tcp/4001/p2p/${id}`],
  ];
  for (const [text, want] of cases) assert.equal(toMultiaddr(parseAddress(text, 8266)!), want, text);
});

test('what is no plain TCP address of a machine is refused', () => {
  const bad = [
    '',
    'two words',
    'nas:0',
    'nas:70000',
    '0.0.0.0:1',
    '224.0.0.251:5353',
    '[ff02::fb]:5353',
    '/ip4/1.2.3.4/udp/5',
    '/ip4/1.2.3.4/tcp/5/ws',
    `/ip4/1.2.3.4/tcp/5/p2p/${id}/p2p-circuit/p2p/${id}`,
    '/unix/tmp%2fx',
    'http://nas:1/',
    'x'.repeat(400),
  ];
  for (const text of bad) assert.equal(parseAddress(text, 8266), null, text);
});

test('an address reads back as it was written', () => {
  for (const text of ['192.168.1.5:4001', '[fd00::5]:4001', 'nas:4001']) assert.equal(formatAddress(parseAddress(text, 1)!), text);
});

test('the address book prefers what is near and what did not fail, and is bounded for each node', () => {
  const book = createAddressBook(() => false);
  assert.ok(book.learn(id, ['127.0.0.1:1', '203.0.113.9:1'], 'told'));
  assert.ok(distance('127.0.0.1') > distance('203.0.113.9'));
  assert.equal(book.of(id)[0]!.host, '203.0.113.9');
  book.failed(id, book.of(id)[0]!);
  assert.equal(book.of(id)[0]!.host, '127.0.0.1');
  assert.equal(book.learn(id, ['203.0.113.9:1'], 'mdns'), false, 'not new');
  assert.equal(book.of(id)[0]!.host, '203.0.113.9', 'heard again: worth another attempt');
  for (let i = 0; i < 100; i++) book.learn(id, [`203.0.113.${i}:${i + 1}`], 'told');
  assert.ok(book.of(id).length <= 12);
  assert.equal(book.learn(id, ['/ip4/9.9.9.9/tcp/1/p2p/12D3KooWother'], 'told'), false, 'an address that names another node');
});

test('strangers without number do not push members out of the address book', () => {
  const book = createAddressBook((node) => node === 'member');
  book.learn('member', ['10.0.0.1:1'], 'told');
  for (let i = 0; i < 2000; i++) book.learn(`n${i}`, ['10.0.0.2:1'], 'mdns');
  assert.equal(book.of('member').length, 1);
  assert.equal(book.of('n0').length, 0);
});
