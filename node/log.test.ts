import assert from 'node:assert/strict';
import { globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkValue } from './config/check.ts';
import { specOf } from './config/schema.ts';
import { logRooms, parseLevels } from './core/log-levels.ts';
import { PlainError } from './errors.ts';
import { createLogFile } from './log-file.ts';
import { openLog } from './log.ts';

function opened(level: string, pretty = false): ReturnType<typeof openLog> & { out: string[] } {
  const out: string[] = [];
  return { ...openLog({ level, pretty, write: (line) => void out.push(line) }), out };
}

test('each room is written as much as was wished; what is not written is in the book all the same', () => {
  const { log, book, out } = opened('warn,mesh=debug');
  log.child({ room: 'mesh' }).debug('a detail of the mesh');
  log.child({ room: 'web' }).info('something of the web');
  log.child({ room: 'web' }).warn('a warning of the web');
  log.info('something of nobody');
  assert.deepEqual(
    out.map((line) => (JSON.parse(line) as { msg: string }).msg),
    ['a detail of the mesh', 'a warning of the web'],
  );
  assert.deepEqual(
    book.lines({ limit: 10 }).map(({ room, msg }) => [room, msg]),
    [
      ['node', 'something of nobody'],
      ['web', 'a warning of the web'],
      ['web', 'something of the web'],
      ['mesh', 'a detail of the mesh'],
    ],
  );
  assert.equal(book.lines({ limit: 10, level: 'warn' }).length, 1);
  assert.equal(book.lines({ limit: 10, room: 'mesh' }).length, 1);
  assert.equal(book.lines({ limit: 10, words: 'WARNING web' }).length, 1);
  const [, , , first] = book.lines({ limit: 10 });
  assert.deepEqual(
    book.lines({ limit: 2, after: first!.seq }).map(({ seq }) => seq),
    [first!.seq + 1, first!.seq + 2],
  );
});

test('levels are changed for a while, and are as usual afterwards', async () => {
  const { log, book, out } = opened('error');
  const wish = parseLevels('info,web=error');
  assert.ok(!('problem' in wish));
  book.setLevels(wish, 60_000);
  assert.equal(book.levels().now, 'info,web=error');
  log.info('now it is');
  log.child({ room: 'web' }).info('but not this');
  book.setLevels(null, 0);
  log.info('and now not');
  assert.equal(out.length, 1);
  book.setLevels(wish, 1);
  while (book.levels().until !== null) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(book.levels().now, 'error');
});

test('a wish that is not understood names the levels and the rooms', () => {
  const said = (text: string): string => (checkValue(specOf('logLevel'), text) as { problem: string }).problem;
  assert.match(said('loud'), /must name a level \(debug, info, warn, error\) or room=level; "loud" is neither/);
  assert.match(said('info,kitchen=debug'), /must name one of the rooms .*coordinator.*"kitchen" is none/);
  assert.match(said('mesh=loud'), /must give mesh one of the levels/);
  assert.deepEqual(checkValue(specOf('logLevel'), 'info, mesh=debug'), { ok: true, value: 'info, mesh=debug' });
});

test('every room that writes lines can be given a level', () => {
  const code = globSync('**/*.ts', { cwd: import.meta.dirname, exclude: ['**/*.test.ts', 'testing/**'] });
  const used = code.flatMap((file) => {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    return [...text.matchAll(/child\(\{ room: '([\w-]+)'|\broom\('([\w-]+)'\)/g)].map((match) => match[1] ?? match[2]!);
  });
  assert.ok(used.length > 10);
  assert.deepEqual(
    [...new Set(used)].filter((room) => !(logRooms as readonly string[]).includes(room)),
    [],
  );
});

test('no secret gets into a line: not in a message, a field, an error, its cause, nor its stack', () => {
  const secret = 'PlAnTeD0secret0value';
  for (const pretty of [true, false]) {
    const { log, book, out } = opened('debug', pretty);
    const cause = new Error(`connect postgres://me:${secret}@db/x`);
    const error = new PlainError(`http://plex/?X-Plex-Token=${secret}`, { cause });
    Object.assign(error, { config: { headers: { authorization: `Bearer ${secret}` } } });
    log.error({ err: error, token: secret, nested: { password: secret, url: `https://x/?api_key=${secret}` } }, `password=${secret}`);
    log.child({ room: 'web', cookie: `cs_session=${secret}` }).warn('a child with a secret of its own');
    const all = out.join('') + JSON.stringify(book.lines({ limit: 10 }));
    assert.ok(!all.includes(secret), all);
    assert.match(all, /\[secret\]/);
  }
});

test('details cannot push out what matters, and the book never grows over its bounds', () => {
  const { log, book } = opened('error');
  log.warn('the one that matters');
  for (let i = 0; i < 7000; i++) log.debug({ i }, 'a detail');
  const lines = book.lines({ limit: 100_000 });
  assert.equal(lines.length, 2001);
  assert.equal(lines.at(-1)?.msg, 'the one that matters');
  for (let i = 0; i < 400; i++) log.info({ long: 'x'.repeat(20_000) }, 'large');
  const kept = book.lines({ limit: 100_000, level: 'info' });
  assert.ok(kept.length > 100 && kept.length < 250, String(kept.length));
});

test('the log file turns over and both together stay within what was allowed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'codecshift-log-'));
  try {
    const write = createLogFile(join(folder, 'logs'), 10_000);
    for (let i = 0; i < 1000; i++) write(`{"msg":"line ${i} with some more words"}\n`);
    const names = readdirSync(join(folder, 'logs'));
    assert.deepEqual(names.toSorted(), ['codecshift.log', 'codecshift.log.1']);
    assert.ok(names.reduce((sum, name) => sum + statSync(join(folder, 'logs', name)).size, 0) <= 10_000);
    assert.match(readFileSync(join(folder, 'logs', 'codecshift.log'), 'utf8'), /line 999/);
    // a disk that takes nothing stops nothing
    createLogFile(join(folder, 'logs', 'codecshift.log', 'below a file'), 10_000)('lost\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const noFull = process.platform === 'linux' ? false : 'only Linux has /dev/full, a disk that is always full';
test('a disk that is full costs the lines and nothing else: no file stays open for each of them', { skip: noFull }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'codecshift-log-'));
  try {
    mkdirSync(join(folder, 'logs'));
    symlinkSync('/dev/full', join(folder, 'logs', 'codecshift.log'));
    const write = createLogFile(join(folder, 'logs'), 10_000);
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let i = 0; i < 200; i++) write('lost\n');
    assert.ok(open() - before < 10, `${open() - before} files are open`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('on a terminal no field is obeyed by it, not even one inside a field', () => {
  const { log, out } = opened('info', true);
  log.info({ file: '\u001b[2Jname', inner: { list: ['\u009b2J', '\u202ecod'] }, ['\u009bkey']: 1 }, 'a \u001b[31mtitle');
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(out[0]!, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  assert.match(out[0]!, /\\u009b2J/);
});
