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
  ];
  for (const text of texts) {
    const clean = redact(text);
    assert.ok(!clean.includes(planted), `${text} became ${clean}`);
    assert.match(clean, /\[secret\]/, text);
  }
  assert.equal(redact('Set-up token: 7K3M9-0PQRS-TVWXY-Z1234-567890'), 'Set-up token: [secret]');
  assert.equal(redact(`postgres://cs:${planted}@db.local:5432/cs`), 'postgres://cs:[secret]@db.local:5432/cs', 'the rest helps');
});

test('what is no secret stays as it is', () => {
  for (const text of [
    'ffmpeg -i file:/films/Alien (1979).mkv -c:v libx265',
    'the set-up token could not be written into the data directory',
    'postgres://db.local/cs',
    'a token with 3 uses was made',
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
  const began = performance.now();
  redact(`${'a'.repeat(200_000)} ${'token'.repeat(20_000)} ${'://x:'.repeat(10_000)}`);
  assert.ok(performance.now() - began < 5000);
});
