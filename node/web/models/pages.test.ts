import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { defaultProfile } from '../../core/profile.ts';
import { activityText } from './activity.ts';
import { codecBar } from './codec-bar.ts';
import { csvLine } from './csv.ts';
import { differences } from './differences.ts';
import { dailyChart } from './history.ts';
import { commandLine, jobActions, stateWords, timeline, type JobFacts } from './job.ts';
import { listQuery, readListState } from './list-state.ts';
import { profileFields } from '../../core/profile-fields.ts';
import { fieldValues, readLibraryForm, rulesInWords } from './profile-form.ts';
import { changeLine, readChanges, settingFields, valueWords } from './settings.ts';

const now = new Date('2026-11-22T12:00:00');

describe('what a job says about itself', () => {
  const facts: JobFacts = {
    state: 'available',
    outcome: null,
    paused: false,
    cancelRequested: false,
    retryAt: null,
    failures: 0,
    maxFailures: 3,
    priority: 'normal',
    reason: null,
    nodeName: 'atlas',
    attemptState: null,
    trashUntil: null,
    queuePaused: false,
  };

  test('every state has a word and says what happens next', () => {
    const cases: [Partial<JobFacts>, string, RegExp][] = [
      [{}, 'Waiting', /as soon as/],
      [{ queuePaused: true }, 'Waiting', /paused/],
      [{ retryAt: new Date('2026-11-22T15:00:00'), failures: 1 }, 'Waiting', /Tried 1 of 3 times\. It is tried again at 15:00/],
      [{ retryAt: new Date('2026-11-23T15:00:00'), failures: 1 }, 'Waiting', /15:00 on Mon 23 Nov/],
      [{ state: 'running', attemptState: 'running' }, 'Running', /on atlas.*untouched/],
      [{ state: 'running', attemptState: 'running', phase: 'fetching' }, 'Fetching', /atlas fetches the film over the network/],
      [{ state: 'running', attemptState: 'running', phase: 'waiting' }, 'Fetched', /on atlas already and waits there for a free slot/],
      [{ state: 'running', paused: true }, 'Paused', /goes on where it was/],
      [{ state: 'running', cancelRequested: true }, 'Stopping', /being stopped/],
      [{ state: 'running', attemptState: 'delivering' }, 'Running', /from atlas/],
      [{ state: 'running', attemptState: 'verifying' }, 'Checking', /decoded and compared/],
      [
        { state: 'running', attemptState: 'verifying', reason: { code: 'playing', params: { source: 'Den', who: 'ada', how: 'plays' } } },
        'Waits to replace',
        /passed every check\. ada plays it on Den; it is replaced once nobody does\./,
      ],
      [{ state: 'running', attemptState: 'replacing' }, 'Replacing', /passed every check/],
      [{ state: 'completed', outcome: 'replaced', trashUntil: new Date('2026-12-05T12:00:00') }, 'Finished', /until Sat 5 Dec/],
      [{ state: 'completed', outcome: 'replaced' }, 'Finished', /no longer in the trash/],
      [
        { state: 'completed', outcome: 'kept', reason: { code: 'small-saving', params: { saved: 4, limit: 10 } } },
        'Kept original',
        /only 4 % smaller/,
      ],
      [{ state: 'completed', outcome: 'restored' }, 'Restored', /put back/],
      [{ state: 'failed', failures: 3 }, 'Failed', /Tried 3 of 3 times.*untouched/],
      [{ state: 'held' }, 'Held', /until you decide/],
      [{ state: 'cancelled' }, 'Cancelled', /untouched/],
    ];
    for (const [change, word, next] of cases) {
      const words = stateWords({ ...facts, ...change }, now);
      assert.equal(words.word, word, JSON.stringify(change));
      assert.match(words.next, next, JSON.stringify(change));
    }
  });

  test('nothing can be stopped while the new file takes its place, and undo exists only while the original does', () => {
    assert.deepEqual(jobActions({ ...facts, state: 'running', attemptState: 'replacing' }, now), []);
    assert.deepEqual(jobActions({ ...facts, state: 'running', attemptState: 'verifying' }, now), ['cancel']);
    assert.deepEqual(jobActions({ ...facts, state: 'running', attemptState: 'running' }, now), ['pause', 'cancel']);
    assert.deepEqual(jobActions({ ...facts, state: 'running', attemptState: 'running', paused: true }, now), ['resume', 'cancel']);
    const doubted = { ...facts, state: 'completed', outcome: 'replaced', trashUntil: new Date('2026-11-01') } as const;
    const bad = { ...doubted, doubt: { bad: true, why: { code: 'pictures-differ', params: { at: '0:01:00' } } } } as const;
    assert.deepEqual(jobActions(bad, now), ['restore', 'accept'], 'also when its time in the trash is over');
    assert.match(stateWords(bad, now).next, /does not show what the original shows at 0:01:00/);
    assert.deepEqual(jobActions({ ...doubted, doubt: { bad: false, why: null } }, now), ['restore']);
    assert.deepEqual(jobActions(doubted, now), []);
    assert.deepEqual(jobActions({ ...facts, state: 'completed', outcome: 'replaced', trashUntil: new Date('2026-11-22T12:00:01') }, now), [
      'restore',
    ]);
    assert.deepEqual(jobActions({ ...facts, state: 'completed', outcome: 'replaced', trashUntil: now }, now), []);
  });

  test('the steps end where the job ended', () => {
    const at = (minute: number) => new Date(now.getTime() + minute * 60_000);
    const base = {
      foundAt: at(0),
      queuedAt: at(1),
      startedAt: at(5),
      encodedAt: at(25),
      endedAt: at(30),
      state: 'completed' as const,
      outcome: 'replaced' as const,
      attemptState: 'succeeded' as const,
    };
    assert.deepEqual(
      timeline(base).map((s) => [s.name, s.state, s.took]),
      [
        ['Found', 'done', '60\u00a0s'],
        ['Waiting', 'done', '4\u00a0min'],
        ['Encoding', 'done', '20\u00a0min'],
        ['Checking', 'done', '5\u00a0min'],
        ['Replaced', 'done', null],
      ],
    );
    const failed = timeline({ ...base, state: 'failed', outcome: null, encodedAt: null, attemptState: 'failed' });
    assert.deepEqual(
      failed.map((s) => s.state),
      ['done', 'done', 'stopped', 'next', 'next'],
    );
    assert.deepEqual(
      timeline({ ...base, state: 'available', outcome: null, startedAt: null, encodedAt: null, endedAt: null, attemptState: null }).map(
        (s) => s.state,
      ),
      ['done', 'current', 'next', 'next', 'next'],
    );
  });

  test('a command can be copied: a shell reads back the same arguments', () => {
    assert.equal(
      commandLine('ffmpeg', ['-i', "file:/a/It's here.mkv", '$(rm -rf /)', '']),
      `ffmpeg -i 'file:/a/It'\\''s here.mkv' '$(rm -rf /)' ''`,
    );
  });
});

