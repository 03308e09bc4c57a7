import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { repository } from '../../node/testing/tools.ts';
import { locked } from './lock.ts';
import type { Locked } from './lock.ts';
import type { Target } from './targets.ts';

export interface Runtime {
  /** path of Node.js itself */
  program: string;
  version: string;
  /** its own licence and those of its parts; null where the package lacks it (Windows) */
  license: string | null;
}

/**
 * The Node.js that an executable is made of, and its licence. Where npm installed the package (that of this machine's own
 * system) it is taken from there; the others come from whatever registry npm is set up with, and must have the checksum
 * that package-lock.json states. The archives are kept in `kept` and checked again each time.
 */
export async function fetchRuntime(target: Target, kept: string): Promise<Runtime> {
  const wanted = locked(`node_modules/${target.runtime}`);
  const installed = join(repository, wanted.path);
  if (existsSync(join(installed, target.program)) && versionOf(installed) === wanted.version)
    return { program: join(installed, target.program), version: wanted.version, license: licenseIn(installed) };
  mkdirSync(kept, { recursive: true });
  const archive = await archiveOf(wanted, kept);
  const files = await filesIn(archive, [target.program, 'LICENSE']);
  const program = join(kept, `${target.runtime}-${wanted.version}-${basename(target.program)}`);
  const bytes = files.get(target.program);
  if (!bytes) throw new Error(`The package ${target.runtime} has no ${target.program}.`);
  writeFileSync(program, bytes);
  chmodSync(program, 0o755);
  return { program, version: wanted.version, license: files.get('LICENSE')?.toString() ?? null };
}

function versionOf(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}

function licenseIn(folder: string): string | null {
  return existsSync(join(folder, 'LICENSE')) ? readFileSync(join(folder, 'LICENSE'), 'utf8') : null;
}

async function archiveOf(wanted: Locked, kept: string): Promise<Buffer> {
  const file = join(kept, `${wanted.name}-${wanted.version}.tgz`);
  if (existsSync(file) && matches(readFileSync(file), wanted)) return readFileSync(file);
  npm(['pack', '--silent', '--pack-destination', kept, `${wanted.name}@${wanted.version}`]);
  const archive = readFileSync(file);
  if (!matches(archive, wanted))
    throw new Error(`${wanted.name} ${wanted.version} from the registry is not the package that package-lock.json names.`);
  return archive;
}

function matches(archive: Buffer, { integrity }: Locked): boolean {
  return `sha512-${createHash('sha512').update(archive).digest('base64')}` === integrity;
}

/** Under `npm run build` npm says where it lies itself; so no shell is needed, not even on Windows, where npm is a batch file. */
function npm(args: string[]): void {
  const own = process.env['npm_execpath'] ?? '';
  const [file, words] = /npm-cli\.c?js$/.test(own) ? [process.execPath, [own, ...args]] : ['npm', args];
  execFileSync(file, words, { cwd: repository, stdio: ['ignore', 'ignore', 'inherit'], timeout: 10 * 60_000 });
}

async function filesIn(archive: Buffer, names: readonly string[]): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const unpacking = extract();
  const reading = (async (): Promise<void> => {
    for await (const entry of unpacking) {
      const name = entry.header.name.replace(/^[^/]*\//, '');
      if (names.includes(name)) found.set(name, await buffer(entry));
      else entry.resume();
    }
  })();
  await Promise.all([pipeline(Readable.from([archive]), createGunzip(), unpacking), reading]);
  return found;
}
