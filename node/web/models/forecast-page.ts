import type { ClassForecast, Estimate, LibraryForecast, What } from '../../core/library-forecast.ts';
import type { FilmClass } from '../../core/film-class.ts';
import { label, sentence, type Reason } from '../../core/reasons.ts';
import type { Measure } from '../../db/measures.ts';
import { codec, codecTone, count, duration, plural, size, sizeParts, type Tone } from '../format.ts';
import { url } from '../routes.ts';
import { hdrWord } from './streams.ts';

/** What a library would become: the page before anything is converted, and as good afterwards. */
export interface ForecastPage {
  id: number;
  name: string;
  looking: boolean;
  enabled: boolean;
  saved: { value: string; unit: string; range: string } | null;
  time: { value: string; unit: string; range: string; nodes: string } | null;
  timeWhy: string;
  files: number;
  converts: number;
  /** how it is known, in one sentence */
  basis: string;
  open: string;
  rows: ForecastRow[];
  measure: MeasureView;
  planHref: string;
  csvHref: string;
}

export interface ForecastRow {
  format: string;
  tone: Tone;
  what: What;
  word: string;
  reason: string;
  files: number;
  size: string;
  after: string;
  range: string;
  basis: string;
  href: string;
}

export interface MeasureView {
  id: number;
  running: { tried: number; films: number; words: string } | null;
  /** how the last one ended; '' when there was none */
  last: string;
  /** nothing more can be learnt by measuring */
  complete: boolean;
}

export interface MeasureCard {
  measure: MeasureView;
}

export const whatWords: Record<What, string> = {
  convert: 'Convert',
  rewrap: 'Re-wrap',
  done: 'Finished already',
  leave: 'Leave alone',
  later: 'Looked at later',
};
export const whats = Object.keys(whatWords) as What[];

export function forecastPage(
  library: { id: number; name: string; looking: boolean; enabled: boolean },
  forecast: LibraryForecast,
  measure: Measure | null,
  complete: boolean,
): ForecastPage {
  const { saved, time, converts } = forecast;
  return {
    id: library.id,
    name: library.name,
    looking: library.looking,
    enabled: library.enabled,
    saved: converts.files === 0 ? null : { ...sizeParts(saved.value), range: rangeOf(saved, size, 'and') },
    time: time && converts.files > 0 ? timeWords(time) : null,
    timeWhy: converts.files === 0 ? 'Nothing is to be converted.' : 'No machine that is here now has an encoder for all of it.',
    files: forecast.files,
    converts: converts.files,
    basis: basisWords(forecast),
    open:
      forecast.open > 0
        ? `${plural(forecast.open, 'file')} ${forecast.open === 1 ? 'is' : 'are'} not in it yet: new, still being written, or too new.`
        : '',
    rows: forecast.classes.map((one) => rowOf(library.id, one)),
    measure: measureView(library.id, measure, complete),
    planHref: url.libraryPlan(library.id),
    csvHref: url.libraryPlanCsv(library.id),
  };
}

/** "H.264 1080p HDR10 10 bit" */
export function className({ codec: name, lines, hdr, bitDepth }: FilmClass): string {
  if (!name) return 'Not looked into yet';
  const picture = lines === 'unknown' ? '' : lines === 'sd' ? 'SD' : lines;
  return [
    codec(name === 'none' ? null : name),
    picture,
    hdr ? hdrWord(hdr) : '',
    bitDepth !== null && bitDepth > 8 ? `${bitDepth} bit` : '',
  ]
    .filter(Boolean)
    .join(' ');
}

function rowOf(libraryId: number, one: ClassForecast): ForecastRow {
  const reason: Reason | null = one.reason === null ? null : ({ code: one.reason } as Reason);
  return {
    format: className(one),
    tone: codecTone(one.codec || null),
    what: one.what,
    word: whatWords[one.what],
    reason: reason ? label(reason) : one.status === 'new' ? 'Not looked into yet' : '',
    files: one.files,
    size: size(one.bytes),
    after: one.after ? size(one.after.value) : '',
    range: one.after && one.what === 'convert' ? rangeOf(one.after, size) : '',
    basis: one.what !== 'convert' ? '' : one.measured > 0 ? `${plural(one.measured, 'film')} measured` : 'general table',
    href: url.libraryPlan(libraryId, { do: one.what, reason: one.reason, format: one.codec || null }),
  };
}

function timeWords(time: NonNullable<LibraryForecast['time']>): NonNullable<ForecastPage['time']> {
  const [value = '', ...unit] = duration(time.value * 1000).split('\u00a0');
  const names = time.nodes.map((node) => node.name);
  const guessed = time.nodes.filter((node) => !node.measured).map((node) => node.name);
  const on = `on ${listed(names)}`;
  return {
    value,
    unit: unit.join(' '),
    range: rangeOf(time, (seconds) => duration(seconds * 1000)),
    nodes: guessed.length === 0 ? on : `${on}; the speed of ${listed(guessed)} is guessed`,
  };
}

function basisWords({ measuredShare, converts }: LibraryForecast): string {
  if (converts.files === 0) return '';
  if (measuredShare <= 0) return 'From a general table, so the range is wide. Measuring a few films makes it narrow.';
  const share = Math.min(99, Math.max(1, Math.round(measuredShare * 100)));
  if (measuredShare >= 0.999) return 'Measured on pieces of your own films.';
  return `Measured on pieces of your own films for ${share} % of it; the rest is from a general table.`;
}

function measureView(id: number, measure: Measure | null, complete: boolean): MeasureView {
  const running = measure?.state === 'running' ? measure : null;
  return {
    id,
    running: running && {
      tried: running.tried + running.failed,
      films: running.films,
      words: running.films === 0 ? 'Choosing films' : `${count(running.tried + running.failed)} of ${plural(running.films, 'film')}`,
    },
    last: measure && !running ? endWords(measure) : '',
    complete,
  };
}

function endWords(measure: Measure): string {
  const why = measure.reason ? ` ${sentence(measure.reason)}` : '';
  if (measure.state === 'cancelled') return `Measuring was stopped after ${plural(measure.tried, 'film')}.`;
  if (measure.state === 'failed') return `Measuring ended early.${why}`;
  const failed = measure.failed > 0 ? ` ${plural(measure.failed, 'film')} could not be measured.${why}` : '';
  return `${plural(measure.tried, 'film')} ${measure.tried === 1 ? 'was' : 'were'} measured.${failed}`;
}

/** "330 and 480 GB", or "330 MB and 1.2 GB" */
function rangeOf({ low, high }: Estimate, words: (value: number) => string, word = 'to'): string {
  const [from, to] = [words(low), words(high)];
  if (from === to) return from;
  const [a, unit] = from.split('\u00a0');
  return unit !== undefined && to.endsWith(`\u00a0${unit}`) && to.split('\u00a0').length === 2
    ? `${a} ${word} ${to}`
    : `${from} ${word} ${to}`;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
