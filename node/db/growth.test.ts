import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshDatabase } from '../testing/database.ts';

/**
 * What keeps each table from growing for ever. A new table is not in this list, and the test asks for a decision:
 *
 *   time     goes when it is old enough (coordinator/retention.ts, sources.ts)
 *   number   so many stay of each library, root or person
 *   library  a few rows for each film, library, disk or machine of the house
 *   hand     a person adds to it, and takes away
 *   one      a row, or one for each of a list of the program; deltas are folded every few seconds
 */
const bounds: Record<string, 'time' | 'number' | 'library' | 'hand' | 'one'> = {
  access_setup: 'one',
  activity: 'time',
  api_tokens: 'hand',
  attempts: 'library',
  audit: 'time',
  benched: 'hand',
  candidates: 'library',
  cleanups: 'number',
  cluster: 'one',
  coordinator: 'one',
  deliveries: 'time',
  delivery_counts: 'one',
  file_counts: 'one',
  file_deltas: 'one',
  film_samples: 'library',
  identities: 'hand',
  job_counts: 'one',
  job_deltas: 'one',
  jobs: 'library',
  join_tokens: 'time',
  leftovers: 'number',
  libraries: 'hand',
  measures: 'number',
  media_files: 'library',
  metric_counts: 'one',
  metric_deltas: 'one',
  node_roots: 'library',
  node_speeds: 'library',
  nodes: 'hand',
  notice_watches: 'library',
  notification_targets: 'hand',
  notifications: 'time',
  originals: 'library',
  quality_findings: 'library',
  roots: 'library',
  scans: 'number',
  schema_migrations: 'one',
  secrets: 'hand',
  sessions: 'number',
  settings: 'one',
  settings_history: 'number',
  source_events: 'time',
  source_items: 'library',
  source_libraries: 'library',
  source_messages: 'time',
  source_paths: 'hand',
  sources: 'hand',
  stats_daily: 'library', // a row a day for each machine that worked: 36,500 in five years of twenty
  throttles: 'time',
  trash_strangers: 'library',
  users: 'hand',
};

test('of every table it is known what keeps it from growing for ever', async (t) => {
  const db = await freshDatabase(t, 'embedded');
  const rows = await db.query<{ name: string }>(`select tablename as name from pg_tables where schemaname = current_schema() order by 1`);
  assert.deepEqual(
    rows.map(({ name }) => name),
    Object.keys(bounds).toSorted(),
  );
});

/** They are small, or what they point to goes by a person's hand, a row at a time. */
const withoutIndex = [
  'api_tokens.user_id',
  'film_samples.node_id',
  'jobs.library_id',
  'jobs.node_id',
  'node_roots.root_id',
  'originals.root_id',
  'source_items.root_id',
  'source_paths.root_id',
];

test('whatever goes by the thousand is found by those who point to it without looking through them all', async (t) => {
  const db = await freshDatabase(t, 'embedded');
  const rows = await db.query<{ name: string }>(
    `select c.conrelid::regclass::text || '.' || a.attname as name
       from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
      where c.contype = 'f' and not exists (
        select 1 from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1]
           and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname)))
      order by 1`,
  );
  assert.deepEqual(
    rows.map(({ name }) => name),
    withoutIndex,
  );
});
