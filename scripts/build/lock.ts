import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../node/testing/tools.ts';

/** What package-lock.json says of one installed package. */
export interface Locked {
  /** where it is installed: `node_modules/pg`, or below another package */
  path: string;
  name: string;
  version: string;
  /** `sha512-…` in base64 */
  integrity: string;
  license: string | null;
}

/** The package installed at a path of the lock. @throws when the lock has none there */
export function locked(path: string): Locked {
  const entry = lock.packages[path];
  if (!entry?.integrity || !entry.version) throw new Error(`package-lock.json has no package at ${path}.`);
  const name = entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  return { path, name, version: entry.version, integrity: entry.integrity, license: entry.license ?? null };
}

interface LockFile {
  packages: Record<string, { name?: string; version?: string; integrity?: string; license?: string } | undefined>;
}

const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as LockFile;
