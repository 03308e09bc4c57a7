import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FfmpegBuild } from '../../core/ffmpeg-choice.ts';
import type { NodeRow } from '../../db/nodes.ts';
import { isAway, nodeCard } from './node.ts';
import { nodeSettingsPage, readNodeForm } from './node-form.ts';
import { hoursInWords } from './node-hours.ts';
import { nodeDetail, type DetailFacts } from './node-page.ts';
import { askingViews, readTokenForm, tokenView } from './nodes-page.ts';

// Monday noon in UTC; the nodes below live in UTC too
const now = new Date('2026-11-23T12:00:00Z');

const row: NodeRow = {
  id: 'node-nuc',
  name: 'nuc',
  version: '0.1.0',
  platform: 'Linux x64',
  standing: 'approved',
  draining: false,
  watching: [],
  encoders: [
    { name: 'hevc_vaapi', device: null, works: false, tenBit: false, hardware: true, reason: 'No device.', testedAt: now.toISOString() },
    { name: 'libx265', device: null, works: true, tenBit: true, hardware: false, reason: null, testedAt: now.toISOString() },
  ],
  hardware: { cpu: 'i3-1220P' },
  slots: 2,
  classes: [0],
  joinedAt: now,
  lastSeenAt: now,
  metrics: {},
  address: '192.168.1.20',
  code: null,
  askedAt: null,
  putOffUntil: null,
  decidedBy: null,
  paused: false,
  slotsWished: null,
  schedule: [],
  mbps: null,
  manners: {},
  tempBytes: 212e9,
  clockMs: 20,
  utcOffset: 0,
};

const facts: DetailFacts = {
  node: row,
  busy: 0,
  coordinator: { id: 'node-atlas', version: '0.1.0' },
  away: false,
  candidate: null,
  roots: [],
  speeds: [],
  now,
};

function detail(node: Partial<NodeRow>, more: Partial<DetailFacts> = {}) {
  return nodeDetail({ ...facts, ...more, node: { ...row, ...node } });
}
const warnings = (d: ReturnType<typeof detail>) => d.facts.filter((f) => f.warning).map((f) => f.label);
const value = (d: ReturnType<typeof detail>, label: string) => d.facts.find((f) => f.label === label)?.value;

describe('the state of a node', () => {
  test('is one word, and says why it begins nothing', () => {
    const night = [{ days: [1, 2, 3, 4, 5], from: '22:00', to: '07:00' }];
    const weekend = [{ days: [6], from: '00:00', to: '00:00' }];
    const cases: [Partial<NodeRow>, Partial<DetailFacts>, string, RegExp][] = [
      [{}, {}, 'Idle', /^$/],
      [{}, { busy: 1 }, 'Working', /^$/],
      [{ paused: true }, { busy: 1 }, 'Paused', /stands still/],
      [{ draining: true }, {}, 'Draining', /begins nothing new/],
      [{ draining: true }, { busy: 1 }, 'Working', /begins nothing new/],
      [{ schedule: night }, {}, 'Resting', /^Resting until 22:00$/],
      [{ schedule: weekend }, {}, 'Resting', /^Resting until Sat 00:00$/],
      [{ schedule: night, utcOffset: 11 * 60 }, {}, 'Idle', /^$/],
      [{ lastSeenAt: new Date(now.getTime() - 300_000) }, { away: true }, 'Away', /5 minutes ago/],
    ];
    for (const [node, more, word, note] of cases) {
      const found = detail(node, more);
      assert.equal(found.stateWord, word, JSON.stringify([node, more]));
      assert.match(found.note, note, JSON.stringify([node, more]));
    }
  });

  test('whoever serves the page or leads is here, whatever its row says', () => {
    const old = { id: 'a', lastSeenAt: new Date(now.getTime() - 61_000) };
    assert.equal(isAway(old, [null], now), true);
    assert.equal(isAway(old, ['a'], now), false);
    assert.equal(isAway({ ...old, lastSeenAt: new Date(now.getTime() - 60_000) }, [], now), false);
  });

  test('more runs than it has slots never shows more busy than there are', () => {
    assert.equal(nodeCard(row, 5, false, false, now).busy, 2);
  });
});

describe('what needs a look', () => {
  test('a clock that is off by more than thirty seconds', () => {
    assert.deepEqual(warnings(detail({ clockMs: 30_000 })), []);
    assert.deepEqual(warnings(detail({ clockMs: -30_001 })), ['Clock']);
    assert.equal(value(detail({ clockMs: -42_000 }), 'Clock'), '42\u00a0s behind');
    assert.equal(value(detail({ clockMs: 900 }), 'Clock'), 'in step');
  });

  test('another version than the coordinator has; the coordinator itself is the measure', () => {
    const says = (node: Partial<NodeRow>): string => detail(node).facts.find(({ label }) => label === 'Version')!.warning;
    assert.match(says({ version: '0.0.9' }), /^Older than the coordinator, which runs 0\.1\.0\. They work together; upgrade it/);
    assert.match(says({ version: '0.2.0' }), /^The coordinator runs 0\.1\.0, which is older\. They work together/);
    assert.match(
      says({ version: '0.9.0', speaks: { min: 7, max: 8 } }),
      /too old to work with this machine\. Upgrade the coordinator; it takes no work/,
    );
    assert.equal(detail({ version: '0.9.0', speaks: { min: 7, max: 8 } }).stateWord, 'Other version');
    assert.deepEqual(warnings(detail({ version: '0.2.0' })), ['Version']);
    assert.deepEqual(warnings(detail({ version: '0.2.0' }, { coordinator: null })), []);
    assert.deepEqual(warnings(detail({ version: '0.2.0' }, { coordinator: { id: row.id, version: '0.1.0' } })), []);
  });

  test('a workspace without room', () => {
    assert.deepEqual(warnings(detail({ tempBytes: 3e9 })), ['Free for temporary files']);
    assert.deepEqual(warnings(detail({ tempBytes: null })), []);
  });
});

