import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { everyPage, type Page } from './paging.ts';
import { words } from './loose.ts';
import { readNews } from './plex-news.ts';
import { backgroundHas, readSessions, useIn } from './plex-sessions.ts';
import { readXml } from './xml.ts';

/** A list that loses and gains items between pages, behind a server with its own idea of pages. */
const servers = fc.record({
  count: fc.nat(60),
  size: fc.integer({ min: 1, max: 25 }),
  says: fc.constantFrom('all', 'total', 'nothing'),
  ignores: fc.boolean(),
  events: fc.array(fc.record({ page: fc.integer({ min: 1, max: 6 }), what: fc.constantFrom('gone', 'new'), at: fc.nat(60) }), {
    maxLength: 3,
  }),
});

test('whatever happens to a list while it is read, what was there all the time is given exactly once', async () => {
  await fc.assert(
    fc.asyncProperty(servers, async ({ count, size, says, ignores, events }) => {
      const items = Array.from({ length: count }, (_, at) => `i${at}`);
      let [pages, added] = [0, 0];
      const ask = (start: number): Promise<Page<string>> => {
        pages++;
        for (const event of events.filter(({ page }) => page === pages)) {
          if (event.what === 'gone') items.splice(event.at % (items.length + 1), 1);
          else items.push(`new${added++}`);
        }
        const from = ignores ? 0 : start;
        const page = ignores ? [...items] : items.slice(start, start + size);
        return Promise.resolve({ items: page, offset: says === 'all' ? from : null, total: says === 'nothing' ? null : items.length });
      };
      const given: string[] = [];
      for await (const page of everyPage('Den', ask, (item) => item)) given.push(...page);
      assert.equal(new Set(given).size, given.length);
      // a page of one cannot overlap: a server like that may hide a move, unless its count says so
      if (size === 1 && !ignores && events.length > 0) return;
      assert.deepEqual(
        items.filter((item) => item.startsWith('i') && !given.includes(item)),
        [],
      );
    }),
  );
});

test('a server that never ends is left, and one that says more than it has is an error', async () => {
  let asked = 0;
  const endless = everyPage('Den', () => Promise.resolve({ items: ['a', 'b'], offset: null, total: ++asked > 50 ? 0 : 1_000_000 }), String);
  await assert.rejects(async () => {
    for await (const page of endless) assert.ok(page.length <= 2);
  }, /lists 2/);
  assert.ok(asked < 10);
  const nameless = everyPage(
    'Den',
    (start) => Promise.resolve({ items: start === 0 ? ['', ''] : [], offset: start, total: 2 }),
    () => null,
  );
  let count = 0;
  for await (const page of nameless) count += page.length;
  assert.equal(count, 2);
});

test('XML of media servers is read, and nothing else is', () => {
  assert.deepEqual(readXml('<?xml version="1.0"?>\n<A n="1 &lt; 2 &#38; &amp;lt;"><!-- <no> --><B x=\'"\'/><B y="a>b"></B>text</A>\n'), {
    name: 'A',
    value: Object.assign(Object.create(null), {
      n: '1 < 2 & &lt;',
      B: [Object.assign(Object.create(null), { x: '"' }), Object.assign(Object.create(null), { y: 'a>b' })],
    }),
  });
  const broken = [
    '',
    'text',
    '<A',
    '<A>',
    '<A></B>',
    '<A/><B/>',
    '<A><B></A>',
    '<!DOCTYPE x [<!ENTITY a "b">]><A/>',
    '<1/>',
    '<A b="1/>',
    '</A>',
    '<!-- ',
  ];
  for (const text of broken) assert.equal(readXml(text), null, text);
  assert.equal(readXml('<a>'.repeat(100)), null);
  assert.equal((readXml('<A __proto__="x" constructor="y"/>')!.value as { polluted?: string }).polluted, undefined);
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('<', '>', '/', '"', "'", '=', 'a', ' ', '!', '-', '?', '&', ';', '#', '1'), maxLength: 60 }),
      (text) => {
        readXml(text);
      },
    ),
  );
});

test('whatever a list of players says, a film is free only when that is certain', () => {
  const film = { ref: '5', part: '50' };
  const use = (body: unknown): string => {
    const sessions = readSessions(typeof body === 'string' ? body : JSON.stringify(body));
    return sessions === null ? 'unknown' : useIn(sessions, film).use;
  };
  assert.equal(use({ MediaContainer: { size: 0 } }), 'no');
  assert.equal(use({ MediaContainer: { size: '1', Metadata: [{ ratingKey: 6 }] } }), 'no');
  assert.equal(use({ MediaContainer: { size: 1, Metadata: [{ ratingKey: 5 }] } }), 'yes');
  assert.equal(use({ MediaContainer: { size: 1, Video: [{ ratingKey: '7', Media: [{ Part: [{ id: 50 }] }] }] } }), 'yes');
  assert.equal(use('<MediaContainer size="0"></MediaContainer>'), 'no');
  assert.equal(use('<MediaContainer size="0"/>'), 'no');
  const doubts = ['', '[]', 'null', '{}', '{"MediaContainer":[]}', '<html></html>', '<MediaContainer size="1"/>', '<MediaContainer/>'];
  for (const doubt of doubts) assert.equal(use(doubt), 'unknown', doubt);
  assert.equal(use({ MediaContainer: { size: 2, Metadata: [{ ratingKey: 6 }] } }), 'unknown', 'it shows fewer than it says');
  assert.equal(use({ MediaContainer: { size: 1, Metadata: [{ title: 'x' }] } }), 'unknown');
  assert.equal(use({ MediaContainer: { size: 1, Metadata: [{ title: 'x', live: '1' }] } }), 'no', 'television is no film of ours');
  assert.equal(backgroundHas('{"MediaContainer":{"size":1,"TranscodeJob":[{"key":"/library/metadata/5"}]}}', '5'), true);
  assert.equal(backgroundHas('<MediaContainer size="1"><TranscodeJob ratingKey="5"/></MediaContainer>', '5'), true);
  assert.equal(backgroundHas('{"MediaContainer":{"size":0}}', '5'), false);
  assert.equal(backgroundHas('sorry', '5'), null);
  fc.assert(
    fc.property(fc.json(), (body) => {
      assert.ok(['no', 'unknown', 'yes'].includes(use(body)));
      readNews(body);
    }),
  );
});

test('8: what a person will read of an answer hides nothing and is never too long', () => {
  assert.equal(words(' Nosferatu\u202evkm.x\n'), 'Nosferatu\\u{202e}vkm.x');
  assert.equal([...words('x'.repeat(5000), 200)].length, 200);
  assert.equal(words({ title: 'x' }), '');
});
