import { classesToMeasure, wishKey } from '../core/film-sample.ts';
import { classKey } from '../core/film-class.ts';
import { forecastLibrary, type LibraryForecast } from '../core/library-forecast.ts';
import { wholeProfile } from '../core/profile-fields.ts';
import { classCounts, listSamples } from '../db/forecast.ts';
import type { Library } from '../db/libraries.ts';
import { schedulingNodes } from '../db/schedule-facts.ts';
import type { Web } from './web.ts';

/** What a library would become, for pages and the API. Counting reads every file once, so the count is kept for a while. */
export interface Forecasts {
  of(library: Library): Promise<{ forecast: LibraryForecast; complete: boolean }>;
}

/** Twenty times as long as counting took, and at least this. */
const KEPT_MS = 3000;

export function createForecasts(web: Pick<Web, 'db' | 'settings' | 'now'>): Forecasts {
  const counted = new Map<number, { until: number; counts: ReturnType<typeof classCounts> }>();
  return {
    async of(library) {
      const profile = wholeProfile(library.profile);
      const [counts, samples, nodes] = await Promise.all([
        countsOf(library.id),
        listSamples(web.db, library.id, wishKey(profile)),
        schedulingNodes(web.db, limits(), { now: web.now().getTime() }),
      ]);
      const forecast = forecastLibrary(counts, samples, nodes, { profile, root: library.rootId });
      const films = new Map<string, Set<number>>();
      for (const sample of samples) films.set(sample.class, (films.get(sample.class) ?? new Set()).add(sample.fileId));
      const wanted = classesToMeasure(
        forecast.classes.filter((one) => one.what === 'convert').map((one) => ({ key: classKey(one), files: one.files, bytes: one.bytes })),
        new Map([...films].map(([key, ids]) => [key, ids.size])),
      );
      return { forecast, complete: wanted.length === 0 };
    },
  };

  function countsOf(libraryId: number): ReturnType<typeof classCounts> {
    const began = performance.now();
    const known = counted.get(libraryId);
    if (known && began < known.until) return known.counts;
    const counts = classCounts(web.db, libraryId);
    const entry = { until: Infinity, counts };
    counted.set(libraryId, entry);
    counts
      .then(() => (entry.until = performance.now() + Math.max(KEPT_MS, 20 * (performance.now() - began))))
      .catch(() => counted.delete(libraryId));
    return counts;
  }

  function limits(): { slots: number; mbps: number; minFreeBytes: number } {
    const settings = web.settings();
    const number = (key: string): number => (typeof settings[key] === 'number' ? settings[key] : 0);
    return { slots: number('jobs.atOnce'), mbps: number('network.mbps'), minFreeBytes: number('jobs.minFreeGb') * 1e9 };
  }
}
