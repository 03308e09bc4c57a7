import { doorKeys } from '../../config/schema.ts';
import { listActivity } from '../../db/activity.ts';
import type { JobRow } from '../../db/job-lists.ts';
import { listLibraries } from '../../db/libraries.ts';
import type { Page, PageWish } from '../../db/page.ts';
import { readHistory } from '../../db/settings.ts';
import { lastDays, totals } from '../../db/stats.ts';
import { mayChange } from '../auth/who.ts';
import { jobListNames, listJobs } from '../job-lists.ts';
import { activityLine } from '../models/activity.ts';
import { dailyChart } from '../models/history.ts';
import { csvHead, csvRow, historyPage, historyStates } from '../models/history-page.ts';
import { readListState, type ListState } from '../models/list-state.ts';
import { changeLine } from '../models/settings.ts';
import { idFrom, url } from '../routes.ts';
import type { PageModule, Web } from '../web.ts';
import { csvStream } from './csv-stream.ts';
import { queryOf } from './form.ts';
import { filterOf } from './queue.ts';

/** What came of it: results with their sizes, the last 30 days, everything as CSV, and who changed what. */
export const historyPages: PageModule = (app, web) => {
  app.get('/history', async (c) => {
    const state = readListState(queryOf(c), historyStates);
    const [page, sums, days, libraries] = await Promise.all([
      readResults(web, state, state),
      totals(web.db),
      lastDays(web.db, 30),
      listLibraries(web.db),
    ]);
    const model = historyPage({
      state,
      rows: page.rows,
      before: page.before,
      after: page.after,
      libraries,
      totals: { ...sums, reclaimed: Math.max(0, sums.bytesIn - sums.bytesOut) },
      chart: dailyChart(days, 30, web.now()),
      now: web.now(),
    });
    return web.page(c, { title: 'History', section: 'history', view: 'history/index', model });
  });

  app.get('/history/export.csv', (c) => {
    const state = readListState(queryOf(c), historyStates);
    const name = `codecshift-history-${web.now().toISOString().slice(0, 10)}.csv`;
    return c.body(
      csvStream<JobRow>({
        head: csvHead,
        line: csvRow,
        read: (after) => readResults(web, state, { after, size: 200 }),
        signal: c.req.raw.signal,
      }),
      200,
      {
        'Content-Type': 'text/csv; charset=utf-8',
        'Content-Disposition': `attachment; filename="${name}"`,
      },
    );
  });

  app.get('/history/audit', async (c) => {
    const query = queryOf(c);
    const [activity, changes] = await Promise.all([
      listActivity(web.db, {}, { after: query.get('after'), before: query.get('before') }),
      readHistory(web.db, idFrom(query.get('changes') ?? undefined), mayChange(c.get('who')) ? {} : { but: doorKeys }),
    ]);
    const href = (name: string, cursor: string | number | null): string | null =>
      cursor === null ? null : `${url.history()}/audit?${new URLSearchParams({ [name]: String(cursor) })}`;
    return web.page(c, {
      title: 'Changes and activity',
      section: 'history',
      view: 'history/audit',
      model: {
        activity: activity.rows.map((event) => activityLine(event)),
        before: href('before', activity.before),
        after: href('after', activity.after),
        changes: changes.map(changeLine),
        moreHref: changes.length === 50 ? href('changes', changes.at(-1)!.id) : null,
        now: web.now(),
      },
    });
  });
};

/** "Everything" is what the API calls the history. */
function readResults(web: Web, state: ListState, wish: PageWish): Promise<Page<JobRow>> {
  const name = jobListNames.find((known) => known === state.state) ?? 'history';
  return listJobs(web.db, name, filterOf(state), wish);
}
