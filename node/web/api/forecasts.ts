import { listPlan } from '../../db/forecast.ts';
import { readLibrary, type Library } from '../../db/libraries.ts';
import { lastMeasure } from '../../db/measures.ts';
import { sentence } from '../../core/reasons.ts';
import { refuse } from '../errors.ts';
import { createForecasts } from '../forecasts.ts';
import { className, whatWords } from '../models/forecast-page.ts';
import { planJson } from '../models/plan-page.ts';
import type { Web } from '../web.ts';
import { bodyAs, nothingBody, pathId, planQuery, queryAs, type ApiContext } from './v1.ts';

type Route = (path: string, answer: (c: ApiContext) => Promise<Response>) => void;

/** What a library would become, and what would be done with each of its files. */
export function forecastRoutes(get: Route, post: Route, web: Web): void {
  const forecasts = createForecasts(web);

  get('/libraries/:id/forecast', async (c) => {
    const library = await libraryOf(web, c);
    const [{ forecast, complete }, measure] = await Promise.all([forecasts.of(library), lastMeasure(web.db, library.id)]);
    return c.json({
      library: { id: library.id, name: library.name, enabled: library.enabled, looking: library.looking },
      ...forecast,
      classes: forecast.classes.map((one) => ({ ...one, name: className(one), words: whatWords[one.what] })),
      measure: measure && { ...measure, reason: measure.reason && { ...measure.reason, sentence: sentence(measure.reason) } },
      measurable: !complete,
    });
  });
  get('/libraries/:id/plan', async (c) => {
    const library = await libraryOf(web, c);
    const query = queryAs(c, planQuery);
    const page = await listPlan(
      web.db,
      library.id,
      { what: query.plan ?? null, reason: query.reason ?? null, codec: query.format ?? null, search: query.q?.trim() || null },
      { after: query.after ?? null, before: query.before ?? null, size: query.limit },
    );
    return c.json({ items: page.rows.map(planJson), before: page.before, after: page.after });
  });
  post('/libraries/:id/measure', async (c) => {
    await bodyAs(c, nothingBody);
    const library = await libraryOf(web, c);
    await web.commands.measureLibrary(library.id, c.get('actor'));
    return c.json({ id: library.id }, 202);
  });
  post('/libraries/:id/measure/cancel', async (c) => {
    await bodyAs(c, nothingBody);
    const library = await libraryOf(web, c);
    await web.commands.cancelMeasure(library.id, c.get('actor'));
    return c.json({ id: library.id });
  });
}

async function libraryOf(web: Web, c: ApiContext): Promise<Library> {
  const id = pathId(c, 'library');
  const library = id > 2 ** 31 - 1 ? null : await readLibrary(web.db, id);
  if (!library) throw refuse('not-found', `There is no library ${id}.`);
  return library;
}
