import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PathRule } from './commands.ts';
import { placeOf, proposeRules, sourcePathOf } from './source-paths.ts';

const rule = (prefix: string, rootId: string, folder = ''): PathRule => ({ prefix, rootId, folder });
const rules = [
  rule('/data', 'R1'),
  rule('/data/tv', 'R2', 'shows'),
  rule('O:\\fatboy\\Media', 'R3', 'media'),
  rule('\\\\nas\\films', 'R4'),
  rule('/we.ird[0-9]+(x)', 'R5'),
  rule('Z:/music', 'R6'),
];

const placed: [string, string | null, string?][] = [
  ['/data/movies/Metropolis (1927)/Metropolis.mkv', 'R1', 'movies/Metropolis (1927)/Metropolis.mkv'],
  ['/data/tv/Dark/S01E01.mkv', 'R2', 'shows/Dark/S01E01.mkv'],
  ['/data/tvs/x.mkv', 'R1', 'tvs/x.mkv'],
  ['/database/x.mkv', null],
  ['/DATA/x.mkv', null],
  ['/data//movies///x.mkv', 'R1', 'movies/x.mkv'],
  ['/data/../etc/passwd', null],
  ['/data/./x.mkv', null],
  ['/data/x\0.mkv', null],
  ['/data', null],
  ['data/x.mkv', null],
  ['', null],
  ['/data/with\\backslash/x.mkv', 'R1', 'with\\backslash/x.mkv'],
  ['O:\\fatboy\\Media\\Ripped\\x.mkv', 'R3', 'media/Ripped/x.mkv'],
  ['o:/FATBOY/media/Ripped\\x.mkv', 'R3', 'media/Ripped/x.mkv'],
  ['O:\\fatboy\\Media\\..\\x.mkv', null],
  ['O:\\fatboy\\Mediathek\\x.mkv', null],
  ['P:\\fatboy\\Media\\x.mkv', null],
  ['\\\\NAS\\Films\\A\\a.mkv', 'R4', 'A/a.mkv'],
  ['//nas/films/A/a.mkv', 'R4', 'A/a.mkv'],
  ['\\\\nas\\films2\\a.mkv', null],
  ['/we.ird[0-9]+(x)/a.mkv', 'R5', 'a.mkv'],
  ['/weXird7x/a.mkv', null],
];
for (const [path, rootId, expected] of placed) {
  test(`“${path.replaceAll('\0', '\\0')}” is ${rootId === null ? 'nowhere' : `${rootId}: ${expected}`}`, () => {
    assert.deepEqual(placeOf(path, rules), rootId === null ? null : { rootId, path: expected });
  });
}

test('the way back has the separators of the source', () => {
  assert.equal(sourcePathOf({ rootId: 'R3', path: 'media/Ripped/a.mkv' }, rules), 'O:\\fatboy\\Media\\Ripped\\a.mkv');
  assert.equal(sourcePathOf({ rootId: 'R4', path: 'A/a.mkv' }, rules), '\\\\nas\\films\\A\\a.mkv');
  assert.equal(sourcePathOf({ rootId: 'R6', path: 'a/b.flac' }, rules), 'Z:/music/a/b.flac');
  assert.equal(sourcePathOf({ rootId: 'R2', path: 'shows/Dark/S01E01.mkv' }, rules), '/data/tv/Dark/S01E01.mkv');
  assert.equal(sourcePathOf({ rootId: 'R2', path: 'other/x.mkv' }, rules), null);
  assert.equal(sourcePathOf({ rootId: 'R1', path: 'tv/x.mkv' }, rules), null, 'the source calls another place so');
  assert.equal(sourcePathOf({ rootId: 'R4', path: 'a\\b.mkv' }, rules), null, 'no Windows has such a name');
  assert.equal(sourcePathOf({ rootId: 'R1', path: '../x.mkv' }, rules), null);
  assert.equal(sourcePathOf({ rootId: 'C', path: 'x.mkv' }, [rule('C:\\', 'C')]), 'C:\\x.mkv');
  assert.equal(sourcePathOf({ rootId: 'C', path: 'x.mkv' }, [rule('/', 'C')]), '/x.mkv');
});

const name = fc.oneof(
  fc.constantFrom('a', 'A', 'b', 'data', 'tv', '.*', '[x]', 'Ünï', 'O:', '..', '.', ' ', 'x\\y'),
  fc.string({ minLength: 1, maxLength: 6 }).filter((text) => !/[/\0]/.test(text)),
);
const names = fc.array(name, { minLength: 1, maxLength: 5 });
const prefixes = fc.oneof(
  names.map((parts) => `/${parts.join('/')}`),
  names.map((parts) => `D:\\${parts.join('\\')}`),
  fc.tuple(fc.constant('nas'), names).map(([host, parts]) => `\\\\${host}\\${parts.join('\\')}`),
);
const someRules = fc.array(
  fc.record({ prefix: prefixes, rootId: fc.constantFrom('R1', 'R2'), folder: fc.array(name, { maxLength: 2 }).map((n) => n.join('/')) }),
  { maxLength: 5 },
);

