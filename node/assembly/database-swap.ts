import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { codeOf, PlainError } from '../errors.ts';
import { type Fault, writeDurably } from '../files/durable.ts';
import { syncDirectory, syncTree } from '../db/sync.ts';
import { writeDatabaseChoice } from './database-choice.ts';

/**
 * How the database of a data directory is exchanged for another one, or left: everything is made ready in `incoming`, then
 * written down as decided in `swap.json`, and then done by renames. Nothing is deleted; what was there stays beside it.
 *
 *   incoming/database, incoming/keys ─▶ swap.json ─▶ database → aside ─▶ incoming → database ─▶ keys ─▶ database.json ─▶ done
 *        killed before: undone               └── killed after: finished at the next start
 */
export interface Swap {
  /** the name that the present database gets; null: there is none */
  aside: string | null;
  /** incoming/database takes its place */
  takesIncoming: boolean;
  /** key files of the data directory that go out of the way, and the names that they get */
  outOfTheWay: Record<string, string>;
  /** written as database.json */
  choice: { url: string | null; move: string; since: string } | null;
}

export const swapSchema = {
  aside: v.nullable(v.pipe(v.string(), v.regex(/^database\.[\w.-]{1,80}$/))),
  takesIncoming: v.boolean(),
  outOfTheWay: v.record(v.picklist(['secret.key', 'node.key', 'cluster.json']), v.pipe(v.string(), v.regex(/^[\w.-]{1,80}$/))),
  choice: v.nullable(v.object({ url: v.nullable(v.string()), move: v.string(), since: v.string() })),
};
const schema = v.object({ format: v.literal(1), ...swapSchema });

/** An empty place for what comes; what an earlier, killed try left there is gone. */
export async function openIncoming(dataDir: string): Promise<string> {
  const incoming = path.join(dataDir, 'incoming');
  await rm(incoming, { recursive: true, force: true });
  await mkdir(path.join(incoming, 'keys'), { recursive: true, mode: 0o700 });
  return incoming;
}

/** Decides and does it. Whoever calls has the lock of the data directory, and nobody has its database open. */
export async function swapDatabase(dataDir: string, swap: Swap, fault: Fault = () => {}): Promise<void> {
  syncTree(path.join(dataDir, 'incoming'));
  syncDirectory(dataDir);
  await fault('restore:ready');
  // an address in it holds a password
  await writeDurably(journalOf(dataDir), `${JSON.stringify({ format: 1, ...swap }, null, 2)}\n`, 0o600);
  await fault('restore:decided');
  await finishSwap(dataDir, fault);
}

/**
 * Finishes what was decided and undoes what was not; for every start. True: something was finished.
 * @throws PlainError when the journal is damaged
 */
export async function finishSwap(dataDir: string, fault: Fault = () => {}): Promise<boolean> {
  const swap = await readJournal(dataDir);
  const incoming = path.join(dataDir, 'incoming');
  if (swap) await carryOut(dataDir, incoming, swap, fault);
  await rm(incoming, { recursive: true, force: true });
  return swap !== null;
}

async function carryOut(dataDir: string, incoming: string, swap: Swap, fault: Fault): Promise<void> {
  const database = path.join(dataDir, 'database');
  const fresh = path.join(incoming, 'database');
  if (swap.aside && (!swap.takesIncoming || (await exists(fresh)))) await moveIfThere(database, path.join(dataDir, swap.aside));
  await fault('restore:aside');
  if (swap.takesIncoming && (await exists(fresh))) await rename(fresh, database);
  syncDirectory(dataDir);
  await fault('restore:in-place');
  for (const [name, to] of Object.entries(swap.outOfTheWay))
    // once it has its new name, what lies under the old one is what came
    if (!(await exists(path.join(dataDir, to)))) await moveIfThere(path.join(dataDir, name), path.join(dataDir, to));
  for (const name of await readdir(path.join(incoming, 'keys')).catch(() => [])) {
    // a key is never overwritten: it may be the only one that opens something
    await moveIfThere(path.join(dataDir, name), path.join(dataDir, asideName(name)));
    await rename(path.join(incoming, 'keys', name), path.join(dataDir, name));
  }
  syncDirectory(dataDir);
  await fault('restore:keys');
  if (swap.choice) await writeDatabaseChoice(dataDir, swap.choice);
  await rm(journalOf(dataDir));
  syncDirectory(dataDir);
}

async function readJournal(dataDir: string): Promise<Swap | null> {
  const file = journalOf(dataDir);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  try {
    const { format: _, ...swap } = v.parse(schema, JSON.parse(text));
    return swap;
  } catch (cause) {
    throw new PlainError(
      `${file}, which says how the database was to be exchanged, is damaged. The database before it is still there under another name beside it; see docs/backup.md.`,
      { cause },
    );
  }
}

async function moveIfThere(from: string, to: string): Promise<void> {
  if (!(await exists(from))) return;
  let free = to;
  for (let n = 2; await exists(free); n++) free = `${to}-${n}`;
  await rename(from, free);
}

/** The name under which a file stays that another one takes the place of. */
export function asideName(name: string): string {
  return `${name}.before-${stamp()}`;
}

/** For names: the second, as of now. */
export function stamp(): string {
  return new Date().toISOString().slice(0, 19).replaceAll(':', '-');
}

export function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function journalOf(dataDir: string): string {
  return path.join(dataDir, 'swap.json');
}
