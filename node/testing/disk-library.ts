import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { defaultProfile } from '../core/profile.ts';
import type { Queryable } from '../db/connect.ts';
import { addLibrary } from '../db/libraries.ts';
import { setNodeRoots, setProved } from '../db/roots.ts';
import { loadRoots, type KeeperRoots } from '../keeper/roots.ts';
import { aNode, testNode } from './records.ts';

/** A library that lies on a real disk. */
export interface DiskLibrary {
  /** the keeper's data directory */
  data: string;
  /** the folder of the library, which is a root of its own */
  films: string;
  /** as its keeper has them */
  roots: KeeperRoots;
  root: string;
  libraryId: number;
}

/** Made in a folder that is gone after the test, adopted as a root, and proved to the books to be kept by the node of the tests. */
export async function aDiskLibrary(t: TestContext, q: Queryable): Promise<DiskLibrary> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'codecshift-disk-')));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const [films, data] = [join(base, 'films'), join(base, 'data')];
  for (const folder of [data, films]) mkdirSync(folder);
  const roots = await loadRoots(data);
  const { rootId: root } = await roots.adopt(films);
  await aNode(q);
  await setNodeRoots(q, testNode, [{ root, path: films, writable: true, problem: null }]);
  await setProved(q, testNode, root);
  const { library } = await addLibrary(q, { name: 'Films', rootId: root, folder: '', profile: defaultProfile });
  return { data, films, roots, root, libraryId: library.id };
}
