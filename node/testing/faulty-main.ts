import { appendFileSync } from 'node:fs';

/**
 * The program with a trap door, for crash tests only: the same composition as `codecshift run`, with a fault hook between
 * the steps of the swap. `CODECSHIFT_TEST_CRASH_AT` names the point at which the process ends as if the power had gone;
 * `CODECSHIFT_TEST_POINTS` is a file that every passed point is written to. The shipped program knows neither.
 */
const crashAt = process.env['CODECSHIFT_TEST_CRASH_AT'];
const passed = process.env['CODECSHIFT_TEST_POINTS'];

export function fault(point: string): void {
  if (passed) appendFileSync(passed, `${point}\n`);
  if (point === crashAt) process.kill(process.pid, 'SIGKILL');
}