describe('the state of a list', () => {
  const states = ['waiting', 'failed'];
  test('survives its own URL', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 100 }),
        fc.integer({ min: 1, max: 1e9 }),
        fc.constantFrom('high', 'normal', 'low', null),
        (search, lib, priority) => {
          const state = readListState(
            new URLSearchParams({ state: 'failed', q: search, lib: String(lib), ...(priority ? { priority } : {}) }),
            states,
          );
          const query = new URLSearchParams(Object.entries(listQuery(state, 'waiting')).flatMap(([k, v]) => (v ? [[k, String(v)]] : [])));
          assert.deepEqual(readListState(query, states), state);
        },
      ),
    );
  });
  test('drops what makes no sense instead of failing', () => {
    const state = readListState(
      new URLSearchParams('state=__proto__&lib=1e3&priority=urgent&format=%00&reason=<b>&q=%20%00%20&after=a/b&before=%22'),
      states,
    );
    assert.deepEqual(state, {
      state: 'waiting',
      search: null,
      libraryId: null,
      codec: null,
      priority: null,
      reason: null,
      after: null,
      before: null,
    });
  });
  test('goes on after or before a row, never both', () => {
    const state = readListState(new URLSearchParams('after=abc&before=def'), states);
    assert.deepEqual([state.after, state.before], ['abc', null]);
  });
});

