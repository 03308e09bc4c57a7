import { examine, ffmpeg, kinds, type Examination, type Examined } from './examine.ts';

/**
 * A second opinion. It lists every difference between an original and its conversion, reading both with ffprobe and
 * ffmpeg itself and sharing no code with the rooms that made the conversion or judged it, so that a mistake in
 * ffmpeg/probe.ts or core/verdict.ts cannot hide itself here.
 *
 * What must differ is told apart from what may not: the codec of the film stream is reported under `film.codec`, and a
 * test says which differences it expects.
 */
export interface Difference {
  /** where, in dots: 'film.rotation', 'audio1.language', 'tags.title', 'chapters', 'attachment0.bytes' */
  what: string;
  original: string;
  output: string;
}

/** Every difference, in file order. Pictures count as streams of their own kind. */
export async function differences(original: string, output: string): Promise<Difference[]> {
  const [before, after] = await Promise.all([examine(original), examine(output)]);
  const found: Difference[] = [];
  const note: Note = (what, a, b) => {
    if (a !== b) found.push({ what, original: String(a), output: String(b) });
  };
  note('container', before.container, after.container);
  compareDuration(before, after, note);
  compareTags('tags', before.tags, after.tags, note);
  note('chapters', before.chapters, after.chapters);
  for (const kind of kinds) {
    const [a, b] = [before.streams[kind], after.streams[kind]];
    note(`${kind}.count`, a.length, b.length);
    for (let i = 0; i < Math.min(a.length, b.length); i++) compareStream(kind === 'film' ? kind : `${kind}${i}`, a[i]!, b[i]!, note);
  }
  return found;
}

/** The differences as lines, for an assertion's message. */
export function inWords(found: Difference[]): string[] {
  return found.map(({ what, original, output }) => `${what}: ${original} -> ${output}`);
}

/** True when every stream decodes to its end without one line on stderr. */
export async function decodesCleanly(path: string): Promise<boolean> {
  try {
    const { stderr } = await ffmpeg([
      '-xerror',
      '-i',
      `file:${path}`,
      '-map',
      '0:v?',
      '-map',
      '0:a?',
      '-fps_mode',
      'passthrough',
      '-enc_time_base',
      '-1',
      '-f',
      'null',
      '-',
    ]);
    return stderr.trim() === '';
  } catch {
    return false;
  }
}

type Note = (what: string, original: string | number | null, output: string | number | null) => void;

function compareDuration(before: Examined, after: Examined, note: Note): void {
  if (Number.isNaN(before.seconds) && Number.isNaN(after.seconds)) return;
  const frame = before.streams.film[0]?.frame ?? 0.04;
  // Containers round the last frame's duration their own way: two frames of difference are not a missing scene.
  if (!(Math.abs(before.seconds - after.seconds) <= Math.max(2 * frame, 0.1))) note('duration', before.seconds, after.seconds);
}

function compareTags(where: string, before: Record<string, string>, after: Record<string, string>, note: Note): void {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
    note(`${where}.${key}`, before[key] ?? null, after[key] ?? null);
}

function compareStream(where: string, before: Examination, after: Examination, note: Note): void {
  for (const key of Object.keys(before.facts)) note(`${where}.${key}`, before.facts[key]!, after.facts[key]!);
  compareTags(where, before.tags, after.tags, note);
  if (before.times === null || after.times === null) return;
  if (where === 'film' && before.times.length === after.times.length) compareTimes(before.times, after.times, note);
  else if (Math.abs(before.times[0]! - after.times[0]!) > clock)
    note(`${where}.start`, before.times[0]!.toFixed(3), after.times[0]!.toFixed(3));
}

/** Matroska and FLV count in whole milliseconds, both ends may round. */
const clock = 0.0025;

/** Frame by frame: on a variable frame rate, equal numbers and an equal duration are not enough. */
function compareTimes(before: number[], after: number[], note: Note): void {
  const late = before.findIndex((time, index) => Math.abs(time - after[index]!) > clock);
  if (late >= 0) note('film.times', `frame ${late} at ${before[late]!.toFixed(4)} s`, `at ${after[late]!.toFixed(4)} s`);
}
