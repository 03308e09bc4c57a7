import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '../db/connect.ts';
import { createEvents } from '../events.ts';
import { quietLog } from '../testing/database.ts';
import { noteMisfits } from './misfits.ts';

test('a database that does not answer is asked once about a machine whose program does not fit, and not again and again', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let asked = 0;
  const db = { query: () => (asked++, new Promise(() => {})) } as unknown as Database;
  const apart = [{ node: 'node-b', program: { version: '9.0.0', speaks: { min: 9, max: 9 } } }];
  const misfits = noteMisfits({
    db,
    network: { connected: () => [], hostOf: () => null, clockOf: () => null, apart: () => apart },
    events: createEvents(() => {}),
    leaseSeconds: () => 60,
    log: quietLog(),
  });
  t.mock.timers.tick(60_000);
  misfits.stop();
  assert.equal(asked, 1);
});
