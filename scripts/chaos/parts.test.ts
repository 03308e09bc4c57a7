import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { temporaryDirectory } from '../../node/testing/database.ts';
import { requireTool } from '../../node/testing/tools.ts';
import { createLibrary } from './library.ts';
import type { Film } from './library.ts';
import { checkFilms } from './oracle-films.ts';
import type { Finding } from './findings.ts';
import { kinds, planFaults } from './plan.ts';
import type { FaultKind } from './plan.ts';
import { seeded } from './random.ts';
import { failoverTimes } from './report.ts';

/** The parts of the chaos that decide and judge: a judge that cannot find anything would prove nothing. */
suite('the plan of a chaos run', () => {
  const cast = { machines: ['a', 'b', 'c', 'd'], candidates: ['a', 'b'], withWorkspace: ['a', 'c'] };

  test('the same seed is the same list, another seed another', () => {
    const plan = planFaults(seeded(7), 200, 1000, cast);
    assert.deepEqual(planFaults(seeded(7), 200, 1000, cast), plan);
    assert.notDeepEqual(planFaults(seeded(8), 200, 1000, cast), plan);
  });

  test('every kind comes, at about the wished pace, and strikes only what it can', () => {
    const plan = planFaults(seeded(1), 2000, 1000, cast);
    assert.deepEqual(new Set(plan.map(({ kind }) => kind)), new Set(Object.keys(kinds) as FaultKind[]));
    const mean = plan.reduce((sum, { gapMs }) => sum + gapMs, 0) / plan.length;
    assert.ok(mean > 900 && mean < 1100, `one every ${mean} ms`);
    for (const { kind, target, lastsMs } of plan) {
      assert.ok(lastsMs >= kinds[kind].lasts[0] * 1000 && lastsMs <= kinds[kind].lasts[1] * 1000);
      if (kind === 'cut-database') assert.ok(['a', 'b', 'coordinator'].includes(target));
      if (kind === 'full-workspace') assert.ok(['a', 'c'].includes(target));
    }
    assert.ok(plan.every(({ kind, target }) => kind !== 'partition' || target !== ''));
    assert.equal(
      planFaults(seeded(1), 500, 1000, { machines: ['a'], candidates: ['a'], withWorkspace: ['a'] }).filter(
        ({ kind }) => kind === 'partition',
      ).length,
      0,
    );
  });

  test('the time of a failover runs from the last fault that struck the old term', () => {
    const fault = { number: 1, target: 'a', until: null, lastsMs: 0 };
    const times = failoverTimes({
      happened: [
        { ...fault, kind: 'clock', at: 500, term: 1 },
        { ...fault, kind: 'cut-database', at: 1000, term: 1 },
        { ...fault, kind: 'kill', at: 3000, term: 1 },
        { ...fault, kind: 'kill', at: 9000, term: null },
      ],
      reigns: [
        { term: 1, name: 'a', at: 0 },
        { term: 2, name: 'b', at: 8000 },
      ],
      firstGrants: [
        { term: 1, at: 100 },
        { term: 2, at: 8500 },
      ],
    });
    assert.deepEqual([...times], [['kill', { electedMs: [5000], grantMs: [5500] }]]);
  });
});

suite('the judge of the films', () => {
  test('originals and faithful conversions are nothing to say', async (t) => {
    const { share, films, convert } = await house(t);
    convert(films[0]!);
    assert.deepEqual(await findings(share, films), []);
  });

  test('it finds whatever could happen to a film', async (t) => {
    const { share, films, convert } = await house(t);
    const at = (film: Film): string => join(share, film.name);
    const [lost, halved, unsaved, doubled, twice, strange] = films as [Film, Film, Film, Film, Film, Film];
    rmSync(at(lost));
    convert(halved);
    truncateSync(at(halved), 20_000);
    convert(unsaved);
    rmSync(join(share, '.codecshift', 'trash', 'day', unsaved.name));
    convert(doubled);
    copyFileSync(at(doubled), `${at(doubled)} copy.mkv`);
    keep(share, twice);
    writeFileSync(at(strange), 'no film at all');
    const found = (await findings(share, films)).join('\n');
    for (const [film, says] of [
      [lost, /stands there 0 times/],
      [halved, /does not decode cleanly/],
      [unsaved, /its original is not in the trash/],
      [doubled, /nobody put it there/],
      [twice, /lies in the trash besides/],
      [strange, /its original is not in the trash/],
    ] as const)
      assert.ok(
        found.split('\n').some((line) => line.includes(film.name) && says.test(line)),
        `${film.name}: ${String(says)} is not in\n${found}`,
      );
  });

  test('a conversion that lost a stream or a second is found', async (t) => {
    const { share, films, convert } = await house(t);
    convert(films[0]!, ['-an']);
    convert(films[1]!, ['-t', '1']);
    const found = (await findings(share, films)).join('\n');
    assert.match(found, /has the streams 320x180 instead of 320x180, audio aac 2/);
    assert.match(found, /has \d+ frames instead of 50/);
  });
});

interface House {
  share: string;
  films: Film[];
  /** as CodecShift would leave it: the original in the trash, HEVC under its name */
  convert(film: Film, words?: string[]): void;
}

async function house(t: { after(fn: () => void): void }): Promise<House> {
  const share = temporaryDirectory(t);
  // always the everyday kind, short
  const plain = { ...seeded(1), pick: <T>(list: readonly T[]): T => list[0]!, chance: () => false };
  const library = createLibrary(share, temporaryDirectory(t), plain);
  for (let film = 0; film < 6; film++) await library.add();
  return {
    share,
    films: library.films,
    convert(film, words = []) {
      const path = join(share, film.name);
      keep(share, film);
      const draft = `${path}.mkv`;
      const encode = [
        '-c:v',
        'libx265',
        '-preset',
        'ultrafast',
        '-x265-params',
        'log-level=error:bframes=0',
        '-fps_mode',
        'passthrough',
        '-enc_time_base',
        '-1',
        '-c:a',
        'copy',
      ];
      execFileSync(requireTool('ffmpeg'), ['-v', 'error', '-nostdin', '-y', '-i', path, '-map', '0', ...encode, ...words, draft]);
      renameSync(draft, path);
    },
  };
}

function keep(share: string, film: Film): void {
  const trash = join(share, '.codecshift', 'trash', 'day', film.name);
  mkdirSync(dirname(trash), { recursive: true });
  linkSync(join(share, film.name), trash);
}

async function findings(share: string, films: readonly Film[]): Promise<string[]> {
  const found: Finding[] = [];
  await checkFilms(share, films, found);
  return found.map(({ says }) => says);
}
