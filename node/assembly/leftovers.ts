import { mkdir, readFile, readdir, rename, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PlainError } from '../errors.ts';
import { removeAllPictures } from '../files/pictures.ts';
import type { Workspace } from '../files/workspace.ts';
import type { Log } from '../log.ts';

/**
 * Every cluster numbers its attempts from one. What this machine made for one cluster (reports that nobody took yet, and
 * the outputs they speak of) must never be taken for the attempt of the same number in another. Called before any of it
 * is read; the name of the cluster lies in `work-for`. Work of an older build, which wrote no name, stays.
 * @throws PlainError when it cannot be told apart
 */
export async function dropWorkForOthers(parts: { dataDir: string; cluster: string; workspace: Workspace; log: Log }): Promise<void> {
  const outbox = path.join(parts.dataDir, 'outbox');
  const mark = path.join(parts.dataDir, 'work-for');
  try {
    await mkdir(outbox, { recursive: true, mode: 0o700 });
    const before = (await readdir(parts.dataDir)).includes('work-for') ? (await readFile(mark, 'utf8')).trim() : null;
    if (before === parts.cluster) return;
    if (before !== null) {
      const reports = (await readdir(outbox)).filter((name) => name.endsWith('.json'));
      for (const name of reports) await unlink(path.join(outbox, name));
      const outputs = await parts.workspace.removeOrphans(new Set());
      await removeAllPictures(parts.dataDir);
      if (reports.length + outputs.length > 0)
        parts.log.info({ cluster: before, reports: reports.length, outputs }, 'unfinished work for another cluster is given up');
    }
    await writeFile(`${mark}.new`, `${parts.cluster}\n`, { mode: 0o600, flush: true });
    await rename(`${mark}.new`, mark);
  } catch (error) {
    throw new PlainError(`The results that wait in ${outbox} cannot be told from those of another cluster.`, { cause: error });
  }
}
