import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { differences, inWords } from '../../node/testing/compare.ts';
import { requireTool } from '../../node/testing/tools.ts';
import { sha256 } from './library.ts';
import type { Film } from './library.ts';
import { everyFile } from './findings.ts';
import type { Finding } from './findings.ts';

/** What stands under a film's name now. */
export interface Became {
  film: Film;
  /** below the share */
  name: string;
  sizeBytes: number;
  how: 'original' | 'converted';
  /** where its original lies now, below the share; null while it is still under its name */
  trash: string | null;
}

/** How many films are compared in every detail; the others in what a viewer would miss. */
const closely = 6;

/**
 * Every film is byte for byte what it was, or a faithful HEVC of it whose original lies byte for byte in the trash; and
 * nothing stands in the library that nobody put there.
 */
export async function checkFilms(share: string, films: readonly Film[], findings: Finding[]): Promise<Became[]> {
  const note = (says: string): void => void findings.push({ about: 'film', says });
  const files = everyFile(share);
  const trash = new Map<string, string>();
  for (const name of files.filter((one) => one.startsWith('.codecshift/trash/') && !one.endsWith('/where.json')))
    trash.set(await sha256(join(share, name)), name);
  const visible = new Set(files.filter((name) => !name.startsWith('.codecshift/')));
  const became: Became[] = [];
  for (const film of films) {
    const names = [...new Set([film.name, film.name.replace(/\.\w+$/, '.mkv')])].filter((name) => visible.delete(name));
    if (names.length !== 1) note(`${film.name} stands there ${names.length} times`);
    for (const name of names.slice(0, 1)) {
      const path = join(share, name);
      const same = (await sha256(path)) === film.sha256;
      const kept = trash.get(film.sha256) ?? null;
      became.push({ film, name, sizeBytes: statSync(path).size, how: same ? 'original' : 'converted', trash: kept });
      if (same && kept) note(`${film.name} is its original, and lies in the trash besides: ${kept}`);
      if (!same && !kept) note(`${film.name} was replaced and its original is not in the trash`);
      if (!same && film.fate === 'left') note(`${film.name} was converted, although it was to be left alone`);
    }
  }
  for (const name of visible) note(`${name} stands in the library, and nobody put it there`);
  await inPairs(
    became.filter(({ how }) => how === 'converted'),
    (one, index) => checkConverted(share, one, index < closely, note),
  );
  return became;
}

async function checkConverted(share: string, { film, name }: Became, close: boolean, note: (says: string) => void): Promise<void> {
  const path = join(share, name);
  const renamed = name !== film.name;
  const allowed = ({ what }: { what: string }): boolean =>
    what === 'film.codec' ||
    (renamed && (what === 'container' || /^film\.(times|start|sideData|fieldOrder)$|^tags\.|^audio\d\.start$/.test(what)));
  if (close) {
    // what is no film at all cannot be compared; the outline below says so in words
    const wrong = (await differences(film.pristine, path).catch(() => [])).filter((one) => !allowed(one));
    if (wrong.length > 0) note(`${name} is not what it was: ${inWords(wrong).slice(0, 4).join('; ')}`);
  }
  const [before, after] = [await outline(film), await outlineOf(path)];
  if (after.complaints !== '') note(`${name} does not decode cleanly: ${after.complaints.slice(0, 300)}`);
  if (after.codec !== 'hevc') note(`${name} is neither its original nor HEVC but ${after.codec}`);
  if (after.frames !== before.frames) note(`${name} has ${after.frames} frames instead of ${before.frames}`);
  if (after.streams !== before.streams) note(`${name} has the streams ${after.streams} instead of ${before.streams}`);
  if (!(Math.abs(after.seconds - before.seconds) <= 0.12)) note(`${name} lasts ${after.seconds} s instead of ${before.seconds} s`);
}

interface Outline {
  codec: string;
  frames: number;
  streams: string;
  seconds: number;
  /** what the decoders complained of; every stream is decoded to its end */
  complaints: string;
}

const outlines = new Map<string, Promise<Outline>>();

/** Films of one kind differ in nothing but their title. */
function outline(film: Film): Promise<Outline> {
  const key = `${film.kind} ${film.long}`;
  const known = outlines.get(key) ?? outlineOf(film.pristine);
  outlines.set(key, known);
  return known;
}

async function outlineOf(path: string): Promise<Outline> {
  const words = ['-v', 'error', '-of', 'json', '-count_frames', '-show_streams', '-show_format', `file:${path}`];
  const probe = promisify(execFile)(requireTool('ffprobe'), words, { maxBuffer: 1 << 26 });
  const { stdout, stderr } = await probe.catch((error: { stdout?: string; stderr?: string }) => ({
    stdout: error.stdout || '{}',
    stderr: error.stderr || String(error),
  }));
  const { streams = [], format } = JSON.parse(stdout) as {
    streams?: { codec_type: string; codec_name: string; channels?: number; width?: number; height?: number; nb_read_frames?: string }[];
    format?: { duration: string };
  };
  const film = streams.find(({ codec_type }) => codec_type === 'video');
  return {
    codec: film?.codec_name ?? 'nothing',
    frames: Number(film?.nb_read_frames),
    streams: streams
      .filter((stream) => stream.codec_type !== 'data')
      .map((s) =>
        s === film ? `${s.width}x${s.height}` : `${s.codec_type} ${s.codec_type === 'subtitle' ? '' : s.codec_name} ${s.channels ?? ''}`,
      )
      .join(', '),
    seconds: Number(format?.duration),
    complaints: stderr.trim(),
  };
}

async function inPairs<T>(list: readonly T[], work: (one: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < list.length) {
      const index = next++;
      await work(list[index]!, index);
    }
  };
  await Promise.all([worker(), worker()]);
}
