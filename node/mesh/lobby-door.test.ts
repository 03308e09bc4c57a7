import type { Connection, MultiaddrConnection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../testing/lobbies.ts';
import { MAX_VISITORS, MAX_VISITORS_OF_ONE_HOST, createDoor } from './lobby-door.ts';
import type { Door } from './lobby-door.ts';

test('few of one address are let in at once, and few at all; who leaves makes room', () => {
  const door = open();
  const first = Array.from({ length: 12 }, () => knock(door, '10.0.0.1'));
  assert.equal(first.filter(({ entered }) => entered).length, MAX_VISITORS_OF_ONE_HOST);
  for (let i = 2; i < 20; i++) knock(door, `10.0.0.${i}`);
  const others = MAX_VISITORS - MAX_VISITORS_OF_ONE_HOST;
  assert.equal(knock(door, `10.0.0.${2 + others}`).entered, false);
  first[0]!.leave();
  first[0]!.leave();
  assert.equal(knock(door, '10.0.0.99').entered, true);
  assert.equal(knock(door, '10.0.0.98').entered, false);
  for (const one of first) one.leave();
});

test('who comes and goes too often waits', (t) => {
  t.mock.method(performance, 'now', () => 1000);
  const door = open();
  const entered = Array.from({ length: 30 }, () => {
    const visit = knock(door, '10.0.0.1');
    visit.leave();
    return visit.entered;
  });
  assert.equal(entered.filter(Boolean).length, 20);
  const other = knock(door, '10.0.0.2');
  assert.equal(other.entered, true);
  other.leave();
});

test('after ten seconds a visit ends, whatever it was doing', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const visit = knock(open(), '10.0.0.1');
  t.mock.timers.tick(9999);
  assert.equal(visit.aborted(), false);
  t.mock.timers.tick(1);
  assert.equal(visit.aborted(), true);
});

test('a stream that fails in every way does not throw', async () => {
  const broken = {
    log: () => {},
    addEventListener: () => {},
    removeEventListener: () => {},
    send: () => {
      throw new Error('gone');
    },
    push: () => {},
    abort: () => {},
  } as unknown as Stream;
  const connection = { remoteAddr: multiaddr('/ip4/10.0.0.1/tcp/1'), remotePeer: 'x' } as unknown as Connection;
  await open().answer({ ...broken, addEventListener: null } as unknown as Stream, connection);
  await open().answer(null as unknown as Stream, connection);
});

function open(): Door {
  return createDoor({ reply: () => Promise.reject(new Error('not asked')), log: silentLog });
}

function knock(door: Door, host: string): { entered: boolean; leave: () => void; aborted: () => boolean } {
  const events = new EventTarget();
  let aborted = false;
  const raw = Object.assign(events, { remoteAddr: multiaddr(`/ip4/${host}/tcp/4000`), abort: () => (aborted = true) });
  const entered = door.gate.denyInboundConnection!(raw as unknown as MultiaddrConnection) === false;
  return { entered, leave: () => void events.dispatchEvent(new Event('close')), aborted: () => aborted };
}
