import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PathProof } from '../../core/commands.ts';
import { isProved } from '../../core/source-proof.ts';
import type { SourceMessage } from '../../db/source-messages.ts';
import { readScanningForm, scanningForm } from './library-source.ts';
import { signInPage, triedView } from './source-add.ts';
import { messageLine } from './source-messages.ts';
import { hookWords, isCovered, removeWords } from './source-page.ts';
import { proofView, proposedRows, readRules, rootChoices } from './source-paths.ts';
import { isReadableOnTheWay, kindChoices, messagesWords, shownAddress, sourceState } from './sources.ts';

const now = new Date('2026-11-30T12:00:00');
const root = '0123abcd-0000-4000-8000-0123456789ab';
const roots = [{ id: root, label: 'Films' }];

describe('how it stands with a server', () => {
  const well = { name: 'Attic', enabled: true, signedIn: true, problem: null, problemSince: null, checkedAt: now };
  const word = (change: object): string => sourceState({ ...well, ...change }, now).word;
  test('is said in a word, and what is wrong in a sentence', () => {
    assert.deepEqual(sourceState(well, now), { word: 'Connected', tone: 'good', why: '' });
    assert.equal(word({ checkedAt: null }), 'Not asked yet');
    assert.equal(word({ enabled: false, problem: { code: 'source-away' } }), 'Switched off');
    assert.equal(word({ signedIn: false }), 'Sign in again');
    for (const code of ['source-refuses', 'secret-lost']) assert.equal(word({ problem: { code } }), 'Sign in again');
    assert.equal(word({ problem: { code: 'source-is-another', params: { source: 'Attic' } } }), 'Another server answers');
    const away = {
      problem: { code: 'source-away' as const, params: { source: 'Attic', message: 'refused' } },
      problemSince: new Date(now.getTime() - 3 * 86_400_000),
    };
    assert.deepEqual(sourceState({ ...well, ...away }, now), {
      word: 'Away for 3 days',
      tone: 'warn',
      why: 'Attic does not answer: refused.',
    });
    assert.match(word({ ...away, problemSince: new Date(now.getTime() - 60_000) }), /^Away since \d\d:\d\d$/);
  });

  test('its address is shown without what somebody put before the host or behind the path', () => {
    assert.equal(shownAddress('https://user:pass@plex.lan:32400/base/?X-Plex-Token=abc#x'), 'https://plex.lan:32400/base');
    assert.equal(shownAddress('nonsense'), '');
    const readable = ['http://192.168.1.4:32400', 'http://127.0.0.1:32400', 'http://localhost:8096/base', 'https://plex.lan:32400', ''];
    assert.deepEqual(readable.map(isReadableOnTheWay), [true, false, false, false, false]);
  });

  test('messages are counted once: what ought to be confirmed is part of what is open', () => {
    assert.equal(messagesWords({ telling: 3, unconfirmed: 1 }), '2 messages wait, 1 not confirmed');
    assert.equal(messagesWords({ telling: 0, unconfirmed: 0 }), '');
  });
});