describe('changes that a page would show', () => {
  test('are counted as the fewest rows that are new, gone or moved', () => {
    assert.equal(differences([], []), 0);
    assert.equal(differences(['a', 'b', 'c'], ['a', 'b', 'c']), 0);
    assert.equal(differences(['a', 'b', 'c'], ['c', 'a', 'b']), 1, 'one moved to the top');
    assert.equal(differences(['a', 'b', 'c'], ['b', 'c', 'd']), 1, 'one left and another one came up');
    assert.equal(differences(['a', 'b'], []), 2);
    assert.equal(differences(['a', 'b', 'c'], ['c', 'b', 'a']), 2);
  });
});

describe('CSV', () => {
  test('a name that a spreadsheet would run as a formula is only text', () => {
    for (const evil of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', ' =1', '\u200b=1', '\u202e=1', '＝1']) {
      assert.match(csvLine([evil]), /^"?'/, JSON.stringify(evil));
    }
    assert.equal(csvLine(['=HYPERLINK("http://evil","x")']), `"'=HYPERLINK(""http://evil"",""x"")"\r\n`);
  });
  test('numbers stay numbers and everything can be read back', () => {
    assert.equal(
      csvLine([-5, null, 'plain', 'a,b', 'say "hi"', 'two\nlines', new Date(0)]),
      `-5,,plain,"a,b","say ""hi""","two\nlines",1970-01-01T00:00:00.000Z\r\n`,
    );
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 6 }), (cells) => {
        const line = csvLine(cells);
        assert.ok(line.endsWith('\r\n'));
        assert.equal(parse(line).length, cells.length);
      }),
    );
  });

  function parse(line: string): string[] {
    const cells: string[] = [];
    let cell = '';
    let quoted = false;
    for (let i = 0; i < line.length - 2; i++) {
      const c = line[i]!;
      if (quoted && c === '"' && line[i + 1] === '"') {
        cell += '"';
        i++;
      } else if (c === '"') {
        quoted = !quoted;
      } else if (c === ',' && !quoted) {
        cells.push(cell);
        cell = '';
      } else {
        cell += c;
      }
    }
    return [...cells, cell];
  }
});

describe('the rules of a library', () => {
  const valid = (): URLSearchParams => {
    const form = new URLSearchParams({ name: 'Films', priority: 'high', enabled: 'on' });
    for (const [key, value] of Object.entries(fieldValues(defaultProfile, null))) for (const each of [value].flat()) form.append(key, each);
    return form;
  };

  test('the form gives back exactly the profile that it showed', () => {
    const result = readLibraryForm(valid());
    assert.deepEqual(result, { profile: defaultProfile, name: 'Films', enabled: true, priority: 'high', problems: {} });
  });

  test('every field of the profile is on the form, and every number has its limits checked', () => {
    assert.deepEqual(profileFields.map((f) => f.key).toSorted(), Object.keys(defaultProfile).toSorted());
    for (const field of profileFields.filter((f) => f.type === 'integer' || f.type === 'number')) {
      for (const bad of ['', 'abc', String(field.min! - 1), String(field.max! + 1), '1e999', 'NaN']) {
        const form = valid();
        form.set(field.key, bad);
        assert.ok(readLibraryForm(form).problems[field.key], `${field.key} = "${bad}"`);
      }
    }
  });

  test('a choice that does not exist and a name that is too long are refused', () => {
    const form = valid();
    form.set('speed', 'ludicrous');
    form.set('name', 'x'.repeat(201));
    form.set('priority', 'urgent');
    assert.deepEqual(Object.keys(readLibraryForm(form).problems).toSorted(), ['name', 'priority', 'speed']);
  });

  test('in words they say what is left alone', () => {
    const words = rulesInWords({ ...defaultProfile, minSizeMb: 1500, hdr: 'skip', exclude: ['Extras/**'] }).join(' ');
    for (const part of ['quality 22', '10 % smaller', 'under 1500 MB', 'HDR10', 'Dolby Vision', 'Extras/**'])
      assert.ok(words.includes(part), part);
  });
});

