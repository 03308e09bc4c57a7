import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planLibrary } from './plan-library.ts';

test('one file is one file, in the forecast too', async () => {
  const one = { name: 'h264', words: 'Becomes smaller', what: 'convert', files: 1, bytes: 2e9, after: null, measured: 0 };
  const range = { value: 1e9, low: 1e9, high: 1e9 };
  const forecast = { files: 1, converts: { files: 1, bytes: 2e9 }, open: 1, saved: range, measuredShare: 0, time: null, classes: [one] };
  const answers: Record<string, unknown> = {
    '/libraries': { items: [{ id: 1, name: 'TV' }] },
    '/libraries/1/forecast': forecast,
    '/libraries/1/plan?limit=200': { items: [], after: null },
  };
  let said = '';
  await planLibrary(
    async (_method, path) => answers[path] as never,
    'TV',
    false,
    async (words) => void (said += words),
  );
  assert.match(said, /^TV: 1 file, 1 of them .*\n[\s\S]*^1 file is not in it yet\.$[\s\S]*: h264, 1 file, 2\.0 GB$/m);
});
