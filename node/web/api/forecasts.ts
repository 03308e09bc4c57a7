import * as v from 'valibot';
import { listPlan } from '../../db/forecast.ts';
import { readLibrary, type Library } from '../../db/libraries.ts';
import { lastMeasure } from '../../db/measures.ts';
import { refuse } from '../errors.ts';
import { className, whatWords, whats } from '../models/forecast-page.ts';
import { planJson } from '../models/plan-page.ts';
import type { Web } from '../web.ts';
import { bytes, done, maybe, maybeReason, maybeTime, pageOf, reasonJson, time } from './answers.ts';
import { route, type ApiRoute } from './declare.ts';
import { format, int4, numberOf, oneOf, paged, reasonCode, search, wishOf } from './inputs.ts';

const estimate = { value: v.number(), low: v.number(), high: v.number() };
const params = { id: numberOf('library', int4) };

const classAnswer = v.strictObject({
  key: v.string(),
  codec: v.string(),
  lines: v.string(),
  hdr: maybe.text,
  bitDepth: maybe.number,
  status: v.string(),
  reason: maybe.text,
  files: v.number(),
  bytes: v.number(),
  expectedBytes: v.number(),
  pixels: v.number(),
  what: v.picklist(whats),
  after: v.nullable(v.strictObject(estimate)),
  measured: v.number(),
  name: v.string(),
  words: v.string(),
});

const forecastAnswer = v.strictObject({
  library: v.strictObject({ id: v.number(), name: v.string(), enabled: v.boolean(), looking: v.boolean() }),
  classes: v.array(classAnswer),
  files: v.number(),
  bytes,
  converts: v.strictObject({ files: v.number(), bytes }),
  open: v.pipe(v.number(), v.description('found and not looked into yet')),
  saved: v.strictObject(estimate),
  measuredShare: v.number(),
  time: v.pipe(
    v.nullable(v.strictObject({ ...estimate, nodes: v.array(v.strictObject({ name: v.string(), measured: v.boolean() })) })),
    v.description('in seconds'),
  ),
  measure: v.nullable(
    v.strictObject({
      id: v.number(),
      libraryId: v.number(),
      state: v.picklist(['running', 'completed', 'failed', 'cancelled']),
      films: v.number(),
      tried: v.number(),
      failed: v.number(),
      reason: maybeReason,
      askedBy: v.string(),
      startedAt: time,
      endedAt: maybeTime,
    }),
  ),
  measurable: v.boolean(),
});

/** What a library would become, and what would be done with each of its files. */
export const forecastsApi: ApiRoute[] = [
  route({
    method: 'GET',
    path: '/libraries/:id/forecast',
    right: 'read',
    in: 'Libraries',
    does: 'What would become of a library: space and time with their ranges, by class of film.',
    params,
    answer: forecastAnswer,
    run: async ({ web, params: { id } }) => {
      const library = await libraryOf(web, id);
      const [{ forecast, complete }, measure] = await Promise.all([web.forecasts.of(library), lastMeasure(web.db, library.id)]);
      return {
        library: { id: library.id, name: library.name, enabled: library.enabled, looking: library.looking },
        ...forecast,
        classes: forecast.classes.map((one) => ({ ...one, name: className(one), words: whatWords[one.what] })),
        measure: measure && { ...measure, reason: reasonJson(measure.reason) },
        measurable: !complete,
      };
    },
  }),
  route({
    method: 'GET',
    path: '/libraries/:id/plan',
    right: 'read',
    in: 'Libraries',
    does: 'A dry run: every file of a library with what would be done with it and why.',
    params,
    query: v.strictObject({ plan: v.optional(oneOf(whats)), format, reason: reasonCode, q: search, ...paged }),
    answer: pageOf(
      v.strictObject({
        id: v.number(),
        path: v.string(),
        title: v.string(),
        detail: v.string(),
        plan: v.picklist(whats),
        reason: maybeReason,
        status: v.string(),
        codec: maybe.text,
        width: maybe.number,
        height: maybe.number,
        bitDepth: maybe.number,
        hdr: maybe.text,
        durationMs: maybe.number,
        sizeBytes: bytes,
        expectedBytes: maybe.number,
      }),
    ),
    run: async ({ web, params: { id }, query }) => {
      const library = await libraryOf(web, id);
      const { plan: what = null, reason = null, format: codec = null, q } = query;
      const page = await listPlan(web.db, library.id, { what, reason, codec, search: q?.trim() || null }, wishOf(query));
      return { items: page.rows.map(planJson), before: page.before, after: page.after };
    },
  }),
  route({
    method: 'POST',
    path: '/libraries/:id/measure',
    right: 'admin',
    in: 'Libraries',
    does: 'Tries pieces of a few films on machines with a free slot, so that the forecast becomes narrow. Nothing of the library is changed.',
    params,
    status: 202,
    answer: done,
    run: async ({ web, params, by }) => {
      const { id } = await libraryOf(web, params.id);
      await web.commands.measureLibrary(id, by);
      return { id };
    },
  }),
  route({
    method: 'POST',
    path: '/libraries/:id/measure/cancel',
    right: 'admin',
    in: 'Libraries',
    does: 'Stops measuring; what was measured stays.',
    params,
    answer: done,
    run: async ({ web, params, by }) => {
      const { id } = await libraryOf(web, params.id);
      await web.commands.cancelMeasure(id, by);
      return { id };
    },
  }),
];

async function libraryOf(web: Web, id: number): Promise<Library> {
  const library = await readLibrary(web.db, id);
  if (!library) throw refuse('not-found', `There is no library ${id}.`);
  return library;
}
