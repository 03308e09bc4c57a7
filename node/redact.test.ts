import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSecretName, keepSecret, keepSecretOfUrl, keepSecretsIn, redact, redactDeep } from './redact.ts';

const planted = 'PlAnTeD0secret0value';

test('secrets are known by their shape: tokens in addresses, passwords of databases, headers, our own tokens', () => {
  const texts = [
    `postgres://cs:${planted}@db.local:5432/cs`,
    `GET http://10.0.0.5:32400/library?X-Plex-Token=${planted}&type=1`,
    `http://sonarr/api?apikey=${planted}`,
    `wrong answer of https://hooks.example.org/x?access_token=${planted}`,
    `Authorization: Bearer ${planted}`,
    `Authorization: MediaBrowser Client="CodecShift", Token="${planted}"`,
    `{"headers":{"X-Emby-Token":"${planted}","cookie":"cs_session=${planted}"}}`,
    `X-Api-Key: ${planted}`,
    `Cookie: cs_session_1=${planted}; other=1`,
    `password: ${planted}`,
    `client_secret=${planted}`,
    `http://localhost:8265/setup#token=${planted}`,
    `--join csj1.b6f2cf0e-8a53-4a52-9d3e-6f7d2f0f3a11.${planted}.k7m2p5`,
    `Bearer cs_abcdefghij_${planted}${planted}`,
    `/oidc/callback?code=${planted}&state=${planted}`,
    `-----BEGIN PRIVATE KEY-----\n${planted}\n-----END PRIVATE KEY-----`,
    `it has -----BEGIN EC PRIVATE KEY----- ${planted} and was cut off`,
    `an ID token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.${planted}`,
    `https://discord.com/api/webhooks/1234567890/${planted}`,
    `https://hooks.slack.com/services/T000/B000/${planted}`,
    `https://api.telegram.org/bot123456:${planted}/sendMessage`,
  ];
  for (const text of texts) {
    const clean = redact(text);
    assert.ok(!clean.includes(planted), `${text} became ${clean}`);
    assert.match(clean, /\[secret\]/, text);
  }
  assert.equal(redact('Set-up token: 7K3M9-0PQRS-TVWXY-Z1234-567890'), 'Set-up token: [secret]');
  assert.equal(redact(`postgres://cs:${planted}@db.local:5432/cs`), 'postgres://cs:[secret]@db.local:5432/cs', 'the rest helps');
});

test('a secret with blanks, quotation marks or slashes in it is taken out whole', () => {
  const texts = [
    `postgres://cs:ab/${planted}@db.local:5432/cs`,
    `postgres://cs:it's${planted}@db.local:5432/cs`,
    `host=db password='two words ${planted}' dbname=x`,
    `password = "two words ${planted}"`,
    JSON.stringify({ password: `a "word" ${planted}` }),
    `password=a,b;${planted}`,
    `Cookie: a="b"; c=${planted}`,
    `Set-Cookie: cs_session="${planted}"; Path=/`,
    `Authorization: Digest username="u", realm="r", response="${planted}"`,
    `curl -H "X-Plex-Token: ${planted}" -H "Accept: text/xml" x`,
  ];
  for (const text of texts) {
    const clean = redact(text);
    assert.ok(!clean.includes(planted), `${text} became ${clean}`);
    assert.equal(redact(clean), clean, 'cleaned twice, nothing more goes');
  }
});

