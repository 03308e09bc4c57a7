import type { EventMap } from '../../events.ts';
import { listPlan, type PlanFilter } from '../../db/forecast.ts';
import { fileCounts, readLibrary, type Library } from '../../db/libraries.ts';
import { lastMeasure } from '../../db/measures.ts';
import { refuse } from '../errors.ts';
import type { Forecasts } from '../forecasts.ts';
import { forecastPage, whats, type ForecastPage } from '../models/forecast-page.ts';
import { readListState } from '../models/list-state.ts';
import { planCsvHead, planCsvRow, planPage } from '../models/plan-page.ts';
import { idFrom, url } from '../routes.ts';
import type { Ctx, PageModule, Web } from '../web.ts';
import { csvStream } from './csv-stream.ts';
import { queryOf } from './form.ts';

/** What a library would become before anything of it is converted: by class with ranges, and file by file. */
export const forecastPages: PageModule = (app, web) => {
  const { forecasts } = web;

  app.get('/library/:id/forecast', async (c) => {
    const library = await libraryOf(web, c.req.param('id'));
    return web.page(c, {
      title: `Forecast of ${library.name}`,
      section: 'library',
      view: 'library/forecast',
      model: await readForecast(web, forecasts, library),
      live: { view: 'forecast', query: { id: library.id }, refresh: false },
    });
  });
  app.post('/library/:id/measure', async (c) => {
    const library = await libraryOf(web, c.req.param('id'));
    return web.act(
      c,
      async () => {
        await web.commands.measureLibrary(library.id, c.get('actor'));
        return 'A few films are measured now. No file of the library is changed by that.';
      },
      { back: url.libraryForecast(library.id) },
    );
  });
  app.post('/library/:id/cancel-measure', async (c) => {
    const library = await libraryOf(web, c.req.param('id'));
    return web.act(
      c,
      async () => {
        await web.commands.cancelMeasure(library.id, c.get('actor'));
        return 'Measuring was stopped. What was measured so far counts.';
      },
      { back: url.libraryForecast(library.id) },
    );
  });
  planRoutes(app, web);

  const changes: (keyof EventMap)[] = ['library.changed', 'scan.progressed'];
  web.live.register('forecast', {
    params: ['id'],
    regions: {
      forecast: {
        on: changes,
        when: (_type, event, params) => !('libraryId' in event) || String(event.libraryId) === params.get('id'),
        everyMs: 3000,
        render: async (params) => {
          const id = idFrom(params.get('id') ?? undefined);
          const library = id === null ? null : await readLibrary(web.db, id);
          return library ? web.views.render('library/_forecast', await readForecast(web, forecasts, library)) : '';
        },
      },
    },
  });
};

function planRoutes(app: Parameters<PageModule>[0], web: Web): void {
  app.get('/library/:id/plan', async (c) => {
    const library = await libraryOf(web, c.req.param('id'));
    const { filter, wish } = readPlanQuery(c);
    const [page, counts] = await Promise.all([listPlan(web.db, library.id, filter, wish), fileCounts(web.db, library.id)]);
    const codecs = [...new Set(counts.map((cell) => cell.codec))].filter(Boolean);
    return web.page(c, {
      title: `Dry run of ${library.name}`,
      section: 'library',
      view: 'library/plan',
      model: planPage({ libraryId: library.id, filter, codecs, ...page }),
    });
  });
  app.get('/library/:id/plan.csv', async (c) => {
    const library = await libraryOf(web, c.req.param('id'));
    const name = `codecshift-plan-${library.id}-${web.now().toISOString().slice(0, 10)}.csv`;
    const { filter } = readPlanQuery(c);
    return c.body(
      csvStream({
        head: planCsvHead,
        line: planCsvRow,
        read: (after) => listPlan(web.db, library.id, filter, { after, size: 200 }),
        signal: c.req.raw.signal,
      }),
      200,
      {
        'Content-Type': 'text/csv; charset=utf-8',
        'Content-Disposition': `attachment; filename="${name}"`,
      },
    );
  });
}

function readPlanQuery(c: Ctx): { filter: PlanFilter; wish: { after: string | null; before: string | null } } {
  const query = queryOf(c);
  const state = readListState(query, ['all']);
  return {
    filter: {
      what: whats.find((what) => what === query.get('do')) ?? null,
      reason: state.reason,
      codec: state.codec,
      search: state.search,
    },
    wish: { after: state.after, before: state.before },
  };
}

async function readForecast(web: Web, forecasts: Forecasts, library: Library): Promise<ForecastPage> {
  const [{ forecast, complete }, measure] = await Promise.all([forecasts.of(library), lastMeasure(web.db, library.id)]);
  return forecastPage(library, forecast, measure, complete);
}

async function libraryOf(web: Web, text: string | undefined): Promise<Library> {
  const id = idFrom(text);
  const library = id === null || id > 2 ** 31 - 1 ? null : await readLibrary(web.db, id);
  if (!library) throw refuse('not-found', 'There is no such library. It may have been removed.');
  return library;
}
