import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { suite, test } from 'node:test';
import type { NoticeKind } from '../core/notice-kinds.ts';
import type { Answer } from '../core/notice-routing.ts';
import { noticeWords } from '../core/notice-words.ts';
import { createOutgoing } from '../outgoing.ts';
import { testAuthority } from '../testing/certificate.ts';
import { httpReceiver, mailReceiver, silentServer } from '../testing/receivers.ts';
import { createSenders, type Letter, type OpenTarget } from './senders.ts';

const SECRET = 'secret-that-nobody-may-read-again';
const outgoing = createOutgoing({
  ownPorts: () => [5432],
  resolve: async (host) => (host === 'server.test' ? ['127.0.0.1'] : ['169.254.169.254']),
});
const senders = createSenders({ outgoing, ca: testAuthority, now: () => 1_790_000_000_999 });
const notices = [
  { event: 'job.failed', count: 1, items: [{ title: '@everyone [x](https://evil.example)\r\nBcc: eve@evil.example', jobId: 7 }] },
];

function letter(change: Partial<Letter> = {}): Letter {
  return {
    id: '2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d',
    event: 'job.failed',
    urgent: false,
    words: noticeWords(notices[0]!),
    link: 'https://shift.example/jobs/7',
    at: 1_790_000_000_000,
    notices,
    house: 'Home',
    ...change,
  };
}

function send(
  kind: NoticeKind,
  fields: Record<string, string>,
  secrets: Record<string, string> = {},
  change: Partial<Letter> = {},
  signal = new AbortController().signal,
): Promise<Answer> {
  const target: OpenTarget = { kind, place: 'https://place.example', fields, secrets };
  return senders.send(target, letter(change), signal);
}

suite('Discord', () => {
  test('an embed in which a name cannot mention, link or break a line', async (t) => {
    const discord = await httpReceiver(t, { status: 204 });
    assert.equal((await send('discord', {}, { url: `${discord.url}/api/webhooks/1/${SECRET}` })).ok, true);
    const [{ json, headers, path }] = discord.received as [(typeof discord.received)[0]];
    assert.equal(path, `/api/webhooks/1/${SECRET}`);
    assert.equal(headers['content-type'], 'application/json');
    assert.deepEqual(json.allowed_mentions, { parse: [] });
    const [embed] = json.embeds;
    assert.equal(embed.title, String.raw`\@everyone \[x\]\(https\://evil.example\)\\r\\nBcc\: eve\@evil.example could not be converted`);
    assert.equal(embed.url, 'https://shift.example/jobs/7');
    assert.equal(embed.timestamp, '2026-09-21T14:13:20.000Z');
  });

  test('the longest texts are within its limits', async (t) => {
    const discord = await httpReceiver(t, { status: 204 });
    const words = { title: '*'.repeat(300), lines: Array.from({ length: 50 }, () => '_'.repeat(200)), path: '/', level: 'note' as const };
    await send('discord', {}, { url: discord.url }, { words });
    const [embed] = discord.received[0]!.json.embeds;
    assert.ok(embed.title.length <= 256 && embed.description.length <= 4096);
    assert.match(embed.description, /… \(\d+ more\)$/);
  });

  const answers: [string, Parameters<typeof httpReceiver>[1], Partial<Extract<Answer, { ok: false }>>][] = [
    [
      'too many, with the seconds in its JSON',
      { status: 429, body: { retry_after: 64.57, global: false } },
      { again: true, afterSeconds: 65 },
    ],
    ['too many, with the seconds in a header', { status: 429, headers: { 'retry-after': '12' } }, { again: true, afterSeconds: 12 }],
    [
      'a body that it does not take',
      { status: 400, body: { code: 50_006, message: 'internal text' } },
      { again: false, says: 'Discord did not understand it (status 400, code 50006).' },
    ],
    ['a webhook that was deleted', { status: 404, body: { code: 10_015 } }, { again: false }],
    ['a server in trouble', { status: 503, headers: { 'retry-after': 'Mon, 01 Jan 2024 00:00:00 GMT' } }, { again: true, afterSeconds: 0 }],
    ['another address', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, { again: false }],
  ];
  for (const [name, reply, expected] of answers)
    test(name, async (t) => {
      const discord = await httpReceiver(t, reply!);
      const answer = await send('discord', {}, { url: `${discord.url}/${SECRET}` });
      assert.partialDeepStrictEqual(answer, { ok: false, ...expected });
      assert.equal(discord.received.length, 1, 'nobody follows a redirect');
      assert.ok(!answer.says.includes(SECRET) && !answer.says.includes('internal text'));
    });
});

