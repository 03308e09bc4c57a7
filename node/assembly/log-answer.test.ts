import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogBook } from '../log-book.ts';
import { createLog, openLog } from '../log.ts';
import { createLocalMesh } from '../mesh/local.ts';
import { answerForLog } from './log-answer.ts';

const ask = { term: 1, level: 'info' as const, room: null, words: '', limit: 200 };

test('a machine says its newest lines, newest first, without secrets and in one message of bounded size', async () => {
  const { log, book } = openLog({ level: 'info', pretty: false, write: () => {} });
  const mesh = createLocalMesh('node-b', createLog({ level: 'fatal', pretty: true }));
  answerForLog(mesh, book);
  log.info({ password: 'hunter2', film: 'A' }, 'the first line');
  log.debug('a detail');
  log.warn('the second line');
  const { lines } = await mesh.request('node-b', 'log', ask);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      ['warn', 'the second line'],
      ['info', 'the first line'],
    ],
  );
  assert.match(lines[1]!.rest, /film=A/);
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/);
  for (let i = 0; i < 300; i++) log.info({ long: '\u0001'.repeat(3000) }, `line ${i} ${'\u0001'.repeat(3000)}`);
  const many = await mesh.request('node-b', 'log', ask);
  assert.ok(many.lines.length > 3 && Buffer.byteLength(JSON.stringify(many)) < 120_000);
  assert.match(many.lines[0]!.msg, /^line 299/);
});

test('whoever asks without end is refused, with a sentence', async () => {
  const mesh = createLocalMesh('node-b', createLog({ level: 'fatal', pretty: true }));
  answerForLog(mesh, createLogBook({ all: 'info', rooms: {} }));
  const asks = Array.from({ length: 40 }, () => mesh.request('node-b', 'log', ask));
  const refused = (await Promise.allSettled(asks)).filter((one) => one.status === 'rejected');
  assert.ok(refused.length > 0);
  assert.match(String(refused[0]!.reason), /asked for its log too often/);
});
