import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamMessageEvent, type MultiaddrConnection } from '@libp2p/interface';
import { multiaddrConnectionPair } from '@libp2p/utils';
import { steadyYamux } from './muxer.ts';

test('nonsense on a line that this side has closed ends the line and not the program', async () => {
  const [here] = multiaddrConnectionPair();
  const muxer = steadyYamux({})().createStreamMuxer(here);
  const failed: unknown[] = [];
  const note = (error: unknown): void => void failed.push(error);
  process.on('uncaughtException', note);
  try {
    // as after half a goodbye: our side is closed, the other one still sends
    (here as MultiaddrConnection & { writeStatus: string }).writeStatus = 'closed';
    here.dispatchEvent(new StreamMessageEvent(Buffer.alloc(64, 0xff)));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(failed, []);
    assert.notEqual(muxer.status, 'open');
    assert.notEqual(here.status, 'open');
  } finally {
    process.off('uncaughtException', note);
  }
});
