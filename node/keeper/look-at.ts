import { lstat } from 'node:fs/promises';
import { requireMounted, resolveInRoot, type Root } from '../files/roots.ts';
import { codeOf, PlainError } from '../errors.ts';

/**
 * Are these files here, and of which size? For proving that a media server's folder is this one. In the order of the
 * question; null: no plain file of that name. Nothing is opened.
 * @throws PlainError when the root itself is away, because then every file would look missing
 */
export async function lookAt(root: Root, paths: readonly string[]): Promise<(number | null)[]> {
  await requireMounted(root);
  const sizes: (number | null)[] = [];
  for (const path of paths) sizes.push(await sizeOf(root, path));
  await requireMounted(root);
  return sizes;
}

async function sizeOf(root: Root, path: string): Promise<number | null> {
  try {
    const found = await lstat(await resolveInRoot(root, path));
    return found.isFile() ? found.size : null;
  } catch (error) {
    const code = error instanceof PlainError ? error.reason?.code : codeOf(error);
    if (code === 'missing' || code === 'outside-root' || code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return null;
    throw error;
  }
}
