import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { defaultEvents, noticeEventNames, noticeEvents } from './notice-events.ts';
import { isNewAddress, noticeOfActivity, noticeOfAudit } from './notice-facts.ts';
import { afterFailure, hears, lettersOf, quietUntil, restSeconds } from './notice-routing.ts';
import { cut, cutBytes, discordText, plainLine } from './notice-text.ts';
import { batchStep, diskStep, nodeStep, summaryStep } from './notice-watch.ts';
import { digestWords, noticeWords } from './notice-words.ts';

const night = { from: '22:00', until: '07:00' };
const midnight = Date.parse('2026-11-30T23:00:00Z');

suite('who is told', () => {
  const target = { events: ['job.failed'], enabled: true, createdAt: 1000 };

  test('a target hears of what it asked for, from when it was there, while it is switched on', () => {
    assert.equal(hears(target, { event: 'job.failed', lastAt: 1000 }), true);
    assert.equal(hears(target, { event: 'job.failed', lastAt: 999 }), false);
    assert.equal(hears(target, { event: 'node.back', lastAt: 2000 }), false);
    assert.equal(hears({ ...target, enabled: false }, { event: 'job.failed', lastAt: 2000 }), false);
  });

  test('a new target hears of failures, machines that are away, full disks, backups and security, and of nothing else', () => {
    assert.deepEqual(defaultEvents, [
      'job.failed',
      'node.offline',
      'node.pending',
      'disk.low',
      'backup.failed',
      'security.sign-in',
      'security.settings',
      'security.admin',
    ]);
  });

  test('quiet hours hold back everything but what is urgent', () => {
    for (const event of noticeEventNames)
      assert.equal(quietUntil(night, event, midnight, 'Europe/Berlin') === null, noticeEvents[event].urgent, event);
    assert.deepEqual(
      noticeEventNames.filter((event) => noticeEvents[event].urgent),
      ['node.pending', 'security.sign-in', 'security.settings', 'security.admin'],
    );
    assert.equal(quietUntil(null, 'job.failed', midnight, 'Europe/Berlin'), null);
  });

  test('three tries follow a failure, later each time, and a receiver that says when is listened to', () => {
    const no = { ok: false, says: 'busy', again: true } as const;
    assert.deepEqual(
      [1, 2, 3, 4].map((tries) => afterFailure(no, tries).seconds),
      [30, 120, 600, null],
    );
    assert.equal(afterFailure({ ...no, afterSeconds: 90 }, 1).seconds, 90);
    assert.equal(afterFailure({ ...no, afterSeconds: 1 }, 1).seconds, 30, 'it may not be hurried');
    assert.equal(afterFailure({ ...no, afterSeconds: 1e9 }, 1).seconds, 3600, 'nor be put off for ever');
    assert.equal(afterFailure({ ...no, again: false }, 1).seconds, null, 'what is wrong stays wrong');
  });

  test('a target where nothing gets through rests, an hour at most', () => {
    assert.deepEqual([0, 1, 2, 3, 4, 7, 1000].map(restSeconds), [0, 0, 0, 300, 600, 3600, 3600]);
  });

  test('what a night held back is one letter; everything else is one of its own, in its order', () => {
    const one = (id: number, state: 'waiting' | 'held' | 'failed', event = 'job.failed') => ({ id, state, event });
    const due = [one(4, 'waiting'), one(2, 'held'), one(3, 'held'), one(1, 'failed'), one(5, 'held', 'test')];
    assert.deepEqual(
      lettersOf(due).map((letter) => letter.map(({ id }) => id)),
      [[1], [2, 3], [4], [5]],
    );
    assert.deepEqual(lettersOf([]), []);
  });

  test('what piles up for a target is one letter, and while it fails one message alone finds out whether it is back', () => {
    const due = Array.from({ length: 400 }, (_, i) => ({ id: 400 - i, state: 'waiting' as const, event: i === 0 ? 'test' : 'job.failed' }));
    const sizes = (letters: { id: number }[][]): unknown[] => letters.map((letter) => [letter[0]!.id, letter.length]);
    assert.deepEqual(sizes(lettersOf(due)), [
      [1, 399],
      [400, 1],
    ]);
    assert.deepEqual(sizes(lettersOf(due, true)), [
      [1, 1],
      [2, 398],
      [400, 1],
    ]);
    assert.deepEqual(sizes(lettersOf(due.slice(-3))), [
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    assert.deepEqual(lettersOf([], true), []);
  });

  test('nothing that may happen thousands of times is a message each time', () => {
    assert.deepEqual(
      noticeEventNames.filter((event) => noticeEvents[event].gatherMinutes === 0),
      ['daily.summary'],
    );
  });
});

suite('what is a fact to be told', () => {
  test('a copy that saves too little is none, one that did not pass is', () => {
    assert.equal(noticeOfActivity({ kind: 'kept', severity: 0 }), null);
    assert.deepEqual(noticeOfActivity({ kind: 'kept', severity: 1 }), { fact: { event: 'replace.blocked' } });
  });

  test('a media server that is well again takes back what was about to be told of it', () => {
    const params = { source: 'House' };
    assert.deepEqual(noticeOfActivity({ kind: 'source-problem', params }), {
      fact: { event: 'source.failing', key: 'source.failing House' },
    });
    assert.deepEqual(noticeOfActivity({ kind: 'source-recovered', params }), { over: 'source.failing House' });
  });

  test('only what makes somebody an admin is told as that', () => {
    const told = (action: string, says?: string, result: 'ok' | 'refused' = 'ok') =>
      noticeOfAudit({ action, object: 'Ada', result, ...(says === undefined ? {} : { says }) }, 'Bob', '10.0.0.9')?.event ?? null;
    assert.equal(told('user added', 'admin'), 'security.admin');
    assert.equal(told('user added', 'viewer'), null);
    assert.equal(told('user changed', '{"role":"admin"}'), 'security.admin');
    assert.equal(told('user changed', '{"displayName":"\\"role\\":\\"admin\\""}'), null, 'a name that looks like it');
    assert.equal(told('user added', 'admin', 'refused'), null);
    assert.equal(told('token made', 'read, admin'), 'security.admin');
    assert.equal(told('token made', 'read, queue'), null);
    assert.equal(told('admin reset'), 'security.admin');
  });

  test('a new address is another one of IPv4, and another network of IPv6', () => {
    assert.equal(isNewAddress([], '10.0.0.9'), true);
    assert.equal(isNewAddress(['10.0.0.9'], '::ffff:10.0.0.9'), false);
    assert.equal(isNewAddress(['10.0.0.9'], '10.0.0.10'), true);
    assert.equal(isNewAddress(['2001:db8:1:2:aaaa::1'], '2001:0db8:1:2:bbbb:cccc:dddd:2'), false);
    assert.equal(isNewAddress(['2001:db8:1:2::1'], '2001:db8:1:3::1'), true);
    assert.equal(isNewAddress(['::1'], '0:0:0:0:0:0:0:1'), false);
  });
});

suite('watches', () => {
  const heard = (silentSeconds: number, watchedSeconds = 1000) => ({ silentSeconds, watchedSeconds, lastSeenAt: 42 });

  test('a machine is away after five minutes that somebody listened to, told once, and back when it is heard', () => {
    assert.equal(nodeStep(null, heard(300)).tell, null);
    assert.equal(nodeStep(null, heard(3000, 200)).tell, null, 'a coordinator that just began heard nobody yet');
    const away = nodeStep(null, heard(301));
    assert.deepEqual(away, { state: { away: true, since: 42 }, tell: 'node.offline' });
    assert.equal(nodeStep(away.state, heard(9000)).tell, null);
    assert.equal(nodeStep(away.state, heard(100)).state, null, 'between the two nothing is known');
    const back = nodeStep(away.state, heard(5, 0));
    assert.equal(back.tell, 'node.back');
    assert.equal(nodeStep(back.state, heard(301)).tell, 'node.offline');
  });

  test('a disk that goes up and down around its limit is told once', () => {
    const limitBytes = 100;
    let state: { low: boolean } | null = null;
    const told = [120, 99, 101, 99, 149, 99, 151, 99].map((freeBytes) => {
      const step = diskStep(state, { freeBytes, limitBytes });
      state = step.state ?? state;
      return step.tell !== null;
    });
    assert.deepEqual(told, [false, true, false, false, false, false, false, true]);
  });

  test('the queue is done when it was busy, is no more, and something was finished', () => {
    assert.equal(batchStep(null, { busy: false, atMs: 1, finished: 0 }).tell, null);
    const begun = batchStep({ since: null }, { busy: true, atMs: 5, finished: 0 });
    assert.deepEqual(begun, { state: { since: 5 }, tell: null });
    assert.deepEqual(batchStep(begun.state, { busy: true, atMs: 9, finished: 3 }), { state: null, tell: null });
    assert.deepEqual(batchStep(begun.state, { busy: false, atMs: 9, finished: 3 }), { state: { since: null }, tell: 'batch.finished' });
    assert.deepEqual(batchStep(begun.state, { busy: false, atMs: 9, finished: 0 }), { state: { since: null }, tell: null });
  });

  test('the summary comes once a local day, also when nobody was there at its hour', () => {
    const now = (day: string, minute: number) => ({ day, minute, hour: 8, atMs: 7 });
    assert.equal(summaryStep(null, now('2026-11-30', 900)).tell, null);
    const before = { day: '2026-11-30', at: 0 };
    assert.equal(summaryStep(before, now('2026-12-01', 479)).tell, null);
    assert.equal(summaryStep(before, now('2026-12-01', 480)).tell, 'daily.summary');
    assert.equal(summaryStep(before, now('2026-12-03', 1200)).tell, 'daily.summary');
    assert.equal(summaryStep({ day: '2026-12-01', at: 0 }, now('2026-12-01', 1200)).tell, null);
  });
});

suite('words', () => {
  const failed = { title: 'The Lucy Show S02 E14', jobId: 7, node: 'attic', reason: { code: 'lost-node' } };

  test('one failure names the film, the reason and the machine, and leads to its page', () => {
    const words = noticeWords({ event: 'job.failed', count: 1, items: [failed] });
    assert.equal(words.title, 'The Lucy Show S02 E14 could not be converted');
    assert.match(words.lines.join(' '), /On attic\. The original is untouched\./);
    assert.equal(words.path, '/jobs/7');
  });

  test('many failures are counted, five are named, and the rest is said', () => {
    const words = noticeWords({ event: 'job.failed', count: 38, items: Array.from({ length: 10 }, () => failed) });
    assert.equal(words.title, '38 files could not be converted');
    assert.equal(words.lines.length, 6);
    assert.equal(words.lines.at(-1), 'and 33 more.');
    assert.equal(words.path, '/history');
  });

  test('what a night held back is counted, and the worst of it decides how bad it is', () => {
    const words = digestWords([
      { event: 'batch.finished', count: 1, items: [{ done: 3 }] },
      { event: 'job.failed', count: 2, items: [failed, failed] },
    ]);
    assert.deepEqual(words.lines, ['• The queue is done: 3 files converted', '• 2 files could not be converted']);
    assert.equal(words.level, 'problem');
  });

  test('whatever stands in a fact, every event becomes one line without control characters or turned writing', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom('\u202egpj.exe', 'a\r\nBcc: x@y', '@everyone', '\0', '\ud800'),
    );
    const item = fc.dictionary(
      fc.constantFrom(
        'title',
        'name',
        'node',
        'source',
        'who',
        'address',
        'agent',
        'object',
        'action',
        'library',
        'what',
        'why',
        'jobId',
        'nodeId',
        'reason',
      ),
      fc.oneof(hostile, fc.constant(null), fc.double(), fc.record({ code: hostile, params: fc.dictionary(fc.string(), hostile) })),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...noticeEventNames, 'test', 'from.the-future'),
        fc.integer({ min: 1, max: 99 }),
        fc.array(item, { maxLength: 10 }),
        (event, count, items) => {
          const { title, lines, path } = noticeWords({ event, count, items });
          for (const text of [title, ...lines]) {
            assert.doesNotMatch(text, /[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u);
            assert.ok(text.isWellFormed() && text.length > 0);
          }
          assert.match(path, /^\/[\w/%.!~*'()-]*$/);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('a text that is too long is cut at a whole character and says how much is missing', () => {
    assert.equal(cut('short', 256), 'short');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), fc.integer({ min: 40, max: 300 }), (text, limit) => {
        const [short, bytes] = [cut(text, limit), cutBytes(text, limit)];
        assert.ok(short.length <= limit && Buffer.byteLength(bytes) <= limit);
        for (const one of [short, bytes]) {
          const missing = /^(.*)… \((\d+) more\)$/su.exec(one);
          if (missing && one !== text) assert.equal(missing[1]!.length + Number(missing[2]), text.length);
          else assert.equal(one, text);
        }
        if (text.isWellFormed()) assert.ok(short.isWellFormed() && bytes.isWellFormed());
      }),
    );
  });

  test('a name cannot format, link, mention or break out at Discord', () => {
    assert.equal(
      discordText('**x** [a](https://evil.example) <@1> @everyone `b`'),
      String.raw`\*\*x\*\* \[a\]\(https\://evil.example\) \<\@1\> \@everyone \`b\``,
    );
    assert.equal(plainLine('a\nb\u202ec'), String.raw`a\nb\u{202e}c`);
  });
});