suite('ntfy', () => {
  test('JSON to the root of the server, with the token in a header', async (t) => {
    const ntfy = await httpReceiver(t, { status: 200, body: { id: 'sPs71M8A2T', topic: 'films' } });
    const answer = await send('ntfy', { server: ntfy.url, topic: 'films' }, { token: SECRET }, { urgent: true });
    assert.deepEqual(answer, { ok: true, says: 'ntfy took it (status 200).' });
    const [{ path, headers, json }] = ntfy.received as [(typeof ntfy.received)[0]];
    assert.equal(path, '/');
    assert.equal(headers['authorization'], `Bearer ${SECRET}`);
    assert.deepEqual(json, {
      topic: 'films',
      title: String.raw`@everyone [x](https://evil.example)\r\nBcc: eve@evil.example could not be converted`,
      message: 'The original is untouched.',
      priority: 5,
      tags: ['rotating_light'],
      click: 'https://shift.example/jobs/7',
    });
  });

  test('a page that is no ntfy is not believed, and a message stays below what becomes an attachment', async (t) => {
    const other = await httpReceiver(t, { status: 200, body: '<html>hello' });
    const words = { title: 'x', lines: ['ü'.repeat(9000)], path: '/', level: 'note' as const };
    assert.match((await send('ntfy', { server: other.url, topic: 'a' }, {}, { words })).says, /no ntfy/);
    assert.ok(Buffer.byteLength(other.received[0]!.json.message) < 4096);
    assert.equal(other.received[0]!.headers['authorization'], undefined);
  });
});

suite('Apprise', () => {
  const cases: [number, boolean, boolean | null, RegExp][] = [
    [200, true, null, /took it/],
    [204, false, false, /no configuration/],
    [424, false, false, /at least one of its services/],
    [500, false, true, /cannot take it now/],
  ];
  for (const [status, ok, again, says] of cases)
    test(`status ${status}`, async (t) => {
      const apprise = await httpReceiver(t, { status });
      const answer = await send('apprise', { server: `${apprise.url}/apprise`, tag: 'films' }, { key: 'my-key' });
      assert.equal(answer.ok, ok);
      assert.match(answer.says, says);
      assert.equal('again' in answer ? answer.again : null, again);
      const [{ path, json }] = apprise.received as [(typeof apprise.received)[0]];
      assert.equal(path, '/apprise/notify/my-key');
      assert.partialDeepStrictEqual(json, { type: 'failure', format: 'text', tag: 'films' });
    });
});

suite('webhook', () => {
  test('the signature is over the time and the very bytes, and nobody without the key makes it', async (t) => {
    const hook = await httpReceiver(t, { status: 200 });
    await send('webhook', {}, { url: `${hook.url}/hook?x=1`, signingKey: SECRET });
    const [{ headers, raw, json, path }] = hook.received as [(typeof hook.received)[0]];
    const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-codecshift-signature']!)!;
    assert.equal(seconds, '1790000000');
    assert.equal(mac, createHmac('sha256', SECRET).update(`${seconds}.${raw}`).digest('hex'));
    assert.equal(path, '/hook?x=1');
    assert.deepEqual([headers['x-codecshift-event'], headers['x-codecshift-id']], ['job.failed', json.id]);
    assert.partialDeepStrictEqual(json, {
      version: 1,
      event: 'job.failed',
      level: 'problem',
      link: 'https://shift.example/jobs/7',
      house: 'Home',
    });
    assert.deepEqual(json.notices[0].items, [
      { title: String.raw`@everyone [x](https://evil.example)\r\nBcc: eve@evil.example`, jobId: 7 },
    ]);
  });

  test('without a key nothing is signed, and what facts hold beside plain values does not leave the house', async (t) => {
    const hook = await httpReceiver(t, { status: 202 });
    const items = [{ reason: { code: 'lost-node' }, deep: { secret: SECRET }, list: [SECRET], n: 1 }];
    await send('webhook', {}, { url: hook.url }, { notices: [{ event: 'job.failed', count: 3, items }] });
    assert.equal(hook.received[0]!.headers['x-codecshift-signature'], undefined);
    const [told] = hook.received[0]!.json.notices;
    assert.deepEqual(Object.keys(told.items[0]!), ['reason', 'n']);
    assert.ok(!hook.received[0]!.raw.includes(SECRET));
  });

  test('a receiver that says nothing is given up by whoever waits, and one that is not there is said to be so', async (t) => {
    const hook = await httpReceiver(t, { status: 200, hang: true });
    const ending = new AbortController();
    const sent = send('webhook', {}, { url: hook.url }, {}, ending.signal);
    await hook.next();
    ending.abort(new Error('this term is over'));
    await assert.rejects(sent, /this term is over/);
    assert.deepEqual(await send('webhook', {}, { url: 'http://127.0.0.1:1/' }), {
      ok: false,
      again: true,
      says: '127.0.0.1:1 does not answer: nothing listens there.',
    });
  });

  test('whoever takes a message and then says more and more has it, and it does not come again', async (t) => {
    const hook = await httpReceiver(t, { status: 200, endless: 'fast' });
    assert.deepEqual(await send('webhook', {}, { url: hook.url }), { ok: true, says: 'The receiver took it (status 200).' });
    assert.equal((await send('ntfy', { server: hook.url, topic: 'a' })).ok, false, 'it is no ntfy all the same');
  });

  test('where no receiver can be, nothing is sent', async () => {
    for (const url of [
      'http://169.254.169.254/latest',
      'http://cloud.test/',
      'http://127.0.0.1:5432/',
      'http://[::ffff:169.254.169.254]/',
    ]) {
      const answer = await send('webhook', {}, { url });
      assert.deepEqual([answer.ok, 'again' in answer && answer.again], [false, false], url);
      assert.match(answer.says, /^Nothing is sent to /);
    }
  });
});

