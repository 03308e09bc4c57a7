import { cpSync, mkdirSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { rolldown } from 'rolldown';
import type { OutputChunk, Plugin } from 'rolldown';
import { repository } from '../../node/testing/tools.ts';
import { commitOf } from '../../node/version.ts';

/**
 * Everything that an executable holds beside Node.js, laid out in one folder as `node/program.ts` looks for it:
 *
 *   main.mjs, <piece>-<hash>.mjs             the program; one piece per command, so that --help reads little
 *   commit                                   of which it was built
 *   package.json  views/ static/ migrations/ as in the repository
 *   node_modules/htmx.org/dist/              what the page loads
 *   database/                                the embedded database's thread, and PGlite's files where it looks for them
 */
export interface Bundle {
  folder: string;
  /** files below the folder, with '/' */
  files: string[];
  /** where the packages whose code or files are inside are installed, as package-lock.json names them */
  packages: string[];
}

// the bundler names files by where they really are
const root = realpathSync(repository);
const pglite = 'node_modules/@electric-sql/pglite';
const prepopulated = 'node_modules/@electric-sql/pglite-prepopulatedfs';

/** [in the repository, in the folder] */
export const contents: readonly (readonly [string, string])[] = [
  ['package.json', 'package.json'],
  ['LICENSE', 'LICENSE'],
  ['views', 'views'],
  ['static', 'static'],
  ['migrations', 'migrations'],
  ['node_modules/htmx.org/dist/htmx.min.js', 'node_modules/htmx.org/dist/htmx.min.js'],
  ['node_modules/htmx.org/dist/ext/hx-sse.min.js', 'node_modules/htmx.org/dist/ext/hx-sse.min.js'],
  [`${pglite}/dist/pglite.wasm`, 'database/thread/pglite.wasm'],
  [`${pglite}/dist/initdb.wasm`, 'database/thread/initdb.wasm'],
  [`${pglite}/dist/pglite.data`, 'database/thread/pglite.data'],
  [`${pglite}/dist/pg_trgm.tar.gz`, 'database/pg_trgm.tar.gz'],
  [`${prepopulated}/dist/prepopulatedfs.tgz`, 'database/dist/prepopulatedfs.tgz'],
];

/** Fills `folder` anew. */
export async function bundle(folder: string): Promise<Bundle> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const program = await compile('node/main.ts', folder, true);
  const thread = await compile('node/db/embedded-worker.ts', join(folder, 'database', 'thread'), false);
  for (const [from, to] of contents) cpSync(join(root, from), join(folder, to), { recursive: true });
  writeFileSync(join(folder, 'commit'), `${commitOf()}\n`);
  const modules = [...program, ...thread].flatMap(({ moduleIds }) => moduleIds);
  const files = contents.map(([from]) => join(root, from));
  return { folder, files: listFiles(folder), packages: packagesOf([...modules, ...files]) };
}

async function compile(input: string, into: string, pieces: boolean): Promise<OutputChunk[]> {
  const problems: string[] = [];
  const built = await rolldown({
    input,
    cwd: root,
    platform: 'node',
    plugins: [withoutNativeAddons],
    onLog: (level, { code, message }) => {
      // emscripten's own way to run what C code asks for; there is nobody who could ask
      if (code !== 'EVAL') problems.push(`${level}: ${message}`);
    },
  });
  const { output } = await built.write({
    dir: into,
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
    codeSplitting: pieces,
  });
  await built.close();
  if (problems.length > 0) throw new Error(`${input} does not bundle cleanly:\n${problems.join('\n')}`);
  return output.filter((piece) => piece.type === 'chunk');
}

/**
 * Packages with machine code for one system only, which the program can do without: it has asked for them in a `try`, and
 * here that always fails. Left as an import they would be looked for on the disk, wherever the executable lies.
 */
const nativeAddons = ['argon2', 'pg-native'];
const withoutNativeAddons: Plugin = {
  name: 'without-native-addons',
  resolveId: (source) => (nativeAddons.includes(source) ? `\0${source}` : null),
  load: (id) =>
    id.startsWith('\0') && nativeAddons.includes(id.slice(1))
      ? `throw new Error('${id.slice(1)} is not part of the executable'); export const hash = null;`
      : null,
};

/** `…/node_modules/a/node_modules/@b/c/dist/x.js` is of the package `node_modules/a/node_modules/@b/c`. */
function packagesOf(files: string[]): string[] {
  const found = files.flatMap((file) => {
    const below = relative(root, file).split(sep).join('/');
    const match = /^((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(below);
    return match ? [match[1]!] : [];
  });
  return [...new Set(found)].sort();
}

function listFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/')).sort();
}
