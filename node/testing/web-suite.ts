import { after, before } from 'node:test';
import type { Database } from '../db/connect.ts';
import { launchBrowser, type TestBrowser } from './browser.ts';
import { freshDatabase, havePostgres, type TestDatabase } from './database.ts';
import { fillSample, type Sample } from './sample.ts';

/** What every test file about pages stands on: one database with the sample house in it, and a browser where wanted. */
export interface WebSuite<More> {
  readonly browser: TestBrowser;
  readonly db: TestDatabase;
  /** the database, writing as a coordinator */
  readonly leader: Database;
  readonly sample: Sample;
  readonly more: More;
}

/** Registers the file's `before` and `after`; what it gives is there once the tests run. */
export function webSuite<More = undefined>(
  options: { browser?: boolean; fill?: (leader: Database, sample: Sample) => Promise<More> } = {},
): WebSuite<More> {
  const cleanups: (() => Promise<void> | void)[] = [];
  const suite = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
  const made = {} as { -readonly [K in keyof WebSuite<More>]: WebSuite<More>[K] };
  before(async () => {
    if (options.browser !== false) {
      made.browser = await launchBrowser();
      suite.after(() => made.browser.close());
    }
    made.db = await freshDatabase(suite, havePostgres() ? 'postgres' : 'embedded');
    made.leader = await made.db.lead();
    made.sample = await fillSample(made.leader);
    if (options.fill) made.more = await options.fill(made.leader, made.sample);
  });
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });
  return made;
}
