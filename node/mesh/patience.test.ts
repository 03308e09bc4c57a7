import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patienceFor, whileAlive } from './patience.ts';

const tooLong = (): Error => new Error('silent');
const until = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));

test('silence ends what tries for ever; signs of life do not', async () => {
  const signal = new AbortController().signal;
  await assert.rejects(
    whileAlive({ signal, silentMs: 20, tooLong }, (stop) => until(stop)),
    /silent/,
  );
  const lively = whileAlive({ signal, silentMs: 2000, tooLong }, async (stop, alive) => {
    for (let i = 0; i < 5; i++) alive();
    return stop.aborted;
  });
  assert.equal(await lively, false);
});

test('an end from outside and a mistake inside keep their own reasons', async () => {
  const stop = new AbortController();
  const given = whileAlive({ signal: stop.signal, silentMs: 60_000, tooLong }, (s) => until(s));
  stop.abort(new Error('given up'));
  await assert.rejects(given, /given up/);
  const signal = new AbortController().signal;
  await assert.rejects(
    whileAlive({ signal, silentMs: 60_000, tooLong }, () => Promise.reject(new Error('broken'))),
    /broken/,
  );
  assert.ok(patienceFor(60e9) > patienceFor(0));
});
