import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runningNow, type RunningFacts } from './running.ts';

const facts: RunningFacts = {
  id: 1,
  title: 'Film',
  detail: '',
  codec: 'h264',
  width: 320,
  height: 180,
  action: 'transcode',
  inputBytes: 1000,
  expectedBytes: 500,
  outputBytes: 400,
  paused: false,
  cancelRequested: false,
  attemptState: 'verifying',
  nodeName: 'a',
  encoder: 'libx265',
};
const encoding = {
  jobId: 1,
  attemptId: 1,
  nodeId: 'a',
  phase: 'encoding',
  percent: 95,
  fps: 16,
  speed: 0.7,
  leftMs: 1,
  outputBytes: 400,
  expectedBytes: 500,
  paused: false,
} as const;

test('an output that waits for a full disk says so, and not how fast its encode was', () => {
  const now = runningNow({ ...facts, reason: { code: 'no-space' } }, encoding);
  assert.deepEqual([now.stage, now.rate, now.left, now.percent], ['Not enough space', '', '', 0]);
  assert.equal(runningNow(facts, encoding).percent, 95);
});
