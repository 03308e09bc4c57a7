import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PlainError } from '../../node/errors.ts';
import { deliver, discard } from '../../node/files/deliver.ts';
import { syncDirectory, syncFile, type Fault } from '../../node/files/durable.ts';
import { fingerprint } from '../../node/files/fingerprint.ts';
import { forget, type SwapResult } from '../../node/files/journal.ts';
import { recover } from '../../node/files/recover.ts';
import type { Root } from '../../node/files/roots.ts';
import type { CrashTask } from '../../node/files/swap-crash.child.ts';
import { swapSteps } from '../../node/files/swap-steps.ts';
import { restore, swap, type RestoreWish, type SwapWish } from '../../node/files/swap.ts';
import type { Random } from '../chaos/random.ts';
import type { Place } from './places.ts';

/** One film on its way: prepared, struck, recovered, and judged by its bytes alone. */
export interface Film {
  way: Way;
  root: Root;
  /** below the root */
  folder: string;
  /** what stands before, and what shall stand after */
  before: Buffer;
  after: Buffer;
  /** names before and after */
  from: string;
  to: string;
  task: CrashTask;
  attempts: number[];
}

export type Way = 'sameName' | 'otherName' | 'restoreSameName' | 'restoreOtherName';
export const ways: Way[] = ['sameName', 'otherName', 'restoreSameName', 'restoreOtherName'];
const NODE = 'node-a';
let count = 0;

/** How many fault points this way has. */
export function pointsOf(way: Way, withoutLinks: boolean): readonly string[] {
  if (!withoutLinks) return swapSteps[way];
  return {
    sameName: swapSteps.sameNameWithoutLinks,
    otherName: swapSteps.otherNameWithoutLinks,
    restoreSameName: swapSteps.restoreWithoutLinks,
    restoreOtherName: swapSteps.restoreOtherName,
  }[way];
}

export async function prepare(place: Place, way: Way, random: Random): Promise<Film> {
  const { root } = place;
  const n = ++count;
  const folder = `${place.films}/${n}`;
  await mkdir(join(root.path, folder), { recursive: true });
  const [original, output] = [bytes(random, 30_000), bytes(random, 20_000)];
  const [from, to] = way.endsWith('SameName') || way === 'sameName' ? ['Film.mkv', 'Film.mkv'] : ['Film.avi', 'Film.mkv'];
  await writeFile(join(root.path, folder, from), original);
  // a film of a library has long been on its disk
  await syncFile(join(root.path, folder, from));
  await syncDirectory(join(root.path, folder));
  const waiting = join(root.path, `.output-${n}`);
  await writeFile(waiting, output);
  const sha256 = createHash('sha256').update(output).digest('hex');
  const who = { node: NODE, job: n, attempt: 2 * n, term: 3 };
  const delivered = await deliver({ root, ...who, target: `${folder}/${to}`, from: waiting, sizeBytes: output.length, sha256 });
  await rm(waiting);
  const wish = {
    ...who,
    path: `${folder}/${from}`,
    target: `${folder}/${to}`,
    tmpPath: delivered.tmpPath,
    fingerprint: await fingerprint(join(root.path, folder, from)),
    sha256,
  };
  const film = { way, root, folder, attempts: [2 * n, 2 * n + 1] };
  const where = { path: root.path, id: root.id };
  if (way === 'sameName' || way === 'otherName')
    return { ...film, before: original, after: output, from, to, task: { op: 'swap', root: where, wish } };
  const done = await swap({ root, ...wish });
  await forget(root, who.attempt);
  if (!done.original) throw new Error('a swap without an original');
  const back = {
    ...who,
    attempt: 2 * n + 1,
    path: wish.path,
    trashPath: done.original.trashPath,
    current: done.path,
    fingerprint: done.original.fingerprint,
  };
  return { ...film, before: output, after: original, from: to, to: from, task: { op: 'restore', root: where, wish: back } };
}

export async function perform(film: Film, fault?: Fault): Promise<SwapResult> {
  const options = { root: film.root, ...(fault ? { fault } : {}) };
  return film.task.op === 'swap'
    ? await swap({ ...(film.task.wish as SwapWish), ...options })
    : await restore({ ...(film.task.wish as RestoreWish), ...options });
}

export type Ending = 'done' | 'refused' | 'changed';

/**
 * Recovers as a node does when it starts, asks for the same once more, and judges what lies there then.
 * @param theirs what a stranger put under the name meanwhile; null when the film was deleted
 * @throws Error with a sentence when anything is lost, doubled or left behind
 */