suite('e-mail', () => {
  const fields = {
    host: 'server.test',
    security: 'starttls',
    user: 'ada',
    from: 'shift@house.example',
    to: 'ada@house.example, bob@house.example',
  };

  test('by STARTTLS, with plain headers that a name cannot add to', async (t) => {
    const mail = await mailReceiver(t, 'starttls');
    const answer = await send('email', { ...fields, port: String(mail.port) }, { password: 'secret' });
    assert.deepEqual(answer, { ok: true, says: 'The mail server took it.' });
    const [got] = mail.letters;
    assert.deepEqual([got!.from, got!.to, got!.secure], ['shift@house.example', ['ada@house.example', 'bob@house.example'], true]);
    const [head = ''] = got!.text.split('\r\n\r\n');
    assert.doesNotMatch(head, /^bcc:/im);
    assert.match(head, /^Auto-Submitted: auto-generated$/m);
    assert.match(head, /^Message-ID: <2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d@codecshift\.local>$/m);
    assert.match(got!.text, /https:\/\/shift\.example\/jobs\/7/);
  });

  test('by TLS from the beginning', async (t) => {
    const mail = await mailReceiver(t, 'tls');
    const answer = await send('email', { ...fields, security: 'tls', port: String(mail.port) }, { password: 'secret' });
    assert.deepEqual([answer.ok, mail.letters[0]?.secure], [true, true]);
  });

  test('a server that does not encrypt gets neither password nor letter, unless that was ticked', async (t) => {
    const mail = await mailReceiver(t, 'none');
    const refused = await send('email', { ...fields, port: String(mail.port) }, { password: 'secret' });
    assert.equal(refused.ok, false);
    assert.deepEqual([mail.users, mail.letters], [[], []]);
    assert.match(refused.says, /no encryption/);
    const ticked = await send('email', { ...fields, plain: 'on', port: String(mail.port) }, { password: 'secret' });
    assert.deepEqual([ticked.ok, mail.letters[0]?.secure], [true, false]);
  });

  test('a certificate of somebody else ends it before the password', async (t) => {
    const mail = await mailReceiver(t, 'starttls');
    const untrusting = createSenders({ outgoing });
    const target = { kind: 'email' as const, place: '', fields: { ...fields, port: String(mail.port) }, secrets: { password: 'secret' } };
    const answer = await untrusting.send(target, letter(), new AbortController().signal);
    assert.match(answer.says, /certificate that nobody known here vouches for/);
    const other = await send('email', { ...fields, host: '127.0.0.1', port: String(mail.port) }, { password: 'secret' });
    assert.match(other.says, /certificate for another name/);
    assert.deepEqual(mail.users, []);
  });

  test('a wrong password is said to be that, without what the server said', async (t) => {
    const mail = await mailReceiver(t, 'starttls');
    const answer = await send('email', { ...fields, port: String(mail.port) }, { password: 'wrong' });
    assert.partialDeepStrictEqual(answer, { ok: false, again: false });
    assert.match(answer.says, /refused the user name or password \(535\)/);
    assert.doesNotMatch(answer.says, /SECRET-BANNER|wrong/);
  });

  test('greylisting is waited for, a refusal is final', async (t) => {
    const mail = await mailReceiver(t, 'starttls');
    mail.refusals.push({ at: 'mail', code: 451, text: '4.7.1 greylisted' }, { at: 'data', code: 554, text: 'no spam here' });
    const grey = await send('email', { ...fields, port: String(mail.port) }, { password: 'secret' });
    assert.partialDeepStrictEqual(grey, { ok: false, again: true });
    assert.match(grey.says, /wants it later \(451/);
    const spam = await send('email', { ...fields, port: String(mail.port) }, { password: 'secret' });
    assert.partialDeepStrictEqual(spam, { ok: false, again: false });
    assert.equal((await send('email', { ...fields, port: String(mail.port) }, { password: 'secret' })).ok, true);
  });

  test('a server that hangs is left when the term ends, and one that is none of mail is told apart', async (t) => {
    const silent = await silentServer(t);
    const ending = new AbortController();
    const sent = send('email', { ...fields, port: String(silent.port) }, { password: 'secret' }, {}, ending.signal);
    await silent.called;
    ending.abort(new Error('this term is over'));
    await assert.rejects(sent, /this term is over/);
    const redis = await silentServer(t, '-ERR SECRET-BANNER\r\n');
    const answer = await send('email', { ...fields, port: String(redis.port) }, { password: 'secret' });
    assert.equal(answer.ok, false);
    assert.doesNotMatch(answer.says, /SECRET-BANNER/);
    assert.match((await send('email', { ...fields, host: 'cloud.test' }, { password: 'secret' })).says, /^Nothing is sent to /);
  });
});
