import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { noticeEventNames, noticeEvents } from '../core/notice-events.ts';
import { noticeKinds } from '../core/notice-kinds.ts';
import { noticeWords } from '../core/notice-words.ts';
import { createOutgoing } from '../outgoing.ts';
import { temporaryDirectory } from '../testing/database.ts';
import { httpReceiver, type Received } from '../testing/receivers.ts';
import { createSenders } from './senders.ts';

// docs/notifications.md as somebody follows it who writes a receiver.

const docs = readFileSync(path.join(import.meta.dirname, '../../docs/notifications.md'), 'utf8');
const key = 'the key of this very test';

function example(language: string): string {
  const found = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(docs);
  assert.ok(found, `no example in ${language}`);
  return found[1]!;
}

async function signed(t: Parameters<typeof httpReceiver>[0]): Promise<Received> {
  const hook = await httpReceiver(t, { status: 200 });
  const senders = createSenders({ outgoing: createOutgoing({ ownPorts: () => [] }) });
  const notices = [{ message: 'b', event: 'job.failed', count: 1, items: [{ title: 'Metropolis – 1927', jobId: 7 }] }];
  const letter = {
    id: 'a',
    event: 'job.failed',
    urgent: false,
    words: noticeWords(notices[0]!),
    link: null,
    at: Date.now(),
    notices,
    house: 'Home',
  };
  const target = { kind: 'webhook' as const, place: '', fields: {}, secrets: { url: hook.url, signingKey: key } };
  assert.equal((await senders.send(target, letter, new AbortController().signal)).ok, true);
  return hook.received[0]!;
}

describe('docs/notifications.md', () => {
  test('has every event, its default and whether it comes at night', () => {
    const rows = noticeEventNames.map((name) => {
      const { label, help, on, urgent } = noticeEvents[name];
      return `| \`${name}\` | ${on ? '✓' : ''} | ${urgent ? '✓' : ''} | **${label}.** ${help.replace(' A message comes at night too.', '')} |`;
    });
    const table = ['| Event | | At night too | What it tells |', '|---|---|---|---|', ...rows].join('\n');
    const cells = (text: string): string[] =>
      text
        .replaceAll(/ *\| */g, '|')
        .replaceAll(/-+/g, '-')
        .trim()
        .split('\n');
    const written = /<!-- events -->\n(.*?)<!-- \/events -->/s.exec(docs)![1]!;
    assert.deepEqual(cells(written), cells(table), `write this between its markers:\n${table}`);
  });

  test('has a chapter for every kind of place', () => {
    for (const { label } of Object.values(noticeKinds)) assert.ok(docs.includes(`### ${label}\n`), label);
  });

  test('shows a message as it is sent', async (t) => {
    const shown = JSON.parse(example('json')) as { notices: [object] };
    const { json } = await signed(t);
    assert.deepEqual(Object.keys(shown), Object.keys(json));
    assert.deepEqual(Object.keys(shown.notices[0]), Object.keys(json.notices[0]));
  });

  test('checks a signature in Node.js, and lets nothing else in', async (t) => {
    const file = path.join(temporaryDirectory(t), 'check.mjs');
    writeFileSync(file, example('js'));
    const { isFromCodecShift } = (await import(pathToFileURL(file).href)) as {
      isFromCodecShift(key: string, header: string | undefined, body: string, now?: number): boolean;
    };
    const { headers, raw } = await signed(t);
    const header = headers['x-codecshift-signature'];
    assert.equal(isFromCodecShift(key, header, raw), true);
    assert.equal(isFromCodecShift(`${key}.`, header, raw), false, 'another key');
    assert.equal(isFromCodecShift(key, header, `${raw} `), false, 'another body');
    assert.equal(isFromCodecShift(key, header, raw, Date.now() / 1000 + 301), false, 'sent again later');
    for (const none of [undefined, '', 't=1,v1=', 'v1=x']) assert.equal(isFromCodecShift(key, none, raw), false);
  });

  const hasPython = spawnSync('python3', ['--version']).status === 0;
  test('checks a signature in Python', { skip: hasPython ? false : 'no Python on this machine' }, async (t) => {
    const { headers, raw } = await signed(t);
    const ask = `${example('python')}
import json, sys
key, header, body = json.load(sys.stdin)
print([is_from_codecshift(key, header, body.encode()), is_from_codecshift(key + ".", header, body.encode()), is_from_codecshift(key, "", b"")])`;
    const input = JSON.stringify([key, headers['x-codecshift-signature'], raw]);
    const { stdout, stderr } = spawnSync('python3', ['-c', ask], { input, encoding: 'utf8', timeout: 120_000 });
    assert.equal(stdout.trim(), '[True, False, False]', stderr);
  });
});
