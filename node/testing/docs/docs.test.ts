import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import { settings, specOf, type SettingKey } from '../../config/schema.ts';
import { repository } from '../tools.ts';
import { allSources, callIn, deadLink, isLabel, isSaid, labels, quotes, reachable, readPages, slug } from './pages.ts';

/** What people read is held to what there is: links, commands, flags, names, and every sentence that is quoted. */

const pages = readPages();
const manual = pages.filter(({ file }) => file !== 'ARCHITECTURE.md');

suite('the documentation', () => {
  test('every link and every picture leads somewhere', () => {
    const dead = pages.flatMap((page) => page.links.flatMap(({ to }) => deadLink(page, to, pages) ?? []));
    assert.deepEqual(dead, []);
  });

  test('every page is reached from its index, and the index from the README', () => {
    const found = reachable('README.md', pages);
    const index = reachable('docs/README.md', pages);
    const lost = pages.filter(({ file }) => file.startsWith('docs/') && !(index.has(file) && found.has(file)));
    assert.deepEqual(
      lost.map(({ file }) => file),
      [],
    );
  });

  test('every command that it names exists, with every flag', async () => {
    const calls = manual.flatMap((page) => page.code.flatMap((code) => (callIn(code) ? [{ file: page.file, words: callIn(code)! }] : [])));
    assert.ok(calls.length > 40, `only ${calls.length} calls were found`);
    const helps = await helpOf(new Set(calls.map(({ words }) => words[0]!)));
    const wrong = calls.flatMap(({ file, words: [name, ...rest] }) => {
      const help = helps.get(name!);
      if (help === null || help === undefined) return [`${file}: there is no command ${name}`];
      const flags = rest.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!);
      return flags.filter((flag) => !help.includes(flag)).map((flag) => `${file}: ${name} has no ${flag}`);
    });
    assert.deepEqual(wrong, []);
  });

  test('every flag that it names by itself exists', async () => {
    const known = [...(await helpOf(await commandNames())).values()].join('\n');
    const wrong = manual.flatMap((page) =>
      page.code
        .filter((code) => /^--[a-z-]+/.test(code) && !foreign.has(code.split(/[\s=]/)[0]!))
        .flatMap((code) => {
          const flag = /^--[a-z-]+/.exec(code)![0];
          return known.includes(flag) ? [] : [`${page.file}: ${flag}`];
        }),
    );
    assert.deepEqual(wrong, []);
  });

  test('the help of a command names every option that the command takes, and no other', async () => {
    const names = await commandNames();
    const helps = await helpOf(names);
    const wrong = [...names].flatMap((name) => {
      const source = readFileSync(join(repository, 'node', 'cli', `${name}.ts`), 'utf8');
      const taken = new Set([...flagsIn(source), 'json', 'help']);
      const help = helps.get(name)!;
      const said = [...help.matchAll(/--([a-z][a-z-]+)/g)].map(([, flag]) => flag!);
      const named = new Set([...said, ...(help.includes('[options of run]') ? nodeFlagNames : [])]);
      return [
        ...[...taken]
          .filter((flag) => !named.has(flag) && !known.has(flag))
          .map((flag) => `${name} takes --${flag}, and its help does not say so`),
        ...[...named]
          .filter((flag) => !taken.has(flag) && !others.has(flag))
          .map((flag) => `the help of ${name} says --${flag}, which it does not take`),
      ];
    });
    assert.deepEqual(wrong, []);
  });

  test('every variable that it names is a setting', () => {
    const known = new Set((Object.keys(settings) as SettingKey[]).map((key) => specOf(key).env));
    const isKnown = (name: string): boolean =>
      known.has(name) || (name.endsWith('_FILE') && known.has(name.slice(0, -5))) || forDevelopers.has(name);
    const wrong = manual.flatMap(({ file, text }) =>
      [...text.matchAll(/\bCODECSHIFT_[A-Z_]+[A-Z]\b/g)].flatMap(([name]) => (isKnown(name) ? [] : [`${file}: ${name}`])),
    );
    assert.deepEqual(wrong, []);
  });

  test('every sentence that is quoted is one that the program says', () => {
    const sources = allSources();
    const said = manual.filter(({ file }) => file === 'docs/troubleshooting.md').flatMap(({ text }) => quotes(text));
    assert.ok(said.length > 35, `only ${said.length} quotes were found`);
    assert.deepEqual(
      said.filter((quote) => !isSaid(quote, sources)),
      [],
    );
  });

  test('every button, field and page that it names is called so on the page', () => {
    const sources = allSources();
    const wrong = manual
      .filter(({ file }) => !ofOthers.has(file))
      .flatMap((page) =>
        labels(page).flatMap((label) => (isLabel(label, sources) || foreignLabels.has(label) ? [] : [`${page.file}: ${label}`])),
      );
    assert.deepEqual(wrong, []);
    const named = manual.flatMap(labels);
    assert.ok(named.length > 150, `only ${named.length} names were found`);
  });

  test(
    'the template for Unraid is XML whose variables are settings',
    { skip: hasPython() ? false : 'python3 is not on this machine' },
    () => {
      const file = join(repository, 'docs', 'unraid', 'my-CodecShift.xml');
      const script =
        'import sys,json,xml.etree.ElementTree as e; r=e.parse(sys.argv[1]).getroot(); print(json.dumps([[c.get("Type"),c.get("Target"),c.get("Default"),c.text] for c in r.iter("Config")]))';
      const { stdout } = spawnSync('python3', ['-c', script, file], { encoding: 'utf8' });
      const fields = JSON.parse(stdout) as [string, string, string, string | null][];
      const known = new Map((Object.keys(settings) as SettingKey[]).map((key) => [specOf(key).env, specOf(key)]));
      for (const [type, target, standard, text] of fields) {
        assert.equal(text ?? '', standard, `${target} begins with what the form shows as its default`);
        if (type === 'Variable') assert.ok(known.has(target), target);
      }
      assert.deepEqual(
        fields.filter(([type]) => type === 'Path').map(([, target]) => target),
        ['/media', '/data'],
      );
      assert.match(readFileSync(join(repository, 'Dockerfile'), 'utf8'), /CODECSHIFT_DATA_DIR=\/data/);
    },
  );
});