test('20: the way back leads to the same file or nowhere, and no path leaves its root', () => {
  fc.assert(
    fc.property(someRules, names, fc.constantFrom('R1', 'R2'), prefixes, (rules, path, rootId, strange) => {
      const back = sourcePathOf({ rootId, path: path.join('/') }, rules);
      if (back !== null) assert.deepEqual(placeOf(back, rules), { rootId, path: path.join('/') });
      const there = placeOf(strange, rules);
      if (there === null) return;
      const parts = there.path.split('/');
      const rule = rules.find(
        ({ rootId, folder }) => rootId === there.rootId && `${there.path}/`.startsWith(folder === '' ? '' : `${folder}/`),
      );
      assert.ok(rule, 'it is below the folder of a rule');
      const within = parts.slice(rule.folder === '' ? 0 : rule.folder.split('/').length);
      assert.ok(!within.includes('..') && !within.includes('.'));
    }),
  );
});

test('adding a rule only takes away what lies below its prefix', () => {
  fc.assert(
    fc.property(someRules, prefixes, prefixes, (rules, prefix, path) => {
      const more = placeOf(path, [...rules, rule(prefix, 'R9', 'new')]);
      if (more?.rootId !== 'R9') assert.deepEqual(more, placeOf(path, rules));
    }),
  );
});

test('rules are guessed from the ends of paths and sizes, with what supports them', () => {
  const items = [
    { path: '/data/movies/Metropolis (1927)/Metropolis.mkv', sizeBytes: 1000 },
    { path: '/data/movies/Nosferatu (1922)/Nosferatu.mkv', sizeBytes: 1001 },
    { path: '/data/movies/Faust (1926)/Faust.mkv', sizeBytes: 1002 },
    { path: '/data/movies/Gone (2001)/Gone.mkv', sizeBytes: 5 },
    { path: '/data/tv/Dark/Season 01/Dark - S01E01.mkv', sizeBytes: 2000 },
    { path: '/other/Unknown.mkv', sizeBytes: 7 },
  ];
  const files = [
    { rootId: 'films', path: 'Metropolis (1927)/Metropolis.mkv', sizeBytes: 1000 },
    { rootId: 'films', path: 'Nosferatu (1922)/Nosferatu.mkv', sizeBytes: 1001 },
    { rootId: 'films', path: 'Faust (1926)/Faust.mkv', sizeBytes: 999 },
    { rootId: 'series', path: 'all/tv/Dark/Season 01/Dark - S01E01.mkv', sizeBytes: 2000 },
    { rootId: 'series', path: 'copies/Metropolis.mkv', sizeBytes: 1000 },
  ];
  assert.deepEqual(proposeRules(items, files), [
    { prefix: '/data/movies', rootId: 'films', folder: '', matched: 2, of: 4 },
    { prefix: '/data', rootId: 'series', folder: 'all', matched: 1, of: 1 },
  ]);
});

test('guesses know Windows, shares, and files whose size is not said', () => {
  const files = [
    { rootId: 'R', path: 'Movies/Heat (1995)/Heat.mkv', sizeBytes: 10 },
    { rootId: 'R', path: 'Movies/Ran (1985)/Ran.mkv', sizeBytes: 11 },
  ];
  assert.deepEqual(proposeRules([{ path: 'O:\\Media\\movies\\heat (1995)\\Heat.mkv', sizeBytes: 10 }], files), [
    { prefix: 'O:\\Media', rootId: 'R', folder: '', matched: 1, of: 1 },
  ]);
  assert.deepEqual(proposeRules([{ path: 'M:\\Movies\\Heat (1995)\\Heat.mkv', sizeBytes: 10 }], files), [
    { prefix: 'M:\\', rootId: 'R', folder: '', matched: 1, of: 1 },
  ]);
  assert.deepEqual(proposeRules([{ path: '\\\\nas\\Movies\\Ran (1985)\\Ran.mkv', sizeBytes: 11 }], files), [
    { prefix: '\\\\nas\\Movies', rootId: 'R', folder: 'Movies', matched: 1, of: 1 },
  ]);
  assert.deepEqual(proposeRules([{ path: '/m/Ran (1985)/Ran.mkv', sizeBytes: null }], files).length, 1);
  assert.deepEqual(proposeRules([{ path: '/m/Ran.mkv', sizeBytes: null }], files), []);
});

test('what is guessed for moved copies of one tree places every file right', () => {
  const tree = fc.uniqueArray(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 12,
    selector: (parts) => parts.join('/'),
  });
  fc.assert(
    fc.property(
      tree,
      fc.constantFrom('/media', '/media/films', 'D:\\x', '\\\\nas\\share'),
      fc.constantFrom('', 'deep/in'),
      (paths, prefix, folder) => {
        const separator = prefix.startsWith('/') ? '/' : '\\';
        const items = paths.map((parts, at) => ({ path: [prefix, ...parts, `${at}.mkv`].join(separator), sizeBytes: at }));
        const files = paths.map((parts, at) => ({
          rootId: 'R',
          path: [...folder.split('/').filter(Boolean), ...parts, `${at}.mkv`].join('/'),
          sizeBytes: at,
        }));
        const proposals = proposeRules(items, files);
        assert.deepEqual(
          proposals.map(({ matched, of }) => [matched, of]),
          [[paths.length, paths.length]],
        );
        items.forEach((item, at) => assert.equal(placeOf(item.path, proposals)?.path, files[at]!.path));
      },
    ),
  );
});
