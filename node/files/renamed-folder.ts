import { opendir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { lstatIfThere } from './durable.ts';
import { requireMounted, resolveInRoot, type Root } from './roots.ts';

/** Is the folder of this path gone, while its root is there? @throws PlainError `root-not-mounted` */
export async function isFolderGone(root: Root, path: string): Promise<boolean> {
  const resolved = await resolveInRoot(root, path).catch(() => null);
  if (resolved !== null) return false;
  await requireMounted(root);
  return (await lstatIfThere(join(root.path, dirname(path)))) === null;
}

/**
 * Where a file of ours stands whose folder a person renamed: people and media managers give a film's folder another name, and what
 * waited in it went along. Looks in the folders beside the one that is gone, and nowhere else.
 * @param isIt what proves it to be the file that is looked for
 * @returns an absolute path, or null
 */
export async function inRenamedFolder(root: Root, path: string, isIt: (candidate: string) => Promise<boolean>): Promise<string | null> {
  const above = dirname(dirname(path));
  if (!path.includes('/')) return null;
  const directory = above === '.' ? root.path : await resolveInRoot(root, above).catch(() => null);
  if (directory === null) return null;
  for await (const entry of await opendir(directory)) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    const candidate = join(directory, entry.name, basename(path));
    if ((await lstatIfThere(candidate))?.isFile() && (await isIt(candidate))) return candidate;
  }
  return null;
}
