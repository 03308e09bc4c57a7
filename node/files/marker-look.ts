import { lstat, opendir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface LookOrder {
  places: Place[];
  /** directories looked into, over all places */
  most: number;
}

export interface Place {
  path: string;
  /** how far below it to look: 0 only the place itself */
  levels: number;
}

export interface FoundMarker {
  path: string;
  id: string;
}

/**
 * Looks for the markers of library roots at and below some places, in a process of its own that find-roots.ts starts: a
 * call into a network disk whose server is gone may never come back; then that process is given up, and not the node.
 */
export async function lookForMarkers(order: LookOrder, found: (marker: FoundMarker) => void): Promise<void> {
  let left = order.most;
  for (const { path, levels } of order.places) await look(path, levels);

  async function look(directory: string, levels: number): Promise<void> {
    if (left-- <= 0) return;
    const id = await markerIn(directory);
    if (id) found({ path: directory, id });
    if (levels > 0) for (const name of await foldersIn(directory)) await look(join(directory, name), levels - 1);
  }
}

async function markerIn(directory: string): Promise<string | null> {
  const file = join(directory, '.codecshift', 'root.json');
  try {
    const found = await lstat(file);
    if (!found.isFile() || found.size > 4096) return null;
    const { id } = JSON.parse(await readFile(file, 'utf8')) as { id?: unknown };
    return typeof id === 'string' ? id : null;
  } catch {
    return null;
  }
}

async function foldersIn(directory: string): Promise<string[]> {
  const names: string[] = [];
  try {
    let seen = 0;
    for await (const entry of await opendir(directory, { bufferSize: 256 })) {
      if (entry.isDirectory() && !entry.name.startsWith('.')) names.push(entry.name);
      if (++seen >= 2000) break;
    }
  } catch {
    // not ours to read
  }
  return names.sort();
}