describe('roles and paths', () => {
  const root = { rootId: 'r', path: '/srv/films', writable: true, problem: '', provedAt: now, libraries: ['Films'] };

  test('only a proved, writable path makes a keeper', () => {
    const badges = (change: object) => detail({}, { roots: [{ ...root, ...change }] }).badges.map((b) => b.text);
    assert.deepEqual(badges({}), ['Keeper of Films', 'Worker']);
    for (const change of [{ writable: false }, { provedAt: null }, { problem: 'The folder is not there.' }])
      assert.deepEqual(badges(change), ['Worker'], JSON.stringify(change));
  });

  test('a machine whose ffmpeg may open no film is no worker, though its encoders pass their tests', () => {
    const build: FfmpegBuild = {
      ...{ path: '/usr/bin/ffmpeg', from: 'configured', version: '5.1', release: [5, 1], year: 2022, encoders: ['libx265'] },
      ...{ decodes: { hevc: true, av1: true }, tenBit: true, lacks: [], problem: null },
      ffprobe: { path: '/usr/bin/ffprobe', version: '5.1', release: [5, 1], year: 2022, beside: true },
    };
    const told = (allowed: boolean) => detail({ ffmpeg: { builds: [build], used: 0, allowed } });
    assert.deepEqual(told(false).badges, []);
    assert.match(told(false).ffmpeg!.refused, /CVE-2022-2566/);
    assert.deepEqual(
      told(true).badges.map((b) => b.text),
      ['Worker'],
    );
  });

  test('each check of a path says what may happen there', () => {
    const line = (change: object) => detail({}, { roots: [{ ...root, ...change }] }).roots[0]!;
    assert.match(line({}).text, /Proved to be the same disk just now, readable and writable/);
    assert.match(line({ provedAt: null }).text, /it may be read, nothing is replaced there/);
    assert.equal(line({ provedAt: null }).state, 'unproved');
    assert.equal(line({ writable: false }).state, 'read-only');
    assert.deepEqual([line({ problem: 'Gone.' }).state, line({ problem: 'Gone.' }).text], ['problem', 'Gone.']);
  });

  test('the role can be handed only to another node that has the database now', () => {
    assert.equal(detail({}, { candidate: { fresh: true } }).canCoordinate, true);
    assert.equal(detail({}, { candidate: { fresh: false } }).canCoordinate, false);
    assert.equal(detail({}, { candidate: { fresh: true }, away: true }).canCoordinate, false);
    assert.equal(detail({}, { candidate: { fresh: true }, coordinator: { id: row.id, version: '0.1.0' } }).canCoordinate, false);
    assert.equal(detail({}).canCoordinate, false);
  });

  test('a working encoder comes first and carries its measured speed', () => {
    const tests = detail({}, { speeds: [{ encoder: 'libx265', pixelsPerSecond: 1920 * 1080 * 48, runs: 3 }] }).tests;
    assert.deepEqual(
      tests.map((t) => [t.label, t.speed, t.reason]),
      [
        ['HEVC x265', '48\u00a0fps at 1080p', ''],
        ['HEVC VAAPI', '', 'No device.'],
      ],
    );
  });
});

describe('who wants to join', () => {
  test('those put off, rejected and removed are not asked about again, the newest comes first', () => {
    const at = (minutes: number) => new Date(now.getTime() + minutes * 60_000);
    const list: NodeRow[] = [
      { ...row, id: 'old', standing: 'pending', askedAt: at(-20), code: '4F29KQ' },
      { ...row, id: 'new', standing: 'pending', askedAt: at(-2), code: 'ABCDEF' },
      { ...row, id: 'later', standing: 'pending', askedAt: at(-1), putOffUntil: at(30) },
      { ...row, id: 'again', standing: 'pending', askedAt: at(-30), putOffUntil: at(0) },
      { ...row, id: 'no', standing: 'rejected', askedAt: at(-5), decidedBy: 'anna', code: 'SECRET' },
      { ...row, id: 'member' },
      { ...row, id: 'gone', standing: 'revoked', askedAt: at(-40), decidedBy: 'otto' },
    ];
    const { pending, declined } = askingViews(list, now);
    assert.deepEqual(
      pending.map((a) => [a.id, a.code]),
      [
        ['new', 'ABC DEF'],
        ['old', '4F2 9KQ'],
        ['again', ''],
      ],
    );
    assert.deepEqual(
      declined.map((a) => [a.id, a.code]),
      [
        ['later', ''],
        ['no', ''],
        ['gone', ''],
      ],
    );
    assert.equal(declined[1]!.declined, 'Rejected by anna');
    assert.deepEqual([declined[2]!.declined, declined[2]!.removed], ['Removed by otto', true]);
    assert.match(declined[0]!.declined, /^Put off until \d\d:\d\d$/);
    assert.equal(pending[1]!.codeSpoken, '4 F 2 9 K Q');
  });
});