export async function finish(film: Film, theirs?: Buffer | null): Promise<Ending> {
  await recover(film.root, { node: NODE });
  const attempt = film.task.wish.attempt;
  const again = await perform(film).then(
    () => null,
    (error: unknown) => error,
  );
  if (again === null) {
    await requireSomewhere(film, theirs === undefined ? film.before : theirs, 'after it was done');
    await requireStanding(film, film.to, film.after);
    await requireNames(film, [film.to]);
    await forget(film.root, attempt);
    return 'done';
  }
  const why = again instanceof PlainError ? again.reason?.code : null;
  if (
    theirs === undefined ||
    !why ||
    ![
      'file-changed',
      'original-gone',
      'swap-unclear',
      'hash-mismatch',
      'target-exists',
      'delivery-failed',
      'restore-failed',
      'interrupted',
    ].includes(why)
  )
    throw again instanceof Error ? again : new Error(String(again));
  await recover(film.root, { node: NODE });
  await requireSomewhere(film, theirs, 'after it was refused');
  await discard(film.root, attempt).catch(() => false);
  const left = (await readdir(join(film.root.path, film.folder))).filter((name) => /^\.tmp_|\.lock$/.test(name));
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')} (${why})`);
  await forget(film.root, attempt);
  return 'changed';
}

/** What no fault may do, not even for a moment: the original is somewhere, and what stands under a name is whole. */
export async function requireUnharmed(film: Film, options: { nameMayBeFree: boolean }): Promise<void> {
  await requireSomewhere(film, film.before, 'right after the fault');
  if (film.task.op === 'restore') await requireSomewhere(film, film.after, 'right after the fault');
  const stands = (await filesOf(film)).filter(({ name }) => name === film.from || name === film.to).filter(({ trashed }) => !trashed);
  for (const { name, content } of stands)
    if (!content.equals(film.before) && !content.equals(film.after)) throw new Error(`${name} is not whole right after the fault`);
  if (stands.length === 0 && !options.nameMayBeFree) throw new Error('no film stands under its name right after the fault');
}

export async function remove(film: Film): Promise<void> {
  await rm(join(film.root.path, film.folder), { recursive: true, force: true });
  for (const directory of await trashOf(film)) await rm(directory, { recursive: true, force: true });
  for (const attempt of film.attempts) {
    for (const end of ['.json', '.json.new', '.delivery.json', '.delivery.json.new'])
      await rm(join(film.root.path, '.codecshift', 'journal', `${attempt}${end}`), { force: true });
  }
}

async function requireSomewhere(film: Film, wanted: Buffer | null, when: string): Promise<void> {
  if (wanted === null) return;
  const files = await filesOf(film);
  if (files.some(({ content }) => content.equals(wanted))) return;
  throw new Error(
    `LOST ${when}: the original is nowhere; there are ${files.map(({ name, content }) => `${name} (${content.length})`).join(', ')}`,
  );
}

async function requireStanding(film: Film, name: string, wanted: Buffer): Promise<void> {
  const found = await readFile(join(film.root.path, film.folder, name)).catch(() => null);
  if (!found?.equals(wanted)) throw new Error(`${name} is not what it should be`);
}

async function requireNames(film: Film, wanted: string[]): Promise<void> {
  const names = (await readdir(join(film.root.path, film.folder))).filter((name) => name !== '.codecshift');
  if (names.toSorted().join() !== wanted.toSorted().join())
    throw new Error(`there are ${names.join(', ')} instead of ${wanted.join(', ')}`);
}

interface Found {
  name: string;
  trashed: boolean;
  content: Buffer;
}

async function filesOf(film: Film): Promise<Found[]> {
  const found: Found[] = [];
  for (const directory of [join(film.root.path, film.folder), ...(await trashOf(film))]) {
    for (const name of await readdir(directory).catch(() => [])) {
      const path = join(directory, name);
      if ((await stat(path)).isFile()) found.push({ name, trashed: directory.includes('.codecshift'), content: await readFile(path) });
    }
  }
  return found;
}

/** The trash lies at the top of the film's file system: the root's, or that of a disk mounted inside; else beside the film. */
async function trashOf(film: Film): Promise<string[]> {
  const tops = ['', film.folder.split('/')[0] ?? '', film.folder].map((below) => join(film.root.path, below));
  const found: string[] = [];
  for (const top of tops) {
    const trash = join(top, '.codecshift', 'trash');
    for (const day of await readdir(trash).catch(() => [])) {
      for (const name of await readdir(join(trash, day)).catch(() => []))
        if (film.attempts.includes(Number(name.split('-')[0]))) found.push(join(trash, day, name));
    }
  }
  return found;
}

function bytes(random: Random, most: number): Buffer {
  return randomBytes(random.between(16, most));
}
