import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { titleOf } from './title.ts';

const cases: [string, string, string][] = [
  ['Metropolis (1927)/Metropolis (1927) 1080p.mkv', 'Metropolis', '1927'],
  ['Metropolis (1927)/Metropolis.mkv', 'Metropolis', '1927'],
  ['Metropolis.1927.1080p.BluRay.x264-GRP.mkv', 'Metropolis', '1927'],
  ['Metropolis.mkv', 'Metropolis', ''],
  ['2001 A Space Odyssey (1968).mkv', '2001 A Space Odyssey', '1968'],
  ['2001.A.Space.Odyssey.1968.2160p.mkv', '2001 A Space Odyssey', '1968'],
  ['1917 (2019)/1917 (2019).mkv', '1917', '2019'],
  ['1917.mkv', '1917', ''],
  ['Blade Runner 2049 (2017)/Blade Runner 2049 (2017) {imdb-tt1856101}.mkv', 'Blade Runner 2049', '2017'],
  ['Dr. Strangelove (1964).mkv', 'Dr. Strangelove', '1964'],
  ['Metropolis (1927)/Making of.mkv', 'Making of', 'Metropolis 1927'],
  ['The Lucy Show/Season 02/The Lucy Show - S02E14 - Lucy Goes Fishing.mkv', 'The Lucy Show', 'S02 E14'],
  ['The Lucy Show/Season 02/S02E14.mkv', 'The Lucy Show', 'S02 E14'],
  ['The Lucy Show/Season 2/14 - Lucy Goes Fishing.mkv', 'The Lucy Show', 'S02 E14'],
  ['The Lucy Show/Specials/S00E03.mkv', 'The Lucy Show', 'S00 E03'],
  ['the.lucy.show.s02e14.720p.mkv', 'the lucy show', 'S02 E14'],
  ['The Lucy Show - 2x14.avi', 'The Lucy Show', 'S02 E14'],
  ['Dark (2017) {tvdb-334824}/Season 01/Dark.S01E01E02.mkv', 'Dark', 'S01 E01–E02'],
  ['Dark/Season 01/Dark - s01e01-e02.mkv', 'Dark', 'S01 E01–E02'],
  ['Dark/Staffel 1/Folge 3.mkv', 'Dark', 'S01 E03'],
  ['News/Season 2024/News - 2024-05-17 - Evening.mkv', 'News', '2024-05-17'],
  ['Doctor Who (2005)/Season 01/Doctor Who (2005) - S01E01.mkv', 'Doctor Who', 'S01 E01'],
  ['七人の侍 (1954)/七人の侍 (1954).mkv', '七人の侍', '1954'],
  ['Солярис.1972.mkv', 'Солярис', '1972'],
  ['Café_de_Flore.mp4', 'Café de Flore', ''],
  ['1920x1080 test.mkv', '1920x1080 test', ''],
  ['A \u202efdp.\u2066 film (1927).mkv', 'A fdp. film', '1927'],
  ['.mkv', 'mkv', ''],
  ['folder/...mkv', '..', ''],
  ['noextension', 'noextension', ''],
  ['', 'Unnamed file', ''],
];

for (const [path, title, detail] of cases) {
  test(`“${path}” is called “${title}”${detail ? `, ${detail}` : ''}`, () => assert.deepEqual(titleOf(path), { title, detail }));
}

test('every path has a title that is not blank', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (path) => assert.notEqual(titleOf(path).title.trim(), '')));
});

test('a very long name of dots, digits and brackets is read in no time', () => {
  for (const part of ['.', '(', '1999', 's1e', ' - ', '[a', '_.']) assert.notEqual(titleOf(`${part.repeat(20_000)}.mkv`).title, '');
});
