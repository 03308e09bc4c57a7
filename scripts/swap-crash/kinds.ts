import { spawn } from 'node:child_process';
import { appendFile, rename, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Random } from '../chaos/random.ts';
import { withBroken, type Manner } from './broken-calls.ts';
import type { ChildOrder } from './child.ts';
import { finish, perform, pointsOf, prepare, remove, requireUnharmed, ways, type Ending, type Film, type Way } from './film.ts';
import type { Place, PlaceName } from './places.ts';

/** The faults. Each strikes one or more films on a place, lets them recover, and tells how each ended. */
export interface Kind {
  about: string;
  places: PlaceName[];
  /** share of a run */
  weight: number;
  strike(place: Place, random: Random): Promise<Struck[]>;
}

export interface Struck {
  film: Film;
  /** where it struck, in words */
  point: string;
  ending: Ending;
}

const child = fileURLToPath(new URL('./child.ts', import.meta.url));
const BATCH = 16;
const everywhere: PlaceName[] = ['disk', 'tmpfs', 'bind'];

export const kinds: Record<string, Kind> = {
  killed: { about: 'kill -9 at a point', places: [...everywhere, 'loop'], weight: 32, strike: killed },
  'killed anywhere': { about: 'kill -9 at any moment', places: everywhere, weight: 14, strike: killedAnywhere },
  'killed twice': { about: 'kill -9 again while recovering', places: everywhere, weight: 6, strike: killedTwice },
  'broken call': { about: 'a system call fails', places: [...everywhere, 'loop'], weight: 22, strike: brokenCall },
  'disk full': {
    about: 'the disk is full from a point on',
    places: ['small'],
    weight: 6,
    strike: (place, random) => disturbed(place, random, place.fill!, place.free!),
  },
  'read-only': {
    about: 'the disk becomes read-only at a point',
    places: ['small', 'loop'],
    weight: 5,
    strike: (place, random) =>
      disturbed(
        place,
        random,
        () => place.readOnly!(true),
        () => place.readOnly!(false),
      ),
  },
  vanished: {
    about: 'the mount goes away at a point',
    places: ['gone'],
    weight: 5,
    strike: (place, random) => disturbed(place, random, place.vanish!, place.comeBack!),
  },
  changed: { about: 'somebody changes the film at a point', places: everywhere, weight: 8, strike: changedMeanwhile },
  'power cut': { about: 'what the disk alone knows at a point', places: ['loop'], weight: 2, strike: powerCut },
};

async function batch(place: Place, random: Random, size = BATCH): Promise<Film[]> {
  const films: Film[] = [];
  for (let n = 0; n < size; n++) films.push(await prepare(place, random.pick(ways), random));
  return films;
}

async function killed(place: Place, random: Random): Promise<Struck[]> {
  const refuseLinks = random.chance(0.3);
  const films = await batch(place, random);
  const points = films.map((film) => random.between(0, pointsOf(film.way, refuseLinks).length - 1));
  await dying({ tasks: films.map(({ task }, n) => ({ task, dieAt: points[n]! })), recoverUntil: null, refuseLinks });
  return await judged(films, (n) => pointsOf(films[n]!.way, refuseLinks)[points[n]!]!, refuseLinks);
}

async function killedAnywhere(place: Place, random: Random): Promise<Struck[]> {
  const refuseLinks = random.chance(0.2);
  const films = await batch(place, random, 8);
  await dying({ tasks: films.map(({ task }) => ({ task, dieAt: null })), recoverUntil: null, refuseLinks }, random.between(0, 120));
  return await judged(films, () => 'any moment', true);
}

async function killedTwice(place: Place, random: Random): Promise<Struck[]> {
  const refuseLinks = random.chance(0.3);
  const films = await batch(place, random, 4);
  const tasks = films.map((film) => ({ task: film.task, dieAt: random.between(0, pointsOf(film.way, refuseLinks).length - 1) }));
  await dying({ tasks, recoverUntil: null, refuseLinks });
  for (let again = 0; again < 2; again++) await dying({ tasks, recoverUntil: random.between(0, 25), refuseLinks });
  return await judged(films, (n) => `${pointsOf(films[n]!.way, refuseLinks)[tasks[n]!.dieAt]!}, then in recovery`, refuseLinks);
}

/** @param nameMayBeFree where links are refused the name is free between two adjacent system calls */
async function judged(films: Film[], point: (n: number) => string, nameMayBeFree: boolean): Promise<Struck[]> {
  const struck: Struck[] = [];
  for (const film of films) await requireUnharmed(film, { nameMayBeFree });
  for (const [n, film] of films.entries()) struck.push({ film, point: point(n), ending: await finish(film) });
  for (const film of films) await remove(film);
  return struck;
}

