import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../log.ts';
import { takeDown, type Undo } from './take-down.ts';

function scene() {
  const order: string[] = [];
  const lines: { part?: string; msg: string }[] = [];
  const log = createLog({ level: 'info', pretty: false, write: (line) => void lines.push(JSON.parse(line) as { msg: string }) });
  const hung = Promise.withResolvers<void>();
  const undo: Undo = [
    { part: 'database', end: () => void order.push('database') },
    { part: 'keeper', end: () => hung.promise.then(() => void order.push('keeper')) },
    {
      part: 'lobby',
      end() {
        order.push('lobby');
        throw new Error('it broke');
      },
    },
  ];
  return { order, lines, log, hung, undo };
}

test('when the process ends, a part that hangs is left behind and named, and what comes after it ends in order', async () => {
  const { order, lines, log, undo } = scene();
  assert.deepEqual(await takeDown(undo, { log, leaving: true, patienceMs: 5 }), ['keeper']);
  assert.deepEqual(order, ['lobby', 'database']);
  assert.deepEqual(
    lines.map(({ part, msg }) => `${part}: ${msg}`),
    ['lobby: a part did not stop cleanly', 'keeper: a part did not stop in time; the program ends without it'],
  );
});

test('when another membership follows, everything is waited for, and what takes long is named', async () => {
  const { order, lines, log, hung, undo } = scene();
  const over = takeDown(undo, { log, leaving: false, patienceMs: 5 });
  while (lines.length < 2) await new Promise(setImmediate);
  assert.deepEqual([lines[1]!.part, lines[1]!.msg, order], ['keeper', 'a part takes long to stop; it is waited for', ['lobby']]);
  hung.resolve();
  assert.deepEqual(await over, []);
  assert.deepEqual(order, ['lobby', 'keeper', 'database']);
});
