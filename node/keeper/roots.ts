import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PlainError, codeOf } from '../errors.ts';
import { adoptRoot, openRoot, type AdoptedFolder, type Root } from '../files/roots.ts';

export interface RootReport {
  root: string;
  path: string;
  writable: boolean;
  problem: string | null;
}

/** Which roots this node has, and where. Only a person on this machine or a page command adds one; nothing else does. */
export interface KeeperRoots {
  adopt(folder: string): Promise<AdoptedFolder>;
  /** @throws PlainError reason root-not-mounted, root-is-another, or when this node never offered such a root */
  open(id: string): Promise<Root>;
  report(): Promise<RootReport[]>;
}

/** The map root id → path of this node, kept in the data directory: a path of one machine is never used on another. */
export async function loadRoots(dataDir: string): Promise<KeeperRoots> {
  const file = path.join(dataDir, 'roots.json');
  const known = new Map<string, string>(await readMap(file));
  const looked = new Map<string, { writable: boolean; until: number }>();
  return {
    async adopt(folder) {
      const adopted = await adoptRoot(folder, { dataDir });
      if (known.get(adopted.rootId) !== adopted.rootPath) {
        known.set(adopted.rootId, adopted.rootPath);
        await writeMap(file, known);
      }
      return adopted;
    },
    async open(id) {
      const where = known.get(id);
      if (!where) throw new PlainError('This machine does not have that library.', { reason: { code: 'root-not-mounted' }, retry: true });
      return open(id, where);
    },
    report: () => Promise.all([...known].map(([root, where]) => look(open, root, where))),
  };

  async function open(id: string, where: string): Promise<Root> {
    const before = looked.get(id);
    if (before && performance.now() < before.until) return openRoot({ id, path: where }, { writable: before.writable });
    const root = await openRoot({ id, path: where });
    looked.set(id, { writable: root.writable, until: performance.now() + (root.writable ? BELIEVE_MS : BELIEVE_MS / 20) });
    return root;
  }
}

/** How long a test write is believed: a library disk that rests is not woken to find out what was true a minute ago. */
const BELIEVE_MS = 20 * 60_000;

/** Whatever failed on a disk that is away failed because of that, and is the fault of neither file. */
export async function rootTrouble(roots: KeeperRoots, root: string, error: unknown): Promise<unknown> {
  return roots.open(root).then(
    () => error,
    (trouble: unknown) => trouble,
  );
}

async function look(open: (id: string, where: string) => Promise<Root>, root: string, where: string): Promise<RootReport> {
  try {
    const opened = await open(root, where);
    return { root, path: where, writable: opened.writable, problem: opened.problem };
  } catch (error) {
    return { root, path: where, writable: false, problem: (error instanceof PlainError ? error.reason?.code : null) ?? 'unreadable' };
  }
}

async function readMap(file: string): Promise<[string, string][]> {
  try {
    return Object.entries(JSON.parse(await readFile(file, 'utf8')) as Record<string, string>);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new PlainError(`${file} cannot be read; it holds where this machine has its libraries. Repair or remove it, then start again.`, {
      cause: error,
    });
  }
}

async function writeMap(file: string, known: Map<string, string>): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.tmp`, JSON.stringify(Object.fromEntries(known), null, 2), { mode: 0o600, flush: true });
  await rename(`${file}.tmp`, file);
}
