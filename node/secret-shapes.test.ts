import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { redact, redactDeep } from './redact.ts';

/** Letters, digits and what passwords have besides; it begins with a letter and has a digit in it, as whatever is made by chance. */
const secrets = fc
  .tuple(
    fc.stringMatching(/^[A-Za-z]$/),
    fc.stringMatching(/^[A-Za-z0-9_-]{6,24}$/),
    fc.stringMatching(/^[0-9]$/),
    fc.stringMatching(/^[A-Za-z0-9]{2}$/),
  )
  .map((parts) => parts.join(''));
const passwords = fc
  .tuple(
    fc.stringMatching(/^[A-Za-z]$/),
    fc.stringMatching(/^[A-Za-z0-9_.~+!$*-]{6,24}$/),
    fc.stringMatching(/^[0-9]$/),
    fc.stringMatching(/^[A-Za-z0-9]{2}$/),
  )
  .map((parts) => parts.join(''));

/** Where a secret may stand. What is before and after it has to stay, where the place has an end. */
const places: readonly ((secret: string) => string)[] = [
  // command lines
  (s) => `codecshift run --join ${s} --library /films`,
  (s) => `codecshift run --join=${s} --library /films`,
  (s) => `tool --token ${s} --verbose`,
  (s) => `tool --api-key ${s} --verbose`,
  (s) => `tool --password "${s} and ${s}" --verbose`,
  (s) => `tool --db-password=${s} --verbose`,
  (s) => `curl -u anna:${s} http://nas.local/`,
  (s) => `curl --user anna:${s} http://nas.local/`,
  (s) => `PGPASSWORD=${s} psql -h db.local`,
  (s) => `docker run -e CODECSHIFT_JOIN=${s} codecshift`,
  (s) => `$env:PGPASSWORD = "${s}"`,
  (s) => `spawn [ 'codecshift', 'run', '--join', '${s}', '--library', '/films' ]`,
  (s) => JSON.stringify({ command: ['codecshift', 'run', '--token', s, '--library', '/films'] }),
  (s) => JSON.stringify({ said: JSON.stringify(['run', '--password', s, '--json']) }),
  // sentences
  (s) => `the token is ${s} and lasts a day`,
  (s) => `The password was ${s}, as typed`,
  (s) => `the password of anna is ${s} here`,
  (s) => `the password for the server is "${s}" here`,
  (s) => `the token is now ${s} here`,
  (s) => `password was changed to ${s} yesterday`,
  (s) => `the API key is ${s} here`,
  (s) => `API key: ${s} of Sonarr`,
  (s) => `the secret is: ${s} (keep it)`,
  (s) => `refused with token ${s} at the door`,
  (s) => `tried the password ${s} at the door`,
  (s) => `one-time password ${s} was given out`,
  (s) => `X-Plex-Token ${s} was refused`,
  (s) => `token: ${s} was refused`,
  // addresses
  (s) => `GET http://10.0.0.5:32400/library?X-Plex-Token=${s}&type=1 failed`,
  (s) => `GET http://sonarr.local/api/v3/series?apikey=${s} failed`,
  (s) => `at http://anna:${s}@nas.local:8096/web now`,
  (s) => `ftp anna:${s}@nas.local now`,
  (s) => `DATABASE_URL=postgres://cs:${s}@db.local:5432/cs here`,
  (s) => `DATABASE_URL="postgres://cs:a b/${s}@db.local:5432/cs" here`.replace('a b', 'ab'),
  (s) => `postgres://db.local/cs?user=cs&password=${s}&sslmode=require`,
  (s) => `smtps://me:${s}/${s}@smtp.example.org:465 here`,
  (s) => `https://discord.com/api/webhooks/1234567890/${s} said 404`,
  (s) => `https%3A%2F%2Fdiscord.com%2Fapi%2Fwebhooks%2F1234567890%2F${s} said 404`,
  (s) => `https://hooks.slack.com/services/T0/B0/${s} said 404`,
  (s) => `https://ntfy.sh/${s} said 404`,
  (s) => `https://ntfy.example.org:8443/${s}/json said 404`,
  (s) => `ntfy://${s}@ntfy.example.org/films said 404`,
  (s) => `http://192.168.1.5:8000/notify/${s} said 424`,
  (s) => `http://192.168.1.5:8000/cfg/${s} said 204`,
  (s) => `tgram://123456789:${s}/42 said 404`,
  (s) => `pover://user@${s} said 404`,
  (s) => `gotify://nas.local/${s} said 404`,
  (s) => `mailto://me:${s}@gmail.com said 404`,
  (s) => `http://homeassistant.local:8123/api/webhook/${s} said 404`,
  (s) => `https://maker.ifttt.com/trigger/film/with/key/${s} said 404`,
  (s) => `POST http://localhost:8265/hooks/${s}${s} 404`,
  (s) => `/photo?url=http%3A%2F%2Fh%2F%3FX-Plex-Token%3D${s}%26width%3D4`,
  // headers, cookies, files
  (s) => `Authorization: Bearer ${s}`,
  (s) => `it sent Bearer ${s} to us`,
  (s) => `AUTH PLAIN ${s}`,
  (s) => `Cookie: cs_session_1a2b3c4d=${s}; theme=dark`,
  (s) => `kept __Host-cs_session=${s} for a day`,
  (s) => `kept JSESSIONID=${s} for a day`,
  (s) => `<Config><ApiKey>${s}</ApiKey><Port>8989</Port></Config>`,
  (s) => `<MediaContainer authToken="${s}" size="1"/>`,
  (s) => `-----BEGIN PGP PRIVATE KEY BLOCK-----\n${s}\n-----END PGP PRIVATE KEY BLOCK-----`,
  (s) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${s}\n-----END OPENSSH PRIVATE KEY-----`,
  (s) => `the ID token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.${s} is over`,
  (s) => `the ID token eyJhbGciOiJkaXIifQ..${s}.${s}.${s} is over`,
];
/** Passwords with signs in them, where such are written as they are. */
const loosePlaces = places.filter((place) =>
  /--(password|token|db-password)|PGPASSWORD|password (was|of|for|for)|token is|postgres:|anna:/.test(place('')),
);

suite('secrets that nobody told of', () => {
  test('a secret made by chance never comes out of any place where one may stand, nor a piece of it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...places), secrets, (place, secret) => isGone(place, secret)),
      { numRuns: 3000 },
    );
  });

  test('nor does a password with signs in it', () => {
    assert.ok(loosePlaces.length > 12);
    fc.assert(
      fc.property(fc.constantFrom(...loosePlaces), passwords, (place, secret) => isGone(place, secret)),
      { numRuns: 1500 },
    );
  });

  test('every place is understood, with what stands around the secret', () => {
    // nothing of a line with a cookie is worth keeping, and nothing of a key
    const around = places
      .filter((place) => !/^(Cookie|-----BEGIN)/.test(place('')))
      .filter((place) => {
        const clean = redact(place('h7Kq2mZx9Tfw'));
        const frame = place('\0').split('\0');
        const [before, after] = [frame[0]!, frame.at(-1)!];
        return !clean.startsWith(before.slice(0, 6)) || !clean.endsWith(after.slice(-4));
      });
    assert.deepEqual(
      around.map((place) => redact(place('h7Kq2mZx9Tfw'))),
      [],
    );
  });

  test('ordinary words are secrets too where nothing else can stand', () => {
    for (const [text, clean] of [
      ['codecshift run --join swordfish', 'codecshift run --join [secret]'],
      ['the password is swordfish', 'the password is [secret]'],
      ['the password is "open sesame"', 'the password is "[secret]"'],
      ["the token is 'is missing'", "the token is '[secret]'"],
      ['--password correct-horse-battery', '--password [secret]'],
    ] as const)
      assert.equal(redact(text), clean);
  });

  test('a command and a list of headers lose the value alone, also word by word', () => {
    assert.deepEqual(redactDeep(['codecshift', 'run', '--join', 'swordfish', '--library', '/films']), [
      ...['codecshift', 'run', '--join', '[secret]', '--library', '/films'],
    ]);
    assert.deepEqual(redactDeep(['x265', '--pass', '2', '--token', '--json']), ['x265', '--pass', '2', '--token', '--json']);
    assert.deepEqual(
      redactDeep({
        headers: [
          { name: 'Cookie', value: 'a=b' },
          { name: 'Accept', value: 'text/xml' },
        ],
      }),
      {
        headers: [
          { name: 'Cookie', value: '[secret]' },
          { name: 'Accept', value: 'text/xml' },
        ],
      },
    );
  });
});

suite('what a person needs to understand a log', () => {
  test('stays: words about secrets, counts, files and versions', () => {
    for (const text of [
      'token expired',
      'Filme/The Secret Agent-1996.mkv is HEVC already',
      'the token is expired, sign in again',
      'token: expired',
      '--token is missing',
      '--token and --token-file exclude each other',
      '--join wants a value.',
      '--token-file key.txt could not be read',
      'codecshift nodes token --label attic --uses 3',
      'codecshift sources add plex ADDRESS --token-file FILE',
      'The password is wrong.',
      'A password has 12 to 128 characters.',
      'the secret is 32 bytes',
      'the token was revoked by anna',
      'a token with 3 uses was made',
      'the token names another cluster',
      'basic authentication is not offered; digest algorithm unknown',
      'Authorization header is missing',
      'the signature is not right',
      'password=null, token: none',
      '250-AUTH PLAIN LOGIN CRAM-MD5',
      'docker run --user 99:100 codecshift',
      'CODECSHIFT_JOIN_FILE=/run/secrets/join_token',
      'secretKeyFile=/data/secret.key tokens=3',
      'x265 --pass 2, pass=2, bypass=1',
      '[matroska,webm @ 0x55d0c8] Unknown entry 0x80',
      'ask ben@example.org about http://192.168.1.5:8266/ and plex://movie/5d7768244de0ee001fcc7fec',
      'postgres:18@sha256:3f9a0c77d1',
      'http://192.168.1.5:8000/status?code',
      'file:///app/node/web/hooks/x.ts:10:5',
      'hdr10plus@1.7 smpte2084:bt2020nc, 0:v@0',
    ])
      assert.equal(redact(text), text);
  });

  test('no sentence of our own program is touched', () => {
    const files = globSync('**/*.ts', {
      cwd: import.meta.dirname,
      exclude: ['**/*.test.ts', 'testing/**', '**/*.child.ts', 'secret-shapes.ts', 'redact.ts'],
    });
    const sentences = files.flatMap((file) =>
      [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(/'((?:[^'\\\n]|\\.)* (?:[^'\\\n]|\\.)*)'/g)].map(([, text]) =>
        text!.replaceAll("\\'", "'"),
      ),
    );
    assert.ok(sentences.length > 2000, `only ${sentences.length} sentences were found`);
    assert.deepEqual(
      sentences
        .filter((text) => /^[\p{L}“]/u.test(text) && !examples.test(text) && redact(text) !== text)
        .map((text) => `${text} → ${redact(text)}`),
      [],
    );
  });
});

/** They show how an address with a password in it is written, and how a token is sent. */
const examples = /user:password@|Bearer cs_…/;

function isGone(place: (secret: string) => string, secret: string): void {
  const text = place(secret);
  for (const clean of [
    redact(text),
    JSON.stringify(redactDeep({ msg: text })),
    redact(JSON.stringify({ msg: text })),
    redact(JSON.stringify(JSON.stringify([text]))),
  ]) {
    const frame = place('');
    for (let at = 0; at + 6 <= secret.length; at++) {
      const piece = secret.slice(at, at + 6);
      assert.ok(frame.includes(piece) || !clean.includes(piece), `${text} became ${clean}`);
    }
  }
  assert.equal(redact(redact(text)), redact(text), 'cleaned twice, nothing more goes');
}