test('a secret is found where one text holds another: JSON in JSON, an address in an address, headers in a list', () => {
  const twice = JSON.stringify({ said: JSON.stringify({ body: JSON.stringify({ token: planted }) }) });
  const texts = [
    JSON.stringify({ said: JSON.stringify({ password: `two words ${planted}` }) }),
    twice,
    JSON.stringify({ said: JSON.stringify({ headers: { cookie: `a="b"; c=${planted}` } }) }),
    `http://h/photo?url=http%3A%2F%2Fh%2F%3FX-Plex-Token%3D${planted}%26width%3D4`,
    `http://h/?u=X-Plex-Token%253D${planted}`,
    `rawHeaders: [ 'Cookie', 'cs_session=${planted}' ]`,
    `{"headers":{"set-cookie":["a=1","cs_session=${planted}; Path=/"]}}`,
  ];
  for (const text of texts) assert.ok(!redact(text).includes(planted), `${text} became ${redact(text)}`);
  assert.match(redact(texts[3]!), /%26width%3D4$/, 'what comes after it helps');
  assert.deepEqual(JSON.parse(redact(twice)), { said: '{"body":"{\\"token\\":\\"[secret]\\"}"}' }, 'it is JSON still');
  const value = { rawHeaders: ['Accept', 'text/xml', 'Cookie', `a=${planted}`], credentials: { of: ['me', planted] }, cookie: [planted] };
  assert.ok(!JSON.stringify(redactDeep(value)).includes(planted));
  assert.deepEqual((redactDeep(value) as typeof value).rawHeaders.slice(0, 3), ['Accept', 'text/xml', 'Cookie']);
});

test('what is no secret stays as it is', () => {
  for (const text of [
    'ffmpeg -i file:/films/Alien (1979).mkv -c:v libx265',
    'the set-up token could not be written into the data directory',
    'postgres://db.local/cs',
    'a token with 3 uses was made',
    '{"tokens":3,"pass":1,"password":null,"token":"","said":"x"}',
    'x265 --pass 2, pass=2, bypass=1',
    'job 7, attempt 9, term 12, https://192.168.1.5:8266/',
    '2026-11-30T09:40:00.000Z',
    'b6f2cf0e-8a53-4a52-9d3e-6f7d2f0f3a11',
  ])
    assert.equal(redact(text), text);
});

test('what this process knows to be secret is taken out in whatever form it stands', () => {
  keepSecret('s3cret "words" of/mine');
  keepSecretOfUrl('postgres://me:P%40ss-w0rd@db/x');
  for (const form of [
    's3cret "words" of/mine',
    encodeURIComponent('s3cret "words" of/mine'),
    JSON.stringify('s3cret "words" of/mine').slice(1, -1),
    's3cret+%22words%22+of%2Fmine',
    encodeURIComponent(encodeURIComponent('s3cret "words" of/mine')),
  ])
    assert.equal(redact(`said ${form} loudly`), 'said [secret] loudly');
  assert.equal(redact('password P@ss-w0rd and P%40ss-w0rd'), 'password [secret] and [secret]');
  keepSecretsIn(
    JSON.stringify({
      bound: '["https://hooks.example.org"]',
      values: { hook: 'https://h.example.org/T0/abcdef' },
      account: { token: 'tok-4711-x' },
    }),
  );
  assert.equal(
    redact('to https://h.example.org/T0/abcdef by tok-4711-x at https://hooks.example.org'),
    'to [secret] by [secret] at https://hooks.example.org',
  );
  keepSecret('abc');
  assert.equal(redact('abc'), 'abc', 'a short one would blot out words');
});

test('everything inside a value is cleaned, by the names of its fields too; circles and depth end', () => {
  const circle: Record<string, unknown> = { token: 'whatever it is', note: `apikey=${planted}`, list: [`password=${planted}`], tokens: 3 };
  circle['again'] = circle;
  const text = JSON.stringify(redactDeep(circle));
  assert.ok(!text.includes(planted) && !text.includes('whatever'), text);
  assert.match(text, /"tokens":3/);
  assert.deepEqual(
    ['password', 'clientSecret', 'databaseToken', 'X-Api-Key', 'apiKey', 'tokenId', 'secretKeyFile', 'path'].map(isSecretName),
    [true, true, true, true, true, false, false, false],
  );
});

test('a very long text is cleaned in no time', () => {
  // the work of this process alone, however long it waits for a processor
  const before = process.cpuUsage();
  redact(`${'a'.repeat(200_000)} ${'token'.repeat(20_000)} ${'://x:'.repeat(10_000)}`);
  // beginnings of secrets without an end, each of which could be looked for to the end of the text
  for (const begun of ['password="', 'cookie: [', 'postgres://a:', 'token%3D', '"authorization":"']) redact(begun.repeat(15_000));
  assert.ok(process.cpuUsage(before).user < 5e6);
});
