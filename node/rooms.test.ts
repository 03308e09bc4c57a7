import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { suite, test } from 'node:test';

/**
 * The law of the house: which room may import which. A line of code that breaks it is named here with the reason.
 * Rooms are the folders of node/; files that lie directly in node/ are named by themselves.
 */
const here = import.meta.dirname;
const everything = null;

const mayImport: Record<string, readonly string[] | typeof everything> = {
  core: [],
  config: ['core'],
  db: ['core', 'config'],
  mesh: ['core', 'config'],
  ffmpeg: ['core', 'config'],
  files: ['core', 'config'],
  sources: ['core', 'config'],
  notices: ['core', 'config'],
  worker: ['core', 'config', 'mesh', 'ffmpeg', 'files'],
  keeper: ['core', 'config', 'mesh', 'ffmpeg', 'files'],
  coordinator: ['core', 'config', 'db', 'mesh', 'sources', 'notices'],
  web: ['core', 'config', 'db'],
  assembly: everything,
  cli: everything,
  testing: everything,
  'node.ts': everything,
  'main.ts': everything,
};

const leaves = [
  'log.ts',
  'log-book.ts',
  'log-file.ts',
  'redact.ts',
  'secret-shapes.ts',
  'errors.ts',
  'events.ts',
  'program.ts',
  'unpacked.ts',
  'version.ts',
  'sealed.ts',
  'outgoing.ts',
  'outgoing-address.ts',
  'outgoing-socket.ts',
];

/** npm packages that belong to one room, so that exchanging one of them touches one room. */
const packageHomes: Record<string, readonly string[]> = {
  pg: ['db'],
  'tar-stream': ['db', 'assembly'],
  '@electric-sql/pglite': ['db'],
  hono: ['web'],
  '@hono/node-server': ['web'],
  eta: ['web'],
  libp2p: ['mesh'],
  '@libp2p/tcp': ['mesh'],
  '@libp2p/gossipsub': ['mesh'],
  '@multiformats/multiaddr': ['mesh'],
  'multicast-dns': ['mesh'],
  oauth4webapi: ['web'],
  nodemailer: ['notices'],
  'prom-client': ['web'],
  '@valibot/to-json-schema': ['web'],
  '@seriousme/openapi-schema-validator': ['testing'],
  'oidc-provider': ['testing'],
  postgres: ['testing'],
  yaml: ['testing'],
  'playwright-core': ['testing'],
  'axe-core': ['testing'],
  'fast-check': ['testing'],
};

const sources = readSources();

