import { isMainThread } from 'node:worker_threads';
import { leave } from '../cli/leave.ts';

/**
 * Loaded into every test file by scripts/test.ts: a file that does not end by itself ends with what holds it. Node's own limit
 * ends a test, but not the process that the test left something open in, and says nothing where all of them hang. And a file
 * whose tests are over ends without what of Node.js may hang then (cli/leave.ts).
 */
const minutes = process.env['CODECSHIFT_TEST_ALL'] ? 40 : 10;

if (isMainThread) {
  setTimeout(() => {
    const open = process.getActiveResourcesInfo();
    console.error(
      `${process.argv[1]} did not end within ${minutes} minutes; open are ${open.length === 0 ? 'no' : open.join(', ')} handles.`,
    );
    leave(1);
  }, minutes * 60_000).unref();
  process.once('exit', (code) => leave(code));
}