describe('the form of a node', () => {
  const form = (fields: [string, string][]) => readNodeForm(new URLSearchParams(fields));

  test('empty fields mean the setting of the cluster and every hour', () => {
    assert.deepEqual(form([]).wishes, { slots: null, mbps: null, schedule: [] });
    assert.deepEqual(
      form([
        ['slots', '0'],
        ['mbps', '200'],
      ]).wishes,
      { slots: 0, mbps: 200, schedule: [] },
    );
  });

  test('lines of hours become windows; empty lines between them fall away', () => {
    const { wishes } = form([
      ['days-0', '5'],
      ['days-0', '1'],
      ['from-0', '22:00'],
      ['to-0', '07:00:00'],
      ['from-1', ''],
      ['to-1', ''],
      ['days-2', '6'],
      ['from-2', '00:00'],
      ['to-2', '00:00'],
    ]);
    assert.deepEqual(wishes?.schedule, [
      { days: [1, 5], from: '22:00', to: '07:00' },
      { days: [6], from: '00:00', to: '00:00' },
    ]);
    assert.equal(hoursInWords(wishes?.schedule ?? []), 'Mon, Fri 22:00–07:00; Sat all day');
  });

  test('what is wrong is said beside its field and nothing is lost', () => {
    const typed = form([
      ['slots', '65'],
      ['mbps', '-1'],
      ['from-0', '22:00'],
      ['to-0', '25:00'],
      ['days-1', '9'],
      ['from-1', 'x'],
      ['to-1', ''],
    ]);
    assert.equal(typed.wishes, null);
    const page = nodeSettingsPage(row, [], { coordinator: false, now, typed });
    assert.deepEqual(
      page.problems.map((p) => p.id),
      ['f-slots', 'f-mbps', 'f-hours-0', 'f-hours-1'],
    );
    assert.match(page.rows[0]!.problem, /names no day.*ends at no time/);
    assert.deepEqual([page.slots, page.rows[0]!.from, page.rows[0]!.to], ['65', '22:00', '25:00']);
    assert.equal(page.rows.length, 3, 'and one empty line to fill in');
  });

  test('stored hours come back as they were typed, with one empty line', () => {
    const page = nodeSettingsPage({ ...row, schedule: [{ days: [0, 6], from: '08:00', to: '20:00' }] }, [], { coordinator: false, now });
    assert.deepEqual(
      page.rows[0]!.days.filter((d) => d.on).map((d) => d.short),
      ['Sat', 'Sun'],
    );
    assert.deepEqual(
      page.rows[1]!.days.filter((d) => d.on),
      [],
    );
  });
});

describe('join tokens', () => {
  test('the form wants a number of machines and of hours', () => {
    const read = (fields: Record<string, string>) =>
      readTokenForm(new URLSearchParams({ label: ' Attic ', uses: '3', hours: '24', ...fields }));
    assert.deepEqual(read({}).wish, { label: 'Attic', uses: 3, hours: 24 });
    for (const wrong of [{ uses: '0' }, { uses: '1001' }, { uses: '' }, { hours: '1.5' }, { hours: '9000' }, { label: 'x'.repeat(101) }]) {
      assert.equal(read(wrong as Record<string, string>).wish, null, JSON.stringify(wrong));
      assert.match(read(wrong as Record<string, string>).form.problem, /\.$/);
    }
  });

  test('what is left of it is told in words', () => {
    const token = { id: 't', label: '', usesLeft: 2, expiresAt: new Date(now.getTime() + 3_600_000), createdBy: 'anna', createdAt: now };
    const view = tokenView(token, now);
    assert.deepEqual([view.label, view.uses, view.until], ['Without a label', 'for 2 machines', '1\u00a0h left']);
  });
});

test('an encoder that is not used because of bad copies is shown with the reason and since when', () => {
  const params = { encoder: 'hevc_nvenc on 0', node: 'nuc', bad: 2, outputs: 4, cause: 'frames differ' };
  const since = new Date(now.getTime() - 3_600_000);
  const benched = { id: 7, encoder: 'hevc_nvenc', device: '0', reason: { code: 'encoder-benched', params }, since } as const;
  const [line, ...none] = detail({}, { benched: [benched] }).benched;
  assert.deepEqual(none, []);
  assert.deepEqual([line?.id, line?.label], [7, 'HEVC NVENC, 0']);
  assert.match(line!.why, /hevc_nvenc on 0 on nuc made 2 bad copies among its last 4, the last one: frames differ/);
  assert.deepEqual(detail({}).benched, []);
});
