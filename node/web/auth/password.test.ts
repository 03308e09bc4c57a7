import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Refusal } from '../errors.ts';
import { builtInEngine, createPasswords, needsRehash, packagedEngine, passwordProblem } from './password.ts';

const packaged = await packagedEngine().catch(() => null);
const builtIn = createPasswords(async () => builtInEngine);

describe('passwords', () => {
  test(
    'the package and the runtime write the same form, and each checks what the other wrote',
    { skip: packaged === null && 'the package does not load here' },
    async () => {
      const other = createPasswords(async () => packaged!);
      for (const [writer, reader] of [
        [builtIn, other],
        [other, builtIn],
      ] as const) {
        const hash = await writer.hash('grüne Wälder überall');
        assert.match(hash, /^\$argon2id\$v=19\$m=47104,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
        assert.equal(await reader.verify(hash, 'grüne Wälder überall'), true);
        assert.equal(await reader.verify(hash, 'grüne Wälder überall '), false);
        assert.equal(needsRehash(hash), false);
      }
    },
  );

  test('where the package does not load, the runtime’s own takes its place', async () => {
    const hash = await builtIn.hash('a');
    assert.equal(await createPasswords().verify(hash, 'a'), true);
  });

  test('a hash that was made with other numbers is checked, and made anew', async () => {
    const old = await weaker();
    assert.equal(await builtIn.verify(old, 'an old password'), true);
    assert.equal(needsRehash(old), true);
  });

  test('a hash that would take the memory of the machine, or is none, is just wrong', async () => {
    const hash = await builtIn.hash('a');
    for (const bad of [
      hash.replace('m=47104', 'm=999999'),
      hash.replace('$argon2id', '$argon2i'),
      hash.replace('t=1', 't=0'),
      '',
      'plain',
      `${hash}$x`,
    ])
      assert.equal(await builtIn.verify(bad, 'a'), false, bad);
  });

  test('a password typed on another system is the same password', async () => {
    const hash = await builtIn.hash('Z\u00fcrich am See'.normalize('NFC'));
    assert.equal(await builtIn.verify(hash, 'Zürich am See'.normalize('NFD')), true);
  });

  test('two at once, twenty wait, the next is told to come again, and everybody gets an answer', async () => {
    let running = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    const slow = createPasswords(async () => async ({ length }) => {
      most = Math.max(most, ++running);
      await gate.promise;
      running--;
      return Buffer.alloc(length);
    });
    const asked = Array.from({ length: 30 }, () =>
      slow.hash('a').then(
        () => 'made',
        (error: Refusal) => error.status,
      ),
    );
    gate.resolve();
    const answers = await Promise.all(asked);
    assert.equal(answers.filter((each) => each === 'made').length, 22);
    assert.equal(answers.filter((each) => each === 429).length, 8);
    assert.equal(most, 2);
    assert.match(await slow.hash('a'), /^\$argon2id/, 'and afterwards there is room again');
  });

  test('length and what is tried first decide, never rules of composition', () => {
    for (const weak of [
      'short',
      'elevenchars',
      'password2024',
      'Passwort!!!!!',
      'passwordpassword',
      'qwertyuiop123',
      '123456789012',
      'aaaaaaaaaaaaaa',
      'anna-anna-anna',
      'a'.repeat(129),
    ])
      assert.notEqual(passwordProblem(weak, 'anna'), null, weak);
    for (const good of ['four old films on a shelf', 'eine nacht in venedig', '晴れた日に丘の上で映画を見る', 'a'.repeat(60) + 'bcdefghij'])
      assert.equal(passwordProblem(good, 'anna'), null, good);
  });
});

/** As an earlier version with other numbers would have stored it. */
async function weaker(): Promise<string> {
  const salt = Buffer.from('0123456789abcdef');
  const made = await builtInEngine({ password: Buffer.from('an old password'), salt, memory: 64, passes: 2, parallelism: 1, length: 32 });
  const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
  return `$argon2id$v=19$m=64,t=2,p=1$${base64(salt)}$${base64(made)}`;
}
