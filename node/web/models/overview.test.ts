import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cell } from '../../testing/file-cell.ts';
import { heroView, pacePerDay, type HeroFacts } from './overview.ts';
import { lookItems, type LookFacts } from './look.ts';

const TB = 1e12;
const at = (minute: number): Date => new Date(2026, 10, 22, 12, minute);
const run = (from: number, to: number, inputBytes: number) => ({ startedAt: at(from), finishedAt: at(to), inputBytes });
const facts = (more: Partial<HeroFacts>): HeroFacts => ({
  cells: [],
  days: [],
  paces: [],
  finishedEver: 0,
  trash: { bytes: 0, nextExpiry: null },
  scanning: false,
  now: at(0),
  ...more,
});

describe('pace', () => {
  test('counts the time in which anything ran, not pauses and not twice', () => {
    assert.equal(pacePerDay([]), null);
    // two at once for ten minutes, a long pause, one for ten minutes: 3 GB in 20 minutes
    assert.equal(pacePerDay([run(0, 10, 1e9), run(0, 10, 1e9), run(50, 60, 1e9)]), (3e9 / 20) * 24 * 60);
    assert.equal(pacePerDay([run(0, 30, 1e9), run(10, 20, 1e9)]), (2e9 / 30) * 24 * 60, 'one inside the other');
  });
});

describe('the headline', () => {
  const paces = [run(0, 10, 10e9)];
  const cells = [
    cell('queued', 'h264', 10, 1.44 * TB, { expectedBytes: 0.6 * TB }),
    cell('done', 'hevc', 30, 1 * TB, { originalBytes: 3 * TB }),
  ];

  test('no forecast before twenty files are finished, and none when nothing waits', () => {
    assert.equal(heroView(facts({ cells, paces, finishedEver: 19 })).doneIn, null);
    assert.equal(heroView(facts({ cells, paces, finishedEver: 19 })).doneInNote, 'Known after 20 files');
    // 10 GB in 10 minutes is 1.44 TB a day
    assert.deepEqual(heroView(facts({ cells, paces, finishedEver: 20 })).doneIn, { value: '24', unit: 'h', note: 'about Mon 23 Nov' });
    assert.equal(heroView(facts({ cells: [cells[1]!], paces, finishedEver: 20 })).doneInNote, 'Nothing waits');
    assert.equal(heroView(facts({ scanning: true })).doneInNote, 'Still looking');
  });

  test('a library is finished only when every file is', () => {
    const share = (done: number, waiting: number): string =>
      heroView(facts({ cells: [cell('done', 'hevc', done, 1), cell('queued', 'h264', waiting, 1)] })).finished.percent;
    assert.deepEqual([share(0, 5), share(5, 0), share(99_999, 1), share(1, 99_999)], ['0', '100', '99.9', '0.1']);
  });

  test('files that vanished count nowhere, and files that grew take nothing from zero', () => {
    const view = heroView(
      facts({
        cells: [
          cell('missing', 'hevc', 100, 5 * TB, { originalBytes: 50 * TB }),
          cell('kept', 'h264', 1, 2 * TB, { originalBytes: 1 * TB }),
        ],
      }),
    );
    assert.deepEqual(view.reclaimed, { value: '0', unit: 'GB' });
    assert.equal(view.finished.of, '1 of 1 file');
  });
});