describe('settings', () => {
  const effective = { 'jobs.maxFailures': 5, 'jobs.atOnce': 1 };
  const stored = [{ key: 'jobs.maxFailures', value: 5, version: 2 }];
  const facts = { stored, effective, env: {} };
  const field = (key: string, more: object = {}) => settingFields('jobs', { ...facts, ...more }).find((f) => f.key === key)!;

  test('a field knows its default, its limits and whether it was changed', () => {
    assert.deepEqual(
      [
        field('jobs.maxFailures').value,
        field('jobs.maxFailures').changed,
        field('jobs.maxFailures').defaultWords,
        field('jobs.maxFailures').limits,
      ],
      ['5', true, '3', '1 to 10'],
    );
    assert.equal(field('jobs.atOnce').changed, false);
  });

  test('only what a person changed is asked for, with the version that was seen', () => {
    const form = new URLSearchParams({
      'v:jobs.maxFailures': '2',
      'was:jobs.maxFailures': '5',
      'jobs.maxFailures': '4',
      'v:jobs.atOnce': '0',
      'was:jobs.atOnce': '1',
      'jobs.atOnce': '1',
    });
    assert.deepEqual(readChanges('jobs', form, facts), [{ key: 'jobs.maxFailures', value: 4, version: 2 }]);
  });

  test('what was typed stays in the field after a mistake, with the version it was typed for', () => {
    const typed = new URLSearchParams({ 'v:jobs.maxFailures': '1', 'was:jobs.maxFailures': '5', 'jobs.maxFailures': 'many' });
    const shown = field('jobs.maxFailures', { typed, problems: [{ key: 'jobs.maxFailures', problem: 'must be a number' }] });
    assert.deepEqual([shown.value, shown.version, shown.problem, shown.theirs], ['many', 1, 'Tries per file must be a number.', null]);
    assert.deepEqual(readChanges('jobs', typed, facts), [{ key: 'jobs.maxFailures', value: 'many', version: 1 }]);
  });

  test('a conflict shows both values and lets the person decide with the version now seen', () => {
    const typed = new URLSearchParams({ 'v:jobs.maxFailures': '1', 'was:jobs.maxFailures': '3', 'jobs.maxFailures': '4' });
    const shown = field('jobs.maxFailures', {
      typed,
      problems: [{ key: 'jobs.maxFailures', problem: 'was changed by somebody else', current: 5 }],
    });
    assert.deepEqual([shown.value, shown.theirs, shown.typedWords, shown.version, shown.was], ['4', '5', '4', 2, '5']);
  });

  test('the environment decides where it is set, and then the form asks for nothing', () => {
    const env = { CODECSHIFT_MAX_FAILURES: '7' };
    assert.equal(field('jobs.maxFailures', { env }).override, 'CODECSHIFT_MAX_FAILURES');
    assert.deepEqual(
      readChanges('jobs', new URLSearchParams({ 'v:jobs.maxFailures': '2', 'was:jobs.maxFailures': '5', 'jobs.maxFailures': '4' }), {
        ...facts,
        env,
      }),
      [],
    );
  });

  test('hidden settings are neither shown nor changed by the form', () => {
    assert.ok(!settingFields('general', facts).some((f) => f.key === 'queue.paused'));
    assert.deepEqual(readChanges('general', new URLSearchParams({ 'v:queue.paused': '0', 'queue.paused': 'on' }), facts), []);
  });

  test('a change reads as words, also one of a key that nobody knows any more', () => {
    const line = changeLine({ key: 'queue.order', oldValue: null, newValue: 'oldest', at: now, by: 'x', via: 'cli' });
    assert.deepEqual(
      [line.label, line.before, line.after, line.via],
      ['Order of the queue', 'Biggest saving first', 'Longest in the library first', 'on the command line'],
    );
    assert.equal(changeLine({ key: 'gone.key', oldValue: null, newValue: { a: 1 }, at: now, by: 'x', via: 'page' }).after, '{"a":1}');
    assert.equal(valueWords({}, null), 'not set');
  });
});

