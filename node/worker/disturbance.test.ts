import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Report } from '../mesh/outbox.ts';
import { excuse } from './disturbance.ts';

const failed = (code: string, encoder = 'hevc_nvenc'): Report => ({
  ...{ event: 'failed', job: 7, attempt: 9, retry: true, encoder, command: ['ffmpeg'], stderrTail: 'gone' },
  reason: { code, params: { message: 'CUDA_ERROR_UNKNOWN' } },
});
const after = (change: object) => ({ disturbed: { percent: 40, slept: false }, percent: 40, hardware: true, ...change });

test('a hardware session that is gone after a pause is not the film’s failure, and the job says why it begins anew', () => {
  for (const code of ['encoder-failed', 'ffmpeg-failed', 'stalled', 'input-output-error'])
    assert.deepEqual(excuse(failed(code), after({})), {
      ...{ event: 'released', job: 7, attempt: 9 },
      reason: { code: 'session-lost', params: { encoder: 'hevc_nvenc', message: 'CUDA_ERROR_UNKNOWN' } },
    });
});

test('after the sleep of the machine that holds for every encoder', () => {
  const slept = after({ disturbed: { percent: 40, slept: true }, hardware: false });
  const report = excuse(failed('input-output-error', 'libx265'), slept);
  assert.deepEqual(report.event === 'released' && report.reason, { code: 'machine-slept' });
});

test('anything else stays what it is', () => {
  const same: [Report, object][] = [
    [failed('encoder-failed'), { disturbed: null }],
    [failed('encoder-failed'), { percent: 41 }],
    [failed('ffmpeg-failed', 'libx265'), { hardware: false }],
    [failed('disk-full'), {}],
    [failed('file-changed'), { disturbed: { percent: 40, slept: true } }],
    [{ event: 'cancelled', job: 7, attempt: 9 }, {}],
  ];
  for (const [report, change] of same) assert.equal(excuse(report, after(change)), report);
});
