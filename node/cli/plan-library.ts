import { once } from 'node:events';
import { PlainError } from '../errors.ts';
import type { running } from './running.ts';
import { bytes, counted, duration } from './words.ts';

type Api = Awaited<ReturnType<typeof running>>['api'];

interface Range {
  value: number;
  low: number;
  high: number;
}

interface Forecast {
  files: number;
  converts: { files: number; bytes: number };
  open: number;
  saved: Range;
  measuredShare: number;
  time: (Range & { nodes: { name: string; measured: boolean }[] }) | null;
  classes: { name: string; words: string; what: string; files: number; bytes: number; after: Range | null; measured: number }[];
}

interface FilePlan {
  path: string;
  plan: string;
  sizeBytes: number;
  expectedBytes: number | null;
  reason: { sentence: string } | null;
}

/** The dry run of a whole library: JSON lines, one a file, or plain words with the forecast in front. Nothing is changed. */
export async function planLibrary(api: Api, wanted: string, json: boolean, write = toStdout): Promise<void> {
  const { items } = await api<{ items: { id: number; name: string }[] }>('GET', '/libraries');
  const library = items.find((l) => l.name === wanted) ?? items.find((l) => String(l.id) === wanted);
  if (!library)
    throw new PlainError(`There is no library "${wanted}".${items.length ? ` There is: ${items.map((l) => l.name).join(', ')}.` : ''}`);
  if (!json) await write(forecastWords(library.name, await api<Forecast>('GET', `/libraries/${library.id}/forecast`)));
  for (let after: string | null = null; ;) {
    const query = new URLSearchParams({ limit: '200', ...(after ? { after } : {}) });
    const page: { items: FilePlan[]; after: string | null } = await api('GET', `/libraries/${library.id}/plan?${query}`);
    if (page.items.length > 0) await write(page.items.map(json ? (file) => `${JSON.stringify(file)}\n` : fileWords).join(''));
    after = page.after;
    if (!after) return;
  }
}

/** As fast as it is read: a pipe that is full is waited for, one that was closed ends it. */
async function toStdout(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

function forecastWords(name: string, forecast: Forecast): string {
  const { saved, time, converts } = forecast;
  const how =
    forecast.measuredShare > 0
      ? `${Math.round(forecast.measuredShare * 100)} % of it measured`
      : 'from a general table, nothing measured yet';
  const lines = [
    `${name}: ${counted(forecast.files, 'file')}, ${converts.files} of them (${bytes(converts.bytes)}) would be converted.`,
    ...(converts.files > 0 ? [`Would come back: about ${bytes(saved.value)} (${bytes(saved.low)} to ${bytes(saved.high)}; ${how}).`] : []),
    ...(time && converts.files > 0
      ? [
          `It would take about ${duration(time.value * 1000)} (${duration(time.low * 1000)} to ${duration(time.high * 1000)}) on ${time.nodes.map((node) => node.name + (node.measured ? '' : ', whose speed is guessed')).join(' and ')}.`,
        ]
      : []),
    ...(forecast.open > 0 ? [`${counted(forecast.open, 'file')} ${forecast.open === 1 ? 'is' : 'are'} not in it yet.`] : []),
    ...forecast.classes.map(
      (one) =>
        `  ${one.words}: ${one.name}, ${counted(one.files, 'file')}, ${bytes(one.bytes)}${one.after ? ` → about ${bytes(one.after.value)}` : ''}`,
    ),
  ];
  return `${lines.map(printable).join('\n')}\n\n`;
}

function fileWords(file: FilePlan): string {
  const size = file.expectedBytes === null ? bytes(file.sizeBytes) : `${bytes(file.sizeBytes)} → about ${bytes(file.expectedBytes)}`;
  return `${printable(file.path)}\n  ${file.plan}, ${size}. ${printable(file.reason?.sentence ?? '')}\n`;
}

/** A file name may hold what a terminal would obey. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}
