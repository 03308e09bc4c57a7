import { appendFileSync } from 'node:fs';
import { command, nodeFlags } from '../cli/arguments.ts';
import { leave } from '../cli/leave.ts';
import { loadOptions } from '../config/load.ts';
import { createLog } from '../log.ts';
import { startNode } from '../node.ts';

/**
 * The program with a trap door, for crash tests only: the same composition as `codecshift run`, with a hook between the
 * steps of a delivery and a swap. `CODECSHIFT_TEST_CRASH_AT` is the point, and the how-many-eth time it is passed
 * ("swap:kept:1"), at which the process ends as if it had been killed; `CODECSHIFT_TEST_POINTS` is a file to which every
 * point that is passed is written. The shipped program knows neither.
 */
const crashAt = process.env['CODECSHIFT_TEST_CRASH_AT'];
const record = process.env['CODECSHIFT_TEST_POINTS'];
const passed = new Map<string, number>();

const code = await command(process.argv.slice(3), '', nodeFlags(), async ({ values }) => {
  const options = loadOptions(values);
  const node = await startNode({ options, log: createLog({ level: options.logLevel, pretty: false }), fault });
  process.stdout.write(`Dashboard: ${node.url}\n`);
  await new Promise((resolve) => process.once('SIGTERM', resolve));
  await node.stop({ how: options.stop, hurry: new Promise(() => undefined) });
});
leave(code);

function fault(point: string): void {
  if (point === 'swap:prepared') passed.clear(); // counted within one swap
  const times = (passed.get(point) ?? 0) + 1;
  passed.set(point, times);
  if (record) appendFileSync(record, `${point}\n`);
  if (`${point}:${times}` !== crashAt) return;
  process.kill(process.pid, 'SIGKILL');
}