describe('history', () => {
  test('the chart has every day once, the last one open, and says what it shows', () => {
    const chart = dailyChart(
      [
        { day: '2026-11-20', replaced: 2, kept: 0, failed: 0, bytesIn: 10e9, bytesOut: 4e9 },
        { day: '2026-11-21', replaced: 1, kept: 0, failed: 0, bytesIn: 3e9, bytesOut: 1e9 },
      ],
      30,
      now,
    );
    assert.equal(chart.bars.length, 30);
    assert.equal(new Set(chart.days.map((d) => d.date.toISOString().slice(0, 10))).size, 30);
    assert.ok(chart.bars.at(-1)!.open);
    assert.match(chart.sentence, /^8.* reclaimed from 3 files .*most of it on Fri 20 Nov/);
    assert.match(dailyChart([], 30, now).sentence, /^No file/);
  });

  test('every kind of event that the coordinator writes has a sentence of its own', () => {
    const here = path.join(import.meta.dirname, '../../coordinator');
    const sources = readdirSync(here).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    const text = sources.map((name) => readFileSync(path.join(here, name), 'utf8')).join('\n');
    const written = [...text.matchAll(/kind: (?:\w+ \? )?'([a-z-]+)'(?: : '([a-z-]+)')?/g)].flatMap((m) => [m[1]!, m[2] ?? m[1]!]);
    const changed = ['moved-top', 'moved-end', 'priority-high', 'priority-normal', 'priority-low', 'removed', 'queue-cleared'];
    // what is signed, what is found on the network and what is signed in at has a kind too, and is no event
    const others = ['certificate', 'members', 'ticket', 'plex'];
    const kinds = new Set([...written.filter((kind) => !others.includes(kind)), ...changed]);
    assert.ok(kinds.size > 20, `${kinds.size} kinds were found in the sources`);
    for (const kind of kinds) {
      const bare = kind[0]!.toUpperCase() + kind.slice(1).replaceAll('-', ' ');
      const words = activityText({ kind, params: { title: 'Metropolis 1927', name: 'Films', library: 'Films', count: 3, enabled: false } });
      assert.notEqual(words, bare, `${kind} has no sentence`);
      assert.doesNotMatch(words, /undefined|null|\[object|“”|  /, kind);
    }
    assert.equal(activityText({ kind: 'moved-top', params: { count: 1 } }), '1 file moved to the top of the queue');
    assert.equal(
      activityText({ kind: 'library-changed', params: { library: 'Films', name: 'Cinema', priority: 'high', profile: '{}' } }),
      'The library “Films” is called “Cinema” now, has high priority and has new rules',
    );
  });

  test('an event of an unknown kind still reads as words, and what it carries cannot pretend to be something else', () => {
    assert.equal(activityText({ kind: 'node-joined', params: {} }), 'Node joined');
    assert.equal(
      activityText({ kind: 'kept', params: { reason: 'small-saving', title: 'X' } }),
      '“X” keeps its original: saving too small',
    );
    assert.equal(activityText({ kind: '', params: { reason: 'constructor' } }), 'Something happened');
  });
});

describe('the bar of a library', () => {
  test('is as long as the library was, and what was won is its end', () => {
    const bar = codecBar([
      { status: 'done', codec: 'hevc', files: 2, bytes: 40, originalBytes: 100 },
      { status: 'queued', codec: 'h264', files: 1, bytes: 60, originalBytes: 60 },
      { status: 'missing', codec: 'h264', files: 1, bytes: 999, originalBytes: 999 },
      { status: 'queued', codec: 'vc1', files: 1, bytes: 5, originalBytes: 5 },
    ]);
    assert.deepEqual(
      bar.parts.map((p) => [p.tone, p.value]),
      [
        ['jade', 40],
        ['amber', 60],
        ['mauve', 5],
        ['free', 60],
      ],
    );
    assert.deepEqual([bar.total, bar.reclaimedBytes], [165, 60]);
    assert.deepEqual(codecBar([]).parts, []);
  });
});
