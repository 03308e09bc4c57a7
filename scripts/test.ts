import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { findPostgres, startPostgres } from '../node/testing/postgres.ts';
import type { TestPostgres } from '../node/testing/postgres.ts';
import { repository } from '../node/testing/tools.ts';

/**
 * Runs the tests: `npm test`, or `npm test -- queue --test-only` for the files whose path contains "queue". One real
 * PostgreSQL serves the whole run; its address reaches the tests by CODECSHIFT_TEST_DATABASE_URL. Ends with the test
 * runner's own summary and exit code.
 */
const words = process.argv.slice(2);
const filters = words.filter((word) => !word.startsWith('--'));
const options = words.filter((word) => word.startsWith('--'));

/** These run for minutes: started first, they overlap with everything else instead of trailing behind it. */
const long = ['scenarios/chaos', 'scenarios/crash', 'scenarios/mesh', 'scenarios/folder', 'pages.browser', 'scenarios/', 'swap-crash'];

const database = await startDatabase();
// Also when the run is interrupted: a server of its own must not outlive it.
process.once('exit', () => database?.stop());
process.exitCode = await runTests(chosenFiles(), database ? { CODECSHIFT_TEST_DATABASE_URL: database.url } : {});

function chosenFiles(): string[] {
  const all = globSync(['node/**/*.test.ts', 'scripts/**/*.test.ts'], { cwd: repository });
  const chosen = filters.length === 0 ? all : all.filter((file) => filters.some((filter) => file.includes(filter)));
  if (chosen.length === 0) throw new Error(`No test file matches ${filters.join(', ')}`);
  return chosen.toSorted(longestFirst);
}

function longestFirst(a: string, b: string): number {
  const place = (file: string): number => {
    const at = long.findIndex((part) => file.includes(part));
    return at < 0 ? long.length : at;
  };
  return place(a) - place(b) || a.localeCompare(b);
}

function runTests(files: string[], env: Record<string, string>): Promise<number> {
  // Node's own default would be one file at a time on two cores, while most tests wait for leases, networks and processes:
  // one after the other they would take an hour, of which the CPU has work for ten minutes.
  const defaults = ['--test', '--test-concurrency=6', '--test-reporter=spec', '--test-timeout=300000'];
  const child = spawn(process.execPath, [...defaults, ...options, ...files], {
    cwd: repository,
    stdio: 'inherit',
    env: { ...process.env, ...env, NODE_ENV: 'test' },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal ? 1 : (code ?? 1)));
  });
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