describe('paths', () => {
  test('a prefix ends at a border of folders; Windows paths are the same in any case', () => {
    const rules = ['/data/movies', 'O:\\Films'].map((prefix) => ({ prefix, rootId: root, folder: '' }));
    for (const path of ['/data/movies', '/data/movies/a', 'o:\\films\\B', 'O:/Films']) assert.ok(isCovered(path, rules), path);
    for (const path of ['/data/movies2', '/Data/movies', '/data', 'O:\\Films2']) assert.ok(!isCovered(path, rules), path);
  });

  const form = (rows: [string, string, string][]): URLSearchParams =>
    new URLSearchParams(
      rows.flatMap(([prefix, id, folder], n) => [
        [`prefix-${n}`, prefix],
        [`root-${n}`, id],
        [`folder-${n}`, folder],
      ]),
    );

  test('rows become rules; emptied rows go, undecided ones stay in the form', () => {
    const { rules, rows } = readRules(
      form([
        ['/data/movies', root, '\\A\\ B//'],
        ['', root, 'x'],
        ['/data/tv', '', ''],
      ]),
      roots,
    );
    assert.deepEqual(rules, [{ prefix: '/data/movies', rootId: root, folder: 'A/ B' }]);
    assert.deepEqual(
      rows.map((row) => row.prefix),
      ['/data/movies', '/data/tv', ''],
    );
  });

  test('what makes no sense is said at its row, and nothing becomes a rule', () => {
    for (const [rows, said] of [
      [[['/a', root, '../x']], /“\.\.”/],
      [[['/a', 'elsewhere', '']], /which library root/],
      [
        [
          ['/a', root, ''],
          ['/a', root, 'b'],
        ],
        /two rows/,
      ],
      [[['/a', root, 'x\0']], /character/],
      [[[`/${'a'.repeat(1000)}`, root, '']], /1,000/],
    ] as const) {
      const { rules, rows: shown } = readRules(form(rows as never), roots);
      assert.equal(rules, null);
      assert.match(shown[0]!.problem, said);
    }
  });

  test('what is saved stands before what is guessed, and a guess says what it rests on', () => {
    const saved = [{ prefix: '/a', rootId: root, folder: '' }];
    const rows = proposedRows(saved, [
      { ...saved[0]!, matched: 9, of: 20 },
      { prefix: '/b', rootId: root, folder: 'B', matched: 1, of: 20 },
      { prefix: '/c', rootId: '', folder: '', matched: 0, of: 0 },
    ]);
    assert.deepEqual(
      rows.map((row) => [row.n, row.prefix, row.matched]),
      [
        [0, '/a', ''],
        [1, '/b', '1 of 20 sample files points there'],
        [2, '/c', 'Nothing could be guessed: no file of it is known here by name and size.'],
        [3, '', ''],
      ],
    );
  });

  const node: PathProof['nodes'][number] = { nodeId: 'n', name: 'atlas', found: 20, otherSize: 0, of: 20, problem: null };
  const proof = (...nodes: Partial<typeof node>[]): PathProof => ({
    prefix: '/a',
    rootId: root,
    folder: '',
    nodes: nodes.map((n) => ({ ...node, ...n })),
    samples: [{ path: '/a/\u202ex.mkv', file: 'x.mkv', state: 'other-size' }],
  });
  test('a row is proved when one machine has every sample, and no machine another file in its place', () => {
    assert.ok(isProved(proof({})));
    assert.ok(isProved(proof({}, { found: 18, name: 'a copy that lags behind' })));
    assert.ok(isProved(proof({}, { found: 0, problem: 'does not answer' })));
    assert.ok(!isProved(proof({ found: 19 })));
    assert.ok(!isProved(proof({}, { found: 19, otherSize: 1 })));
    assert.ok(!isProved(proof({ of: 0, found: 0 })));
    assert.ok(!isProved(proof({ problem: 'does not answer' })));
    assert.ok(!isProved(proof()));
    const view = proofView(proof({}, { found: 15, otherSize: 2 }));
    assert.deepEqual(
      view.nodes.map((n) => n.words),
      ['all 20 sample files found, each with the same size', '15 of 20 found, 2 with another size, 3 missing'],
    );
    assert.equal(view.samples[0]!.path, '/a/\\u{202e}x.mkv', 'what would turn the writing round is written out');
  });

  test('a root is named by its libraries and by where a machine has it', () => {
    const choices = rootChoices(
      [
        { rootId: 'r1', path: '/srv/films', node: 'atlas' },
        { rootId: 'r1', path: 'D:\\f', node: 'nuc' },
      ],
      [
        { rootId: 'r1', name: 'Films' },
        { rootId: 'r2', name: 'TV' },
      ],
    );
    assert.deepEqual(choices, [
      { id: 'r1', label: 'Films (/srv/films on atlas)' },
      { id: 'r2', label: 'TV (on no machine that is here now)' },
    ]);
  });
});

test('every state of a message has its sentence, and only what may be told again offers it', () => {
  const base: SourceMessage = {
    ...{
      id: 1,
      sourceId: 2,
      source: 'Attic',
      sourceKind: 'plex',
      title: 'Metropolis',
      detail: '1927',
      fileId: 3,
      jobId: 4,
      kind: 'replaced',
    },
    ...{ libraryKey: '1', folder: '/a', ref: '9', state: 'waiting', tries: 0, nextAt: new Date(now.getTime() + 60_000), reason: null },
    ...{ createdAt: now, toldAt: null, endedAt: null },
    before: { path: '', size: null, codec: null, added: null, watched: null },
    after: { path: '', size: 1, codec: null },
  };
  const line = (change: Partial<SourceMessage>) => messageLine({ ...base, ...change }, now);
  assert.deepEqual([line({}).text, line({}).again], ['Attic is told of the new file in a moment.', false]);
  const away = line({ tries: 2, reason: { code: 'source-away', params: { source: 'Attic' } } });
  assert.match(away.text, /^Attic is to be told of the new file\. Attic does not answer\. It is told again at \d\d:\d\d\.$/);
  assert.ok(away.again);
  assert.match(line({ state: 'told', toldAt: now }).text, /^Attic was told; it has not shown the new file yet\. It is asked again at/);
  assert.deepEqual([line({ state: 'confirmed' }).text, line({ state: 'confirmed' }).word], ['Attic shows the new file.', 'confirmed']);
  const stale = line({ state: 'unconfirmed', nextAt: new Date(now.getTime() + 86_400_000) });
  assert.deepEqual([stale.word, stale.tone, stale.again], ['not confirmed yet', 'warn', true]);
  assert.match(line({ state: 'told', nextAt: new Date(now.getTime() + 86_400_000) }).text, /asked again on Tue 1 Dec at/);
  assert.ok(!line({ state: 'dropped' }).again);
});