describe('what needs a look', () => {
  const none: LookFacts = {
    libraries: [],
    held: [],
    heldCount: 0,
    failedCount: 0,
    nodes: [],
    badCopies: [],
    benched: [],
    sources: [],
    roots: [],
  };

  test('is nothing when all is well', () => {
    const fine = {
      ...none,
      nodes: [{ name: 'atlas', away: false, draining: false, working: 2, tested: 4, refused: '' }],
      roots: [{ nodeName: 'atlas', path: '/srv', problem: null, writable: true }],
    };
    assert.deepEqual(lookItems(fine), []);
  });

  test('names a server that needs a person, and one that does not show what it was told', () => {
    const well = { word: 'Connected', tone: 'good', why: '' } as const;
    const sources = [
      { id: 1, name: 'Den', state: well, unconfirmed: 0 },
      { id: 2, name: 'Attic', state: well, unconfirmed: 2 },
      { id: 3, name: 'Loft', state: { word: 'Sign in again', tone: 'bad', why: 'Because.' } as const, unconfirmed: 5 },
      { id: 4, name: 'Off', state: { word: 'Switched off', tone: 'quiet', why: 'By you.' } as const, unconfirmed: 0 },
    ];
    assert.deepEqual(
      lookItems({ ...none, sources }).map((item) => [item.tone, item.title, item.href]),
      [
        ['warn', 'Attic does not show everything', '/sources/2#messages'],
        ['bad', 'Loft: sign in again', '/sources/3'],
      ],
    );
  });

  test('puts a film whose new file is bad before everything else, and names an encoder that is not used', () => {
    const note = { code: 'pictures-differ', params: { at: '0:00:10' } } as const;
    const benched = { code: 'encoder-benched', params: { encoder: 'hevc_nvenc', node: 'atlas', bad: 2, outputs: 5 } } as const;
    const copies = [1, 2, 3, 4].map((n) => ({ jobId: n, title: `Film ${n}`, note }));
    const items = lookItems({ ...none, badCopies: copies, benched: [{ reason: benched }] });
    assert.deepEqual(
      items.map(({ tone, href }) => [tone, href]),
      [
        ['bad', '/jobs/1'],
        ['bad', '/jobs/2'],
        ['bad', '/jobs/3'],
        ['bad', '/history'],
        ['warn', '/nodes'],
      ],
    );
    assert.match(items[0]!.text, /0:00:10/);
    assert.match(items[4]!.text, /hevc_nvenc on atlas made 2 bad copies/);
  });

  test('names the node, the folder or the file, and leads to where it can be put right', () => {
    const items = lookItems({
      ...none,
      libraries: [
        { id: 3, name: 'Films', problem: { code: 'root-not-mounted', params: { path: '/srv/films' } }, enabled: true },
        { id: 4, name: 'Off', problem: { code: 'root-not-mounted' }, enabled: false },
      ],
      held: [{ id: 9, title: 'Metropolis', reason: null }],
      heldCount: 5,
      failedCount: 1,
      nodes: [
        { name: 'nuc', away: false, draining: false, working: 0, tested: 6, refused: '' },
        { name: 'attic', away: false, draining: false, working: 2, tested: 6, refused: 'ffmpeg 5.1 has the hole CVE-2022-2566.' },
      ],
      roots: [{ nodeName: 'atlas', path: '/srv/tv', problem: null, writable: false }],
    });
    assert.deepEqual(
      items.map((i) => [i.tone, i.title, i.href]),
      [
        ['bad', 'nuc has no working encoder', '/nodes'],
        ['bad', 'attic opens no film', '/nodes'],
        ['warn', 'Films', '/library/3'],
        ['warn', '/srv/tv is read-only on atlas', '/nodes'],
        ['warn', 'Metropolis', '/jobs/9'],
        ['warn', '4 more files wait for a decision', '/queue?state=held'],
        ['bad', '1 job failed', '/queue?state=failed'],
      ],
    );
    assert.match(items[1]!.text, /CVE-2022-2566/);
    assert.match(items[2]!.text, /\/srv\/films/);
  });
});

test('space that originals in the trash still take is told with the day it comes free, and not told when there is none', () => {
  const held = heroView(facts({ trash: { bytes: 42e6, nextExpiry: new Date('2026-12-06T10:00:00') } })).held;
  assert.match(held ?? '', /^42\.0\sMB of originals in the trash, free from Sun 6 Dec$/);
  assert.equal(heroView(facts({})).held, null);
});