test('a mistake in the documentation is found', () => {
  const page = pages.find(({ file }) => file === 'docs/safety.md')!;
  assert.match(deadLink(page, 'nowhere.md', pages) ?? '', /which is not there/);
  assert.match(deadLink(page, 'plex.md#nothing', pages) ?? '', /no heading is called so/);
  assert.equal(deadLink(page, '#the-trash', pages), null);
  assert.equal(slug('Is `that` safe? (yes)'), 'is-that-safe-yes');
  assert.deepEqual(callIn('sudo codecshift service install --user  # comment'), ['service', 'install', '--user']);
  assert.deepEqual(callIn('npm ci && npm start -- --library /films'), ['run', '--library', '/films']);
  assert.equal(callIn('/usr/local/bin/codecshift'), null);
  assert.ok(isSaid('Port … is already in use', 'x `Port ${port} is already in use on` y'));
  assert.ok(isLabel('Put it back', '<button>Put it back</button>') && !isLabel('Restore', '<a>Restore …</a>'));
  assert.ok(!isSaid('Port … was already in use', 'x `Port ${port} is already in use on` y'));
});

/** These lead through the pages of other programs most of the way. */
const ofOthers = new Set([
  'docs/install-synology.md',
  'docs/install-unraid.md',
  'docs/install-windows.md',
  'docs/install-macos.md',
  'docs/build.md',
  'docs/sign-in.md',
  'docs/notifications.md',
]);
/** Of Sonarr and Radarr, of NVIDIA; and two commands at the beginning of a sentence. */
const foreignLabels = new Set(['On Rename', 'Unmonitor Deleted Episodes', 'Movies', 'NVIDIA Container Toolkit', 'Doctor', 'Uninstall']);

/** Of other programs. */
const foreign = new Set(['--omit', '--group-add', '--runtime', '--user', '--ignore-scripts', '--help', '--password']);
/** Every command takes these, as the help of the program itself says. */
const known = new Set(['json', 'help']);
/** Of `run`, where another command speaks of it. */
const others = new Set(['stop', 'join', 'help']);

/** The options that the source of a command hands to the parser. */
function flagsIn(source: string): string[] {
  const settled = [...source.matchAll(/nodeFlags\(([^)]*)\)/g)].flatMap(([, only]) =>
    only === '' ? nodeFlagNames : [...only!.matchAll(/'([a-z-]+)'/g)].map(([, flag]) => flag!),
  );
  return [...settled, ...[...source.matchAll(/'?([a-z][a-z-]*)'?: \{ type: '(?:string|boolean)'/g)].map(([, flag]) => flag!)];
}
const nodeFlagNames = (Object.keys(settings) as SettingKey[]).flatMap((key) => specOf(key).flag ?? []);

/** Read by tests and scripts alone. */
const forDevelopers = new Set([
  'CODECSHIFT_MEDIA',
  'CODECSHIFT_GOLDEN',
  'CODECSHIFT_TEST_PROGRAM',
  'CODECSHIFT_WINDOWS_CERT',
  'CODECSHIFT_WINDOWS_KEY',
  'CODECSHIFT_WINDOWS_TIMESTAMP',
]);

async function commandNames(): Promise<Set<string>> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(repository, 'node', 'main.ts'), '--help']);
  return new Set([...stdout.matchAll(/^ {2}([a-z][a-z-]*) +[a-z]/gm)].map(([, name]) => name!).filter((name) => name !== 'codecshift'));
}

/** What each command says of itself; null: there is none of that name. Asked once: a start of the program is a third of a second. */
async function helpOf(names: ReadonlySet<string>): Promise<Map<string, string | null>> {
  const found = new Map<string, string | null>();
  for (const name of names) found.set(name, await (asked[name] ??= sayHelp(name)));
  return found;
}

const asked: Record<string, Promise<string | null>> = {};

function sayHelp(name: string): Promise<string | null> {
  return promisify(execFile)(process.execPath, [join(repository, 'node', 'main.ts'), name, '--help']).then(
    ({ stdout }) => stdout,
    () => null,
  );
}

function hasPython(): boolean {
  return spawnSync('python3', ['--version']).status === 0;
}
