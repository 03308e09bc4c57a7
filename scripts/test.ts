import { globSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';
import { leave } from '../node/cli/leave.ts';
import { findPostgres, startPostgres } from '../node/testing/postgres.ts';
import type { TestPostgres } from '../node/testing/postgres.ts';
import { repository } from '../node/testing/tools.ts';

/**
 * Runs the tests: `npm test`, or `npm test -- queue` for the files whose path contains "queue"; `--times` lists the slowest
 * files; `--all` also what is left out otherwise (node/testing/thorough.ts); `--slow-disk` on a disk that takes its time
 * (node/testing/slow-disk.ts); other words with `--` go to Node, as `--test-name-pattern=…`. One real PostgreSQL serves the whole
 * run; its address reaches the tests by CODECSHIFT_TEST_DATABASE_URL. Ends with the test runner's own summary and exit code.
 */
const words = process.argv.slice(2);
const filters = words.filter((word) => !word.startsWith('--'));
const options = words.filter((word) => word.startsWith('--'));

/** These run for minutes and mostly wait for leases, networks and encodes; the longest first. */
const long = [
  'scenarios/crash',
  'scenarios/folder',
  'scenarios/mesh',
  'scenarios/chaos',
  'scenarios/process',
  'scenarios/rogue',
  'scenarios/',
  'pages.browser',
  'database-crash',
  'swap-crash',
];

const database = await startDatabase();
// Also when the run is interrupted: a server of its own must not outlive it.
process.once('exit', () => database?.stop());
leave(await runTests(chosenFiles(), database ? { CODECSHIFT_TEST_DATABASE_URL: database.url } : {}));

function chosenFiles(): string[] {
  const all = globSync(['node/**/*.test.ts', 'scripts/**/*.test.ts'], { cwd: repository });
  const chosen = filters.length === 0 ? all : all.filter((file) => filters.some((filter) => file.includes(filter)));
  if (chosen.length === 0) throw new Error(`No test file matches ${filters.join(', ')}`);
  return mixed(chosen.toSorted(longestFirst));
}

function longestFirst(a: string, b: string): number {
  return placeOf(a) - placeOf(b) || a.localeCompare(b);
}

function placeOf(file: string): number {
  const at = long.findIndex((part) => file.includes(part));
  return at < 0 ? long.length : at;
}

/**
 * A long one, then some short ones, and so on: what waits runs beside what computes. All long ones first would leave the
 * processors idle and be late for it; at the end, they would trail behind everything else.
 */
function mixed(files: readonly string[]): string[] {
  const first = files.findIndex((file) => placeOf(file) === long.length);
  const [longs, rest] = first < 0 ? [files, []] : [files.slice(0, first), files.slice(first)];
  const between = Math.floor((rest.length * 0.7) / Math.max(1, longs.length));
  return [...longs.flatMap((file, n) => [file, ...rest.slice(n * between, (n + 1) * between)]), ...rest.slice(longs.length * between)];
}

/**
 * By the runner's own interface and not by `node --test`, which runs files in the order of the alphabet: what takes longest
 * would begin when everything else has ended.
 */
async function runTests(files: string[], env: Record<string, string>): Promise<number> {
  const slow = options.includes('--slow-disk');
  Object.assign(process.env, env, { NODE_ENV: 'test' }, options.includes('--all') ? { CODECSHIFT_TEST_ALL: '1' } : {});
  if (slow) process.env['CODECSHIFT_TEST_SLOW_DISK'] = '1';
  const times = new Map<string, number>();
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  // Node's own default would be one file at a time on two cores, while many tests wait for leases, networks and processes. With
  // more than five, programs mostly wait for each other: what takes longer burns more, ten nodes half a core.
  const testing = run({
    files: files.map((file) => join(repository, file)),
    cwd: repository,
    concurrency: 5,
    // The embedded database is nine megabytes of WebAssembly: to compile it a second time, better, pays for programs that live longer.
    execArgv: [
      `--test-timeout=${options.includes('--all') ? 1_800_000 : 420_000}`,
      `--import=${moduleUrl('time-limit')}`,
      ...(slow ? [`--import=${moduleUrl('slow-disk')}`] : []),
      '--liftoff-only',
      ...options.filter((word) => !['--times', '--all', '--slow-disk'].includes(word)),
    ],
    signal: interrupted.signal,
  });
  let passed = false;
  testing.on('test:summary', ({ file, success, duration_ms }) => {
    if (file === undefined) passed = success;
    else times.set(relative(repository, file), duration_ms);
  });
  await pipeline(testing, new spec(), process.stdout, { end: false });
  if (options.includes('--times')) console.log(slowest(times));
  return passed ? 0 : 1;
}

function moduleUrl(name: string): string {
  return pathToFileURL(join(repository, 'node', 'testing', `${name}.ts`)).href;
}

function slowest(times: Map<string, number>): string {
  const longest = [...times].toSorted(([, a], [, b]) => b - a).slice(0, 40);
  return longest.map(([file, ms]) => `${(ms / 1000).toFixed(1).padStart(7)} s  ${file}`).join('\n');
}

/** Without a PostgreSQL on this machine the tests on it skip themselves and say so. */
async function startDatabase(): Promise<TestPostgres | null> {
  if (process.env['CODECSHIFT_TEST_DATABASE_URL'] || findPostgres() === null) return null;
  try {
    return await startPostgres();
  } catch (error) {
    console.log(`PostgreSQL does not start here, tests on it may fail: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}