suite('rooms', () => {
  test('every import stays inside the law of the house', () => {
    const broken = sources.filter((source) => !source.isTest).flatMap((source) => source.imports.flatMap((to) => breach(source, to)));
    assert.deepEqual(broken, []);
  });

  test('every room has a law', () => {
    const rooms = new Set(sources.filter(({ isTest }) => !isTest).map(({ room }) => room));
    assert.deepEqual(
      [...rooms].filter((room) => !(room in mayImport) && !leaves.includes(room)),
      [],
    );
  });

  test('core is pure: no platform, no package, no clock and no randomness', () => {
    const impure = /\bnew Date\(\)|\bprocess\.|\b(Date\.now|Math\.random|performance\.now|setTimeout|setInterval)\b|\bfetch\(/;
    const core = sources.filter(({ room, isTest }) => room === 'core' && !isTest);
    const found = core.flatMap(({ file, code }) => (impure.test(code) ? [`${file} uses ${impure.exec(code)?.[0]}`] : []));
    assert.deepEqual(found, []);
  });

  test('main.ts imports nothing but node:util before it knows the command', () => {
    for (const main of sources.filter(({ file }) => file === 'main.ts')) assert.deepEqual(main.staticImports, ['node:util']);
  });

  test('only program.ts asks where the program lies: inside the single executable every other answer would be wrong', () => {
    const asks = /\bimport\.meta\.(dirname|filename|url|resolve)\b|\bprocess\.execPath\b|\bcreateRequire\b|\bimport\(\s*[^'"\s]/;
    const asking = sources.filter(({ isTest, file, code }) => !isTest && !/\.child\.ts$|-stage\.ts$/.test(file) && asks.test(code));
    // embedded.ts names its thread's source, and takes the copy of unpacked.ts in the executable
    assert.deepEqual(asking.map(({ file }) => file).sort(), ['db/embedded.ts', 'program.ts']);
  });

  test('no file only passes on what others export', () => {
    const barrels = sources.filter(({ code }) =>
      code
        .split('\n')
        .filter(isCode)
        .every((line) => /^export (type )?(\*|\{).* from /.test(line)),
    );
    assert.deepEqual(
      barrels.map(({ file }) => file),
      [],
    );
  });

  test('every file is named after what it is about', () => {
    const vague = /^(utils?|helpers?|common|misc|shared|index|types|constants)(\.test)?\.ts$/;
    const found = sources.filter(({ file }) => vague.test(basename(file)) || /(^|\/)(utils?|helpers?|common|misc)\//.test(file));
    assert.deepEqual(
      found.map(({ file }) => file),
      [],
    );
  });

  test('relative imports carry their extension', () => {
    const without = sources.flatMap(({ file, imports }) =>
      imports.filter((to) => to.startsWith('.') && !/\.(ts|json|cjs)$/.test(to)).map((to) => `${file}: ${to}`),
    );
    assert.deepEqual(without, []);
  });
});

test('the law notices what it forbids', () => {
  const source = (file: string): Source => describe(file, '');
  assert.deepEqual(breach(source('web/rows.ts'), '../ffmpeg/transcode.ts'), [
    'web/rows.ts may not import ../ffmpeg/transcode.ts: web knows only core, config, db',
  ]);
  assert.deepEqual(breach(source('core/plan.ts'), 'node:path'), [
    'core/plan.ts may not import node:path: core has no platform and no packages',
  ]);
  assert.equal(breach(source('worker/slots.ts'), '../files/swap.ts').length, 1);
  assert.equal(breach(source('worker/slots.ts'), '../files/workspace.ts').length, 0);
  assert.equal(breach(source('node.ts'), './testing/media.ts').length, 1);
  assert.equal(breach(source('web/server.ts'), '../log.ts').length, 0);
  assert.equal(breach(source('files/swap.ts'), './journal.ts').length, 0);
  assert.equal(breach(source('coordinator/scanner.ts'), 'pg').length, 1);
  assert.deepEqual(
    describe(
      'a/b.ts',
      "import {\n  type X,\n} from '../c.ts';\nconst d = await import('./e.ts');\nexport * from './f.ts';\nimport './g.ts';\n",
    ).imports,
    ['../c.ts', './f.ts', './g.ts', './e.ts'],
  );
});

test('no file names a machine, a private registry or a path of the person who wrote it', () => {
  const root = join(here, '..');
  // Put together here so that this file does not contain what it looks for.
  const paths = [
    ['', 'work', 'main'],
    ['', 'work', 'shared'],
    ['', 'tmp', 'cs'],
    ['', 'root', ''],
  ].map((parts) => parts.join('/'));
  const registry = new RegExp(`https?://(?!registry\\.npmjs\\.org)[^/\\s'"]*${'regis'}try[^/\\s'"]*/`);
  const files = globSync(
    [
      'node/**/*',
      'scripts/**/*',
      'migrations/*',
      'views/**/*',
      'static/{css,js}/**/*',
      'docs/**/*.md',
      '*.md',
      'package*.json',
      'tsconfig.json',
      '.ci/*',
      '.npmrc',
    ],
    { cwd: root, withFileTypes: true },
  ).filter((entry) => entry.isFile() && !/\.(png|jpg|woff2|gz|br)$/.test(entry.name));
  const found = files.flatMap((entry) => {
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    const hits = [...paths.filter((path) => text.includes(path)), ...(registry.exec(text) ?? [])];
    return hits.map((hit) => `${join(entry.parentPath, entry.name)} names ${hit}`);
  });
  assert.deepEqual(found, []);
});

test('the lock file has a checksum for every package and no download address', () => {
  const lock = JSON.parse(readFileSync(join(here, '..', 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Record<string, unknown>>;
  };
  const packages = Object.entries(lock.packages).filter(([name]) => name !== '');
  assert.deepEqual(
    packages.filter(([, entry]) => 'resolved' in entry).map(([name]) => name),
    [],
  );
  assert.deepEqual(
    packages.filter(([, entry]) => !('integrity' in entry)).map(([name]) => name),
    [],
  );
});

interface Source {
  /** below node/, '/' separators */
  file: string;
  room: string;
  isTest: boolean;
  code: string;
  staticImports: string[];
  imports: string[];
}

function readSources(): Source[] {
  const files = globSync('**/*.ts', { cwd: here }).map((file) => file.replaceAll('\\', '/'));
  return files.map((file) => describe(file, readFileSync(join(here, file), 'utf8')));
}

function describe(file: string, code: string): Source {
  const statics = [...code.matchAll(/^\s*(?:import|export)\s(?:[^;'"]*?\sfrom\s*)?['"]([^'"]+)['"]/gm)].map((match) => match[1]!);
  const dynamic = [...code.replaceAll(/^\s*\*.*$/gm, '').matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)].map((match) => match[1]!);
  const room = file.includes('/') ? file.slice(0, file.indexOf('/')) : file;
  return {
    file,
    room,
    isTest: file.endsWith('.test.ts') || room === 'testing',
    code,
    staticImports: statics,
    imports: [...statics, ...dynamic],
  };
}

/** The sentences about one import: none when it is allowed. */
function breach({ file, room }: Source, to: string): string[] {
  const no = (because: string): string[] => [`${file} may not import ${to}: ${because}`];
  if (!to.startsWith('.')) {
    if (room === 'core') return no('core has no platform and no packages');
    const homes = packageHomes[packageName(to)];
    return homes === undefined || homes.includes(room) || homes.some((home) => file.startsWith(home))
      ? []
      : no(`it belongs to ${homes.join(', ')}`);
  }
  const target = posix.normalize(posix.join(dirname(file), to));
  if (leaves.includes(target) && room !== 'core') return [];
  const targetRoom = target.includes('/') ? target.slice(0, target.indexOf('/')) : target;
  if (targetRoom === room) return [];
  if (targetRoom === '..') return room === 'cli' || room === 'config' ? [] : no('it lies outside the house');
  if (targetRoom === 'testing') return no('testing is for tests only');
  if (leaves.includes(room)) return targetRoom === 'core' || leaves.includes(target) ? [] : no('a leaf knows only core');
  const law = mayImport[room];
  if (law === everything) return [];
  if (law === undefined || !law.includes(targetRoom)) return no(`${room} knows only ${law?.join(', ') || 'itself'}`);
  if (room === 'worker' && targetRoom === 'files' && target !== 'files/workspace.ts') return no('a worker knows only its workspace');
  return [];
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function isCode(line: string): boolean {
  return line.trim() !== '' && !/^\s*(\/\/|\/?\*)/.test(line);
}
