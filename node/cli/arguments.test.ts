import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { PlainError } from '../errors.ts';
import { command, noMoreWords } from './arguments.ts';

async function said(t: TestContext, args: string[], body: () => Promise<number | void>): Promise<{ code: number; text: string }> {
  let text = '';
  const write = t.mock.method(process.stderr, 'write', (words: string) => {
    text += words;
    return true;
  });
  const code = await command(args, 'the help\n', { token: { type: 'string' }, all: { type: 'boolean' } }, body).finally(() =>
    write.mock.restore(),
  );
  return { code, text };
}

test('what nobody foresaw is one sentence without a secret and without a stack', async (t) => {
  const { code, text } = await said(t, [], () => Promise.reject(new Error('connect postgres://cs:h7Kq2mZx9@db.local/cs failed')));
  assert.deepEqual([code, text], [1, 'Something unexpected went wrong: connect postgres://cs:[secret]@db.local/cs failed\n']);
});

test('a sentence for a person is said as it is', async (t) => {
  const { code, text } = await said(t, [], () => Promise.reject(new PlainError('The disk is full.')));
  assert.deepEqual([code, text], [1, 'The disk is full.\n']);
});

test('a mistake in the options is one sentence before the help, and nothing is done', async (t) => {
  let done = 0;
  const body = async (): Promise<void> => void done++;
  for (const [args, sentence] of [
    [['--tokn', 'x'], 'There is no option --tokn here.'],
    [['--token'], '--token wants a value.'],
    [['--token', '--all'], '--token wants a value.'],
    [['--all=yes'], '--all takes no value.'],
    [['-q'], 'There is no option -q here.'],
  ] as const)
    assert.deepEqual(await said(t, [...args], body), { code: 2, text: `${sentence}\n\nthe help\n` });
  assert.equal(done, 0);
});

test('words that a command does not know are counted from those that it knows', () => {
  noMoreWords(['one'], 1);
  assert.throws(() => noMoreWords(['one', 'two'], 1), /^PlainError: Too many words: one two$/);
});

test('a number below zero is the value of its option, and the command says what is wrong with it', async () => {
  let got: unknown;
  await command(['--token', '-1', 'x'], '', { token: { type: 'string' } }, async ({ values, positionals }) => {
    got = [values['token'], positionals];
  });
  assert.deepEqual(got, ['-1', ['x']]);
});