describe('adding a server', () => {
  test('a long code is not shown to be typed, and only web addresses become links', () => {
    const begun = { url: 'https://app.plex.tv/auth#?code=x', code: '8lzjqnq8lye02n52jq3fqxf8e', expiresAt: now.getTime() };
    const page = signInPage('a', begun, { state: 'waiting' });
    assert.deepEqual([page.code, page.plexHref], ['', begun.url]);
    assert.equal(signInPage('a', { ...begun, url: 'javascript:alert(1)' }, { state: 'waiting' }).plexHref, null);
    assert.equal(signInPage('a', { ...begun, code: 'W7QK' }, { state: 'waiting' }).code, 'W7QK');
    assert.equal(signInPage('a', null, { state: 'expired' }).plexHref, null);
  });

  test('one’s own servers come first, and addresses carry nothing secret', () => {
    const server = { id: 's', name: 'Grandma', version: '1.40', owned: false, addresses: ['https://a.plex.direct:32400?X-Plex-Token=t'] };
    const page = signInPage('a', null, {
      state: 'signed-in',
      account: 'ada',
      servers: [server, { ...server, id: 'o', name: '', owned: true }],
    });
    assert.deepEqual(
      page.servers.map((s) => s.id),
      ['o', 's'],
    );
    assert.deepEqual(page.servers[0]!.addresses, ['https://a.plex.direct:32400']);
    assert.equal(page.servers[0]!.name, 'A server without a name');
  });

  test('who answered is said with its libraries, bounded', () => {
    const libraries = Array.from({ length: 14 }, (_, n) => ({ key: String(n), title: `L${n}`, kind: 'movies', folders: ['/a'], items: 3 }));
    const view = triedView({ draft: 'd', identity: 'i', name: 'nas', version: '10.11', libraries }, '', 'jellyfin');
    assert.deepEqual([view.name, view.said, view.libraries.length, view.more], ['nas', 'Jellyfin 10.11, called “nas”', 12, 'and 2 more']);
  });

  test('every kind has its words and says where to paste a webhook', () => {
    for (const { kind } of kindChoices(null)) assert.ok(hookWords(kind).steps.length >= 3, kind);
  });

  test('what stays after a removal is said', () => {
    assert.match(
      removeWords({ name: 'Attic' }, 2, 1),
      /2 libraries stay.*1 message .* is forgotten.*No file is touched, and Attic is told nothing/,
    );
  });
});

describe('how often a library is looked through', () => {
  const form = (fields: Record<string, string>) => readScanningForm(new URLSearchParams(fields));
  test('only the number beside the chosen answer counts', () => {
    assert.deepEqual(form({ how: 'setting', minutes: 'x', hour: '99' }), { schedule: {}, watch: false });
    assert.deepEqual(form({ how: 'minutes', minutes: '30', watch: 'on' }), { schedule: { everyMinutes: 30 }, watch: true });
    assert.deepEqual(form({ how: 'hour', hour: '3' }), { schedule: { atHour: 3 }, watch: false });
    for (const bad of [
      { how: 'minutes', minutes: '' },
      { how: 'minutes', minutes: '1.5' },
      { how: 'hour', hour: '24' },
    ])
      assert.ok('problem' in form(bad as never), JSON.stringify(bad));
  });

  test('it is said in words', () => {
    const said = (minutes: number): string => scanningForm({ id: 1, schedule: {}, watch: true }, minutes).setting;
    assert.deepEqual([0, 1, 60, 90, 720].map(said), [
      'only when you ask for it',
      'every minute',
      'every 60 minutes',
      'every 90 minutes',
      'every 12 hours',
    ]);
    assert.equal(scanningForm({ id: 1, schedule: { atHour: 3 }, watch: true }, 60).how, 'hour');
  });
});
