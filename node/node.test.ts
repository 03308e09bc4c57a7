import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadOptions } from './config/load.ts';
import { startNode } from './node.ts';
import { quietLog, temporaryDirectory } from './testing/database.ts';

test('a start that is stopped before there is anything to look at ends, and leaves the directory to the next one', async (t) => {
  const flags = { 'data-dir': temporaryDirectory(t), port: '0', 'mesh-port': '0', discovery: 'off', auth: 'none' };
  for (let tries = 0; tries < 2; tries++) {
    const stopped = new AbortController();
    const starting = startNode({ options: loadOptions(flags, {}), log: quietLog(), signal: stopped.signal });
    stopped.abort();
    await assert.rejects(starting, /Stopped before the start was complete/);
  }
});
