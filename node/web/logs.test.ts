import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Queryable } from '../db/connect.ts';
import { PlainError } from '../errors.ts';
import { createLogBook } from '../log-book.ts';
import { emptyBooks, startWeb } from '../testing/web.ts';

const twoMachines: Queryable = {
  query: async (sql, params) =>
    /from nodes where standing = 'approved'/.test(sql)
      ? ([
          { id: 'node-atlas', name: 'atlas' },
          { id: 'node-b', name: 'borea' },
        ] as never)
      : emptyBooks.query(sql, params),
};
const line = (msg: string) => ({ time: '2026-11-23T12:00:00.000Z', level: 'info', room: 'mesh', msg, fields: { film: '<b>' } });

test('the lines of the log come by themselves where a person follows them, and only those that were asked for', async (t) => {
  const logs = createLogBook({ all: 'info', rooms: {} });
  const web = await startWeb(t, { db: emptyBooks, logs });
  logs.add(line('the first word'), 50);
  const page = await (await fetch(`${web.url}/logs?room=mesh&words=word`)).text();
  assert.match(page, /href="\/logs\?[^"]*follow=1"[^>]*>.*Follow/s);
  assert.doesNotMatch(page, /view=logs/);
  const following = await (await fetch(`${web.url}/logs?room=mesh&words=word&follow=1`)).text();
  assert.match(following, /\/events\?view=logs[^"]*words=word/);
  assert.match(following, /Stand still/);

  const leaving = new AbortController();
  t.after(() => leaving.abort());
  const answer = await fetch(`${web.url}/events?view=logs&room=mesh&words=word`, { signal: leaving.signal });
  const chunks = answer.body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let seen = '';
  const until = async (words: string): Promise<void> => {
    while (!seen.includes(words)) {
      const { done, value } = await chunks.next();
      if (done) assert.fail(`the stream ended before "${words}"`);
      seen += value;
    }
  };
  await until('the first word');
  logs.add({ ...line('another word'), room: 'db' }, 50);
  logs.add(line('nothing of that'), 50);
  logs.add(line('the second word'), 50);
  await until('the second word');
  assert.doesNotMatch(seen, /another word|nothing of that|<b>/);
});

test('older lines stand still', async (t) => {
  const logs = createLogBook({ all: 'info', rooms: {} });
  const web = await startWeb(t, { db: emptyBooks, logs });
  const page = await (await fetch(`${web.url}/logs?before=7&follow=1`)).text();
  assert.doesNotMatch(page, /view=logs|>Follow|Stand still/);
});

test('the newest lines of another machine are read there, and why it does not answer is a sentence on the page', async (t) => {
  let trouble: Error | null = null;
  const said = { seq: 3, time: '2026-11-23T12:00:00.000Z', level: 'warn', room: 'worker', msg: '<i>slow</i>', rest: 'film=x' };
  const web = await startWeb(t, {
    db: twoMachines,
    logs: createLogBook({ all: 'info', rooms: {} }),
    answer: () => {
      if (trouble) throw trouble;
      return [said];
    },
  });
  const read = async (machine: string): Promise<string> => (await fetch(`${web.url}/logs?level=warn&machine=${machine}`)).text();
  const page = await read('node-b');
  assert.match(page, /Log of <bdi>borea<\/bdi>/);
  assert.match(page, /&lt;i&gt;slow&lt;\/i&gt;/);
  assert.deepEqual(web.asked, [
    { name: 'readLog', args: [{ nodeId: 'node-b', level: 'warn', room: null, words: '' }], by: web.asked[0]!.by },
  ]);
  trouble = new PlainError('borea cannot be reached now.');
  assert.match(await read('node-b'), /borea cannot be reached now\./);
  trouble = new Error('anything else');
  assert.match(await read('node-b'), /did not answer in time/);
  assert.equal(web.asked.length, 3);
  await read('a-stranger');
  assert.equal(web.asked.length, 3, 'nobody is asked who does not belong here');
});
