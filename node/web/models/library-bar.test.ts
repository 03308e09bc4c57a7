import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cell } from '../../testing/file-cell.ts';
import { libraryBar } from './library-bar.ts';

const TB = 1e12;

describe('the library bar', () => {
  test('is as long as the library was before, and its parts add up to it', () => {
    const bar = libraryBar([
      cell('done', 'hevc', 10, 2 * TB, { originalBytes: 5 * TB }),
      cell('skipped', 'hevc', 4, 1 * TB),
      cell('queued', 'h264', 6, 3 * TB, { expectedBytes: 1 * TB }),
      cell('queued', 'mpeg2video', 1, 1 * TB, { expectedBytes: 0.5 * TB }),
      cell('skipped', 'h264', 1, 0.5 * TB),
      cell('new', '', 1, 0.5 * TB),
    ]);
    assert.equal(bar.total, 11 * TB);
    assert.equal(
      bar.segments.reduce((n, s) => n + s.value, 0),
      bar.total,
    );
    assert.deepEqual(
      bar.segments.map((s) => s.tone),
      ['jade', 'blue', 'amber', 'mauve', 'grey', 'grey', 'free'],
    );
    assert.ok(Math.abs(bar.nowAt - (8 / 11) * 100) < 1e-9);
    assert.ok(Math.abs(bar.doneAt! - (5.5 / 11) * 100) < 1e-9);
  });

  test('without anything to win it promises nothing', () => {
    assert.equal(libraryBar([cell('skipped', 'hevc', 4, 1 * TB)]).doneAt, null);
    assert.equal(libraryBar([]).total, 0);
  });

  test('its two words never stand on each other, however close what they name is', () => {
    const width = 19;
    for (let won = 0; won <= 95; won += 5)
      for (let more = 1; more <= 95 - won; more += 3) {
        const left = 100 - won;
        const bar = libraryBar([
          { ...cell('done', 'hevc', 1, 1), originalBytes: 1 + won },
          { ...cell('queued', 'h264', 1, left - 1), expectedBytes: Math.max(0, left - 1 - more) },
        ]);
        if (bar.doneAt === null) continue;
        const { done, doneLeft, now, nowRight } = bar.words;
        const [d, n] = [doneLeft ? done - width : done, nowRight ? now : now - width];
        assert.ok(d + width <= n + 1e-9 || n + width <= d + 1e-9, `done at ${bar.doneAt}, now at ${bar.nowAt}`);
        assert.ok(Math.min(d, n) >= -1e-9 && Math.max(d, n) + width <= 100 + 1e-9, `inside the bar: ${bar.doneAt}, ${bar.nowAt}`);
      }
  });
});