/** @param afterMs kill it then; else it dies by itself. @throws when it ended in another way */
async function dying(order: ChildOrder, afterMs?: number): Promise<void> {
  const started = spawn(process.execPath, ['--no-warnings', child], { stdio: ['pipe', 'pipe', 'inherit'] });
  started.stdin.on('error', () => {}); // how it ended is what counts
  started.stdin.end(JSON.stringify(order));
  if (afterMs !== undefined) started.stdout.once('data', () => setTimeout(() => started.kill('SIGKILL'), afterMs));
  else started.stdout.resume();
  const [code, signal] = await new Promise<[number | null, string | null]>((done) => started.on('close', (...how) => done(how)));
  if (signal !== 'SIGKILL') throw new Error(`the child ended with ${code ?? signal} instead of being killed`);
}

/** Not ENOENT: a disk that says falsely that nothing is there does not fail, it lies. */
const codes = ['EIO', 'ENOSPC', 'EROFS', 'EXDEV', 'EPERM', 'EACCES', 'ESTALE', 'EDQUOT', 'EBUSY', 'EMFILE', 'ETIMEDOUT'];
const manners: Manner[] = ['once', 'from then on', 'done but said failed'];

async function brokenCall(place: Place, random: Random): Promise<Struck[]> {
  const film = await prepare(place, random.pick(ways), random);
  const breaking = { at: random.between(0, 140), code: random.pick(codes), manner: random.pick(manners) };
  const { struck } = await withBroken(breaking, () => perform(film));
  if (struck === null) {
    await remove(film);
    return [];
  }
  await requireUnharmed(film, { nameMayBeFree: true });
  const ending = await finish(film);
  await remove(film);
  return [{ film, point: `${struck} ${breaking.code} ${breaking.manner}`, ending }];
}

/** Something happens to the disk at a point, and is over before recovery. */
async function disturbed(place: Place, random: Random, begin: () => void, end: () => void): Promise<Struck[]> {
  const film = await prepare(place, random.pick(ways), random);
  const at = random.between(0, pointsOf(film.way, false).length - 1);
  let [seen, begun] = [0, false];
  const fault = (): void => {
    if (seen++ !== at) return;
    begin();
    begun = true;
  };
  await perform(film, fault).catch(() => null);
  if (begun) end();
  await requireUnharmed(film, { nameMayBeFree: false });
  const ending = await finish(film);
  await remove(film);
  return [{ film, point: pointsOf(film.way, false)[at]!, ending }];
}

type Change = (path: string, before: Buffer) => Promise<Buffer | null>;
const changes: Record<string, Change> = {
  appended: async (path, before) => {
    await appendFile(path, 'more');
    return Buffer.concat([before, Buffer.from('more')]);
  },
  replaced: async (path) => {
    const theirs = randomBytes(500);
    await writeFile(`${path}.theirs`, theirs);
    await rename(`${path}.theirs`, path);
    return theirs;
  },
  deleted: async (path) => {
    await rm(path);
    return null;
  },
};

/** Until the new file takes over the name: what is written under it afterwards is no change of the original any more. */
const untouched = 'dressed';

async function changedMeanwhile(place: Place, random: Random): Promise<Struck[]> {
  const way: Way = random.pick(['sameName', 'otherName'] as const);
  const film = await prepare(place, way, random);
  const points = pointsOf(way, false);
  const last = points.indexOf(way === 'sameName' ? 'swap:kept' : 'swap:appeared');
  const at = random.between(-1, last);
  const how = random.pick(Object.keys(changes));
  const path = join(film.root.path, film.folder, film.from);
  let [seen, theirs] = [0, film.before as Buffer | null];
  const change = async (): Promise<void> => void (theirs = await changes[how]!(path, film.before));
  if (at < 0) await change();
  await perform(film, async () => {
    if (seen++ === at) await change();
  }).catch(() => null);
  const ending = await finish(film, theirs);
  await remove(film);
  return [
    {
      film,
      point: `${how} at ${at < 0 ? 'the beginning' : points[at]!}${at > points.indexOf(`swap:${untouched}`) ? ' (late)' : ''}`,
      ending,
    },
  ];
}

async function powerCut(place: Place, random: Random): Promise<Struck[]> {
  const film = await prepare(place, random.pick(ways), random);
  const points = pointsOf(film.way, false);
  const at = random.between(0, points.length - 1);
  let seen = 0;
  let cut: ReturnType<NonNullable<Place['cut']>> | null = null;
  await perform(film, () => {
    if (seen++ === at) cut = place.cut!();
  });
  const left = cut as ReturnType<NonNullable<Place['cut']>> | null;
  if (!left) throw new Error(`no point ${at}`);
  try {
    const there: Film = { ...film, root: await left.root };
    await requireUnharmed(there, { nameMayBeFree: false });
    const ending = await finish(there);
    await finish(film);
    await remove(film);
    return [{ film, point: points[at]!, ending }];
  } finally {
    left.remove();
  }
}
